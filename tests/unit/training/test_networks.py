"""Networks of a user's own: what produces their outputs, what can be replaced, and what a file must rebuild."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tables import tabular
from torch import nn
from trained_study import Study

from fairweight.core.artifacts import read_frame
from fairweight.core.errors import InputError
from fairweight.training import module_surgery
from fairweight.training.model import Model
from fairweight.training.tracing import output_weights, outputs, replaceable
from fairweight.training.training_loop import _without_single_rows

sys.path.insert(0, str(Path(__file__).parents[2] / "contract"))

import bodies  # networks as users write them, shared with the contract tests

FEATURES, CLASSES = (9,), 3


def built(name):
    torch.manual_seed(0)
    return getattr(bodies, name)(FEATURES, CLASSES)


EXAMPLE = torch.randn(2, 9, generator=torch.Generator().manual_seed(1))
EXAMPLE[:, 2:] = (EXAMPLE[:, 2:] > 0).float()  # categories


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bare_layer", ["weight"]),
        ("head_first", ["head.weight"]),
        ("two_heads", ["single.weight", "rest.weight"]),
        ("list_of_heads", ["heads.0.weight", "heads.1.weight", "heads.2.weight"]),
        ("normalised_output", ["2.weight"]),
        ("convolution_output", ["3.weight"]),
        ("unused_layer", ["head.weight"]),
        ("tied", ["out.weight"]),
        ("raw_parameter", ["outer"]),
        ("residual", ["head.weight"]),
        ("attention", ["head.weight"]),
        ("embedding", ["head.weight"]),
        ("gru", ["head.weight"]),
        ("transposed_convolution", ["7.weight"]),
    ],
)
def test_the_weights_of_the_outputs_are_found_wherever_they_are_defined(name, expected):
    body = built(name)
    assert output_weights(body, EXAMPLE) == expected
    for parameter in body.parameters():  # and where nothing is trainable
        parameter.requires_grad_(False)
    assert output_weights(body, EXAMPLE) == expected and not any(p.requires_grad for p in body.parameters())


def test_two_layers_whose_sum_is_the_output_both_produce_it():
    body = bodies.Body(lambda b, x: b.deep(torch.relu(b.first(x))) + b.wide(x), wide=nn.Linear(9, 3))
    body.first, body.deep = nn.Linear(9, 4), nn.Linear(4, 3)
    assert output_weights(body, EXAMPLE) == ["wide.weight", "deep.weight"]


def test_only_layers_that_are_called_and_not_read_can_be_replaced():
    kinds = (nn.Linear, nn.Conv2d)
    assert set(replaceable(built("two_names"), EXAMPLE, kinds)[0]) == {"a", "b", "out"}
    layers, reasons = replaceable(built("weight_read_directly"), EXAMPLE, kinds)
    assert set(layers) == {"head"} and reasons["first"].startswith("is not only called")
    assert replaceable(built("unused_layer"), EXAMPLE, kinds)[1]["spare"].startswith("is not only called")
    assert replaceable(built("own_layer"), EXAMPLE, kinds)[1] == {"0": "has type Doubled"}
    assert replaceable(built("hooked_layer"), EXAMPLE, kinds)[1] == {"0": "has hooks"}
    _, reasons = replaceable(built("transformer"), EXAMPLE, kinds)
    # in evaluation mode the encoder layer reads the weights of its linear layers itself
    assert {"encoder.layers.0.linear1", "encoder.layers.0.self_attn.out_proj"} <= set(reasons)


def test_looking_for_layers_leaves_the_body_as_it_was():
    for name in ("bare_layer", "two_names", "weight_read_directly", "transformer"):
        body = built(name)
        modules, before = list(body.named_modules(remove_duplicate=False)), outputs(body, EXAMPLE)
        replaceable(body, EXAMPLE, (nn.Linear,))
        assert list(body.named_modules(remove_duplicate=False)) == modules
        assert torch.equal(outputs(body, EXAMPLE), before)
        assert not any(module._forward_hooks for module in body.modules())


def test_a_layer_is_replaced_under_all_of_its_names():
    body = built("two_names")
    other = nn.Linear(bodies.WIDTH, bodies.WIDTH)
    assert module_surgery.replace(body, "b", other) is body and body.b is other and body.d is other
    layer = nn.Linear(9, 3)
    assert module_surgery.replace(layer, "", other) is other


def test_layers_that_share_a_weight_share_it_in_every_other_size():
    body = built("tied")
    wanted = {"b.weight": [5, 5], "d.weight": [5, 5], "b.bias": [5], "d.bias": [5]}
    module_surgery.reshape(body, wanted)
    assert body.b.weight is body.d.weight and body.b.weight.shape == (5, 5) and body.b.bias is not body.d.bias
    body = module_surgery.factorize(built("tied"), {"b": 2, "d": 2})
    assert body.b[0].weight is body.d[0].weight and body.b[1].weight is body.d[1].weight
    assert body.b[1].bias is not body.d[1].bias
    assert sum(p.numel() for p in body.parameters()) == 9 * 12 + 12 + 2 * 2 * 12 + 2 * 12 + 12 * 3 + 3


def test_a_factorized_convolution_keeps_its_padding():
    layer = nn.Conv2d(2, 6, 3, padding=1, padding_mode="circular")
    pair = module_surgery.factorize(nn.Sequential(layer), {"0": 2})[0]
    assert pair[0].padding_mode == "circular" and pair[1].bias is layer.bias


@pytest.mark.parametrize("name", ["weight_norm", "old_weight_norm", "spectral_norm"])
def test_a_computed_weight_becomes_an_ordinary_one_of_the_same_value(name):
    body = built(name)
    before = outputs(body, EXAMPLE)
    assert module_surgery.make_plain(body) and not module_surgery.make_plain(body)
    assert type(body[0]) is nn.Linear and set(dict(body[0].named_parameters())) == {"weight", "bias"}
    assert torch.allclose(outputs(body, EXAMPLE), before, atol=1e-6)


def test_a_shared_tensor_is_stored_once(tmp_path):
    study = Study(tmp_path, tabular(classes=3), {"architecture": "bodies:tied"})
    model = study.train(epochs=1)
    assert model.body.b.weight is model.body.d.weight
    stored = model.tensors()
    assert "body.b.weight" in stored and "body.d.weight" not in stored
    assert sum(a.size for name, a in stored.items() if name.startswith("body.")) == 327  # 471 with a second copy
    # files that hold both copies, as older versions wrote them
    model.load_tensors(stored | {"body.d.weight": stored["body.b.weight"]})


ARCHITECTURES = """
import torch
from torch import nn

class Kept(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.layer, self.noise = nn.Linear(features, classes), [torch.randn(classes)]

    def forward(self, x):
        return self.layer(x) + self.noise[0]

def unregistered(features, classes):
    return Kept(features[0], classes)

def one_logit(features, classes):
    return nn.Linear(features[0], 1)

class Pair(nn.Linear):
    def forward(self, x):
        return super().forward(x), x

def pair(features, classes):
    return Pair(features[0], classes)
"""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("unregistered", r"the written network computes something else .* its parameters and its buffers"),
        ("one_logit", r"it returns the shape \(2, 1\) for 2 rows of 3 classes, and not \(2, 3\)"),
        ("pair", r"it returns a tuple instead of one tensor of logits"),
    ],
)
def test_a_network_that_its_files_cannot_rebuild_is_refused(tmp_path, monkeypatch, name, sentence):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_networks.py").write_text(ARCHITECTURES)
    study = Study(tmp_path, tabular(classes=3), {"architecture": f"my_networks:{name}"})
    with pytest.raises(InputError, match=rf"models: architecture my_networks:{name}: .*{sentence}"):
        study.train(epochs=1)


# ---- batches under batch normalisation


def test_a_last_batch_of_one_row_joins_the_batch_before_it():
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    joined = _without_single_rows(order.split(3))
    assert [len(batch) for batch in joined] == [3, 3, 4] and torch.equal(torch.cat(joined), order)
    others = order.split(4)
    assert all(map(torch.equal, _without_single_rows(others), others))
    first = _without_single_rows([order[:1], order[1:4]])
    assert [len(batch) for batch in first] == [4]


@pytest.mark.parametrize("rows_left", [1, 2])
def test_batch_normalisation_trains_with_any_last_batch(tmp_path, rows_left):
    study = Study(tmp_path, tabular(classes=3), {"architecture": "bodies:batch_norm"})
    study.train(epochs=2, batch_size=len(study.training) - rows_left)
    assert np.isfinite(read_frame(study.path("dense.parquet"))["train_loss"]).all()
    with pytest.raises(InputError, match="batch normalisation needs two rows in each batch; raise batch_size"):
        study.train(epochs=1, batch_size=1)


def test_networks_without_batch_normalisation_keep_a_batch_of_one_row(tmp_path, monkeypatch):
    study = Study(tmp_path, tabular(classes=3), {"architecture": "bodies:layer_norm"})
    monkeypatch.setattr("fairweight.training.training_loop._without_single_rows", None)
    study.train(epochs=1, batch_size=1)


def test_models_of_sizes_that_no_tensor_shows_are_rebuilt(tmp_path):
    study = Study(tmp_path, tabular(classes=3), {"architecture": "bodies:layer_norm"})
    study.train(epochs=1)
    recipe = {"method": "structured", "channels": 0.5, "importance": "l2", "finetune": {}}
    pruned = study.prune(epochs=1, recipe=recipe)
    assert pruned.about["attributes"]["4"] == {"normalized_shape": [6]}  # a norm without weights
    again = Model.load(study.path("pruned.st"), study.path("pruned.json"))
    assert again.body[4].normalized_shape == (6,)
