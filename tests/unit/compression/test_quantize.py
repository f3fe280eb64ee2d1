"""A quantization method of a user's own is passed what it names in its signature, and only the rest are options."""

import numpy as np
import onnx
import pytest
from tables import tabular
from trained_study import Study, run

from fairweight.core import components
from fairweight.inference.model_checks import stored

TRAINS = """
from fairweight.api import quantize_file


def mine({signature}, epochs, rows=64):
    network.train({{}}, epochs)
    trained = destination.with_name("trained.onnx")
    export(trained)
    quantize_file(trained, destination, calibration(rows))
    return {{"method": "mine", "epochs": len(network.history), "parent": source.name}}
"""
SIGNATURES = {
    "positional": "source, destination, calibration, network, export, *",
    "keyword_only": "source, destination, calibration, *, network, export",
}
MEASURES = """
from fairweight.api import quantize_file


def mine(source, destination, calibration, *, accuracy, rows=64):
    quantize_file(source, destination, calibration(rows))
    return {"method": "mine", "lost": accuracy(source) - accuracy(destination)}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A trained study in the folder of the run, where a user's modules are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Study(tmp_path, tabular())
    made.train()
    made.export()
    return made


def module(study, name, text):
    (study.folder / f"{name}.py").write_text(text)
    return f"{name}:mine"


@pytest.mark.parametrize("form", SIGNATURES)
def test_a_method_of_a_users_own_that_trains(study, form):
    method = module(study, f"my_q_{form}", TRAINS.format(signature=SIGNATURES[form]))
    assert components.options("quantization", method) == {"epochs": {}, "rows": {"default": 64}}
    assert {"network", "export"} <= set(components.parameters("quantization", method))
    path, report = study.quantize(method=method, epochs=2)
    assert (report["method"], report["epochs"], report["parent"]) == ("mine", 2, "dense.onnx")
    assert report["integer_operators"] == 3 and not report["float_operators"]
    assert (run(path, study.table).argmax(1) == study.table.label).mean() > 0.8
    untrained, _ = study.quantize("untrained", method="static", **STATIC)
    weights = [list(stored(onnx.load(file)).values()) for file in (path, untrained)]
    assert any(not np.array_equal(*pair) for pair in zip(*weights, strict=True)), "the file holds the parent's weights"


STATIC = {"calibration_rows": 64, "per_channel": True, "ranges": "minmax", "reduce_range": False}


def test_a_method_of_a_users_own_that_measures_accuracy(study):
    method = module(study, "my_q_measures", MEASURES)
    assert components.options("quantization", method) == {"rows": {"default": 64}}
    _, report = study.quantize(method=method)
    assert abs(report["lost"]) < 0.1


EXPORTS = """
from fairweight.api import quantize_file


def mine(source, destination, calibration, *, export):
    again = destination.with_name("again.onnx")
    export(again)
    quantize_file(again, destination, calibration(64))
    return {"method": "mine", "same": again.stat().st_size == source.stat().st_size}
"""


def test_a_method_of_a_users_own_that_exports_the_network(study):
    method = module(study, "my_q_exports", EXPORTS)
    assert components.trains("quantization", method) and components.options("quantization", method) == {}
    _, report = study.quantize(method=method)
    assert report["integer_operators"] == 3
