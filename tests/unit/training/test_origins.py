"""Numbers that float32 would merge: the file that ships takes them as float64 and subtracts their origin."""

import dataclasses

import numpy as np
import onnx
import pytest
from tables import tabular
from trained_study import Study, run

from fairweight.core import components
from fairweight.core.artifacts import read_json, read_table
from fairweight.core.errors import InputError
from fairweight.data.narrowing import narrowed
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model_inputs import input_tensors

ORIGIN = 1_700_000_020.0
ROWS = 400


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A label that depends on 40 consecutive seconds, one of them missing."""
    second = np.arange(ROWS) % 40
    table = tabular(ROWS)
    numeric = np.stack([narrowed(1.7e9 + second, ORIGIN), table.numeric[:, 1]], axis=1)
    numeric[3, 0] = np.nan
    rows = dataclasses.replace(table, numeric=numeric, label=(second >= 20).astype(int), origins={"x": ORIGIN})
    made = Study(tmp_path_factory.mktemp("origins"), rows)
    made.train(epochs=25)
    made.export()
    return made


def test_a_table_keeps_its_origins_in_its_file(study):
    assert read_table(study.data["table"]).origins == {"x": ORIGIN}
    assert read_table(study.data["table"], inputs=False).origins == {}


def test_the_file_that_ships_takes_raw_numbers_as_float64_and_tells_them_apart(study):
    path = study.path("dense.onnx")
    signature = read_signature(path)
    assert signature.origins == {"x": ORIGIN} and "origins" in read_json(study.path("dense.json"))["signature"]
    feeds = input_tensors(signature, read_table(study.data["table"]))
    assert feeds["numeric"].dtype == np.float64
    assert np.array_equal(feeds["numeric"][4:44, 0], 1.7e9 + np.arange(4, 44) % 40)
    (taken,) = (value for value in onnx.load(path).graph.input if value.name == "numeric")
    assert taken.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    output = components.load("engines", "onnxruntime")(path, threads=1)(feeds)
    assert (output.argmax(axis=1) == study.table.label).mean() > 0.95


@pytest.mark.parametrize(
    "recipe", [{"method": "float16"}, {"method": "bfloat16"}, {"method": "weight_only", "bits": 8, "block": 32}]
)
def test_quantized_files_take_the_same_numbers(study, recipe):
    path, _ = study.quantize(recipe["method"], **recipe)
    difference = np.abs(run(path, study.table) - run(study.path("dense.onnx"), study.table)).max()
    assert difference < 0.05


def test_an_engine_of_float32_refuses_the_file_and_names_the_column(study):
    pytest.importorskip("openvino")
    with pytest.raises(
        InputError, match="engine 'openvino' computes in float32, which merges numbers of the inputs x;"
    ):
        components.load("engines", "openvino")(study.path("dense.onnx"), threads=1)


def test_without_origins_nothing_changes(tmp_path):
    made = Study(tmp_path, tabular())
    made.train(epochs=1)
    signature = read_signature(made.export())
    assert "origins" not in read_json(made.path("dense.json"))["signature"] and signature.origins == {}
    assert input_tensors(signature, made.table)["numeric"].dtype == np.float32
