"""The network that a pruning method receives, which may be one of a user's own."""

import pytest
import torch
from tables import tabular
from trained_study import RECIPE, Study

from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.training.model import Model
from fairweight.training.training_data import TrainingData

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


@pytest.mark.parametrize("epochs", [0, 1])
def test_early_weights_are_those_of_the_roots_own_training(tmp_path, epochs):
    study = Study(tmp_path, tabular())
    study.train(epochs=1)
    model = Model.load(study.path("dense.st"), study.path("dense.json"))
    trained = {name: tensor.clone() for name, tensor in model.body.state_dict().items()}
    network = Trained(model, TrainingData.read(**study.data), RECIPE, variant="ticket", seed=0)
    early = network.early(epochs)
    same = [torch.equal(trained[name], early[name]) for name in trained]
    assert all(same) if epochs else not any(same)
    assert all(torch.equal(trained[name], tensor) for name, tensor in model.body.state_dict().items())
