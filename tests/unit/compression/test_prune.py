"""A pruning method of a user's own receives the network where its signature names it."""

import pytest
from tables import tabular
from trained_study import Study

from fairweight.core import components

METHOD = """
def mine(weights, {parameters}, share):
    return {{name: network.gradients(64)[name].abs() >= share * w.abs().mean() * 1e-3 for name, w in weights.items()}}
"""


@pytest.mark.parametrize("parameters", ["network, *", "*, network"])
def test_the_network_is_no_option(tmp_path, monkeypatch, parameters):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "my_p_keyword" if parameters.startswith("*") else "my_p_positional"
    (tmp_path / f"{name}.py").write_text(METHOD.format(parameters=parameters))
    assert components.options("pruning", f"{name}:mine") == {"share": {}}
    study = Study(tmp_path, tabular())
    study.train(epochs=1)
    pruned = study.prune(epochs=0, recipe={"method": f"{name}:mine", "share": 0.5})
    assert 0 < pruned.about["sparsity"]["all"] < 1
