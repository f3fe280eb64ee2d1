"""The network that a pruning method receives, which may be one of a user's own."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from tables import tabular
from trained_study import RECIPE, Study, run

from fairweight.compression.encode import decode, encode
from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.training.model import Model
from fairweight.training.tracing import output_weights
from fairweight.training.training_data import TrainingData

sys.path.insert(0, str(Path(__file__).parents[2] / "contract"))

import bodies  # networks as users write them, shared with the contract tests

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


# ---- networks of a user's own

STRUCTURED = {"method": "structured", "channels": 0.5, "importance": "l2", "finetune": {}}


def study_of(folder, body, **options):
    study = Study(folder, tabular(240, classes=4), {"architecture": f"bodies:{body}", **options})
    study.train(epochs=1)
    return study


@pytest.mark.parametrize("body", ["head_first", "convolution_output", "unused_layer", "two_heads", "list_of_heads"])
def test_outputs_are_never_cut_wherever_they_are_defined(tmp_path, body):
    study = study_of(tmp_path, body)
    study.prune(epochs=0, recipe=STRUCTURED)
    assert run(study.export("pruned"), study.table).shape == (240, 4)


def test_what_was_not_cut_is_named(tmp_path):
    about = study_of(tmp_path, "transformer").prune(epochs=0, recipe=STRUCTURED).about
    attention = [f"encoder.layers.{n}.self_attn.{w}" for n in (0, 1) for w in ("in_proj_weight", "out_proj.weight")]
    assert set(attention) <= set(about["uncut"]) and "head.weight" not in about["uncut"]
    (tmp_path / "plain").mkdir()
    assert "uncut" not in study_of(tmp_path / "plain", "layer_norm").prune(epochs=0, recipe=STRUCTURED).about


def test_halves_that_multiply_each_other_lose_no_more_than_asked(tmp_path):
    pruned = study_of(tmp_path, "gate").prune(epochs=0, recipe=STRUCTURED)
    assert pruned.body.first.weight.shape == (12, 9) and pruned.body.head.weight.shape == (4, 6)


def test_channels_whose_order_is_not_known_are_not_cut(tmp_path):
    """Columns of the wrong channels would be cut: torch-pruning does not see inputs that are concatenated."""
    body = bodies.Body(
        lambda b, x: b.head(torch.cat([x, torch.relu(b.first(x))], dim=1)),
        first=torch.nn.Linear(9, 12),
        head=torch.nn.Linear(21, 4),
    )
    network = Bare(body)
    with pytest.raises(InputError, match="'first' is read by an operation that combines or rearranges its channels"):
        components.load("pruning", "structured")({}, network, channels=0.5, importance="l2")
    assert network.body is body and body.first.weight.shape == (12, 9)


def test_a_norm_over_neighbouring_channels_ends_with_a_sentence():
    """torch-pruning's positions of channels grow without end here."""
    body = torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 3, 3)),
        torch.nn.Conv2d(1, 8, 3, padding=1),
        torch.nn.LocalResponseNorm(3),
        torch.nn.Flatten(),
        torch.nn.Linear(72, 4),
    )
    with pytest.raises(InputError, match=r"torch-pruning cannot follow this architecture .*global_magnitude"):
        components.load("pruning", "structured")({}, Bare(body), channels=0.5, importance="l2")


class Bare:
    """As much of a network as `structured` uses."""

    def __init__(self, body):
        self.body, self.example = body, torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
        self.outputs = output_weights(body, self.example)


def test_nothing_removed_is_said_unless_nothing_was_asked(tmp_path):
    study = study_of(tmp_path, "layer_norm")
    with pytest.raises(InputError, match="method 'my_masks:everything' removes nothing of this network"):
        prune_by(study, tmp_path, "everything(weights, *, sparsity)", "w.abs() >= 0", sparsity=0.5)
    assert study.prune(epochs=0, sparsity=0.0).about["sparsity"]["all"] == 0
    assert study.prune(epochs=0, recipe=STRUCTURED | {"channels": 0}).about["sparsity"]["all"] == 0
    with pytest.raises(InputError, match="n_m removes nothing: no output has m = 64 inputs; lower m"):
        study.prune(epochs=0, recipe={"method": "n_m", "n": 2, "m": 64, "finetune": {}})


@pytest.mark.parametrize("mask", ["w * 0 + 1", "w[:1] >= 0"])
def test_masks_of_another_type_or_shape_are_refused(tmp_path, mask):
    study = study_of(tmp_path, "layer_norm")
    with pytest.raises(InputError, match=r"returns for '0.weight' something else than a boolean tensor in the shape"):
        prune_by(study, tmp_path, "everything(weights)", mask)


def prune_by(study, folder, signature, mask, **options):
    (folder / "my_masks.py").write_text(
        f"def {signature}:\n    return {{name: {mask} for name, w in weights.items()}}\n"
    )
    sys.path.insert(0, str(folder))
    try:
        return study.prune(epochs=0, recipe={"method": "my_masks:everything", **options, "finetune": {}})
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("my_masks", None)


@pytest.mark.parametrize(
    "recipe",
    [
        {"method": "reinitialised"},
        {"method": "snip", "sparsity": 0.5, "rows": 64, "at": "initialisation"},
        {"method": "lottery_ticket", "sparsity": 0.5, "rounds": 1, "epochs": 1, "rewind_epochs": 1, "output_share": 1},
    ],
)
def test_a_parent_that_was_cut_is_not_rewound(tmp_path, recipe):
    study = study_of(tmp_path, "layer_norm")
    study.prune("dense", epochs=0, recipe=STRUCTURED)  # takes the place of the parent
    with pytest.raises(InputError, match=r"'0.weight' is not as the architecture builds it.*neither cut nor fact"):
        study.prune(epochs=0, recipe={**recipe, "finetune": {}})


def test_the_lottery_spares_the_output_layer_wherever_it_is_defined(tmp_path):
    ticket = {"method": "lottery_ticket", "rounds": 1, "epochs": 1, "rewind_epochs": 0, "output_share": 0.25}
    pruned = study_of(tmp_path, "head_first").prune(epochs=0, recipe={**ticket, "sparsity": 0.5, "finetune": {}})
    shares = pruned.about["sparsity"]
    assert shares["head.weight"] == pytest.approx(0.25 * shares["first.weight"], abs=0.02)
    assert shares["second.weight"] == pytest.approx(shares["first.weight"], abs=0.02)
    assert shares["all"] == pytest.approx(0.5, abs=0.01)


def test_the_gradient_of_an_unused_layer_is_zero(tmp_path):
    study = study_of(tmp_path, "unused_layer")
    network = Trained(dense(study), TrainingData.read(**study.data), RECIPE, variant="x", seed=0)
    gradients = network.gradients(64)
    assert not gradients["spare.weight"].any() and gradients["first.weight"].any()


def dense(study):
    return Model.load(study.path("dense.st"), study.path("dense.json"))


def test_zeros_of_layers_that_are_not_rounded_stay_zero_in_quantization_aware_training(tmp_path):
    study = study_of(tmp_path, "gru")
    study.prune("dense", epochs=0, sparsity=0.5)  # takes the place of the parent
    study.export()
    before = dense(study)
    study.quantize(method="qat", epochs=1, learning_rate=0.01, calibration_rows=64)
    proto = onnx.load(study.path("int8.onnx"))
    largest = max((numpy_helper.to_array(t) for t in proto.graph.initializer), key=lambda a: a.size)
    assert largest.dtype == np.float32 and largest.size == before.body.rnn.weight_ih_l0.numel()
    assert (largest == 0).mean() > 0.3


# ---- weights that several layers share


@pytest.mark.parametrize("body", ["tied", "used_twice", "two_names"])
def test_shared_weights_are_one_before_and_after(tmp_path, body):
    study = study_of(tmp_path, body)
    shared = 0 if body != "tied" else 12  # the second layer has a bias of its own
    expected = 9 * 12 + 12 + 12 * 12 + 12 + shared + 12 * 4 + 4
    pruned = study.prune(epochs=1, sparsity=0.5)
    for model in (dense(study), pruned):
        assert sum(p.numel() for p in model.body.parameters()) == expected
        assert sum(a.size for name, a in model.tensors().items() if name.startswith("body.")) == expected
    assert pruned.about["sparsity"]["all"] == pytest.approx(0.5, abs=0.01)
    if body == "tied":
        assert pruned.body.b.weight is pruned.body.d.weight
    study.export()
    assert study.quantize(method="qat", epochs=1, learning_rate=1e-4, calibration_rows=64)[1]["scales"]


def test_only_layers_of_their_own_weight_are_adapted():
    for name, place in (("tied", "'b' shares its weight"), ("old_weight_norm", "'0' shares its weight .* or computes")):
        body = getattr(bodies, name)((9,), 4)
        maps = ["b", "d"] if name == "tied" else ["0"]
        with pytest.raises(InputError, match=f"adapt: lora: {place}"):
            components.load("adaptations", "lora")(body, rank=2, alpha=4.0, maps=maps)
    body = bodies.two_names((9,), 4).eval()
    finish = components.load("adaptations", "lora")(body, rank=2, alpha=4.0, maps=["b"])
    x = torch.randn(3, 9)
    with torch.no_grad():
        body.b.up.normal_()
    adapted = body(x)
    finish()
    assert body.b is body.d and type(body.b) is torch.nn.Linear and torch.allclose(body(x), adapted, atol=1e-5)


# ---- storage coding


def test_values_beyond_half_precision_are_stored_as_they_are(tmp_path):
    study = study_of(tmp_path, "batch_norm")
    model = dense(study)
    model.body[1].running_var.fill_(1e6)
    kept = {"recipe": RECIPE, "seed": 0, "replicate": 0}
    model.save(study.path("dense.st"), study.path("dense.json"), **kept)
    paths = {key: study.path(key) for key in ("coded", "model", "about", "curve", "report")}
    encode(
        parent=study.path("dense.st"),
        parent_about=study.path("dense.json"),
        **study.data,
        **paths,
        recipe={"method": "deep_compression", "matrix_bits": 4, "kernel_bits": 4, "finetune": {}},
        finetune=RECIPE | {"epochs": 0},
        seed=0,
        variant="coded",
    )
    assert (decode(paths["coded"]).body[1].running_var == 1e6).all()


def test_zstd_refuses_values_that_it_would_round():
    network = type("Network", (), {"epochs": 0})()
    weights = {"body.x": np.array([0.1])}
    with pytest.raises(InputError, match=r"zstd stores float32, which cannot hold the float64 values of body.x"):
        components.load("encodings", "zstd")(weights, network, level=3)
