"""Every method that changes weights, on networks as users write them: it keeps its promises, or ends in one sentence.

A promise is: the network rebuilt from its files computes one row of logits for each row, what should be gone is gone,
and the outputs are all there.
"""

import functools
import inspect
import re
import tempfile
from pathlib import Path

import bodies
import numpy as np
import pytest
import torch
from tables import tabular
from trained_study import RECIPE, Study, run

from fairweight.compression.encode import decode, encode
from fairweight.compression.factorize import factorize
from fairweight.core import components
from fairweight.core.artifacts import read_json
from fairweight.core.components import names
from fairweight.core.errors import InputError
from fairweight.training.model import Model

CLASSES = 3
BODIES = [
    name
    for name, build in vars(bodies).items()
    if inspect.isfunction(build) and list(inspect.signature(build).parameters) == ["features", "classes"]
]
OPTIONS = {
    "global_magnitude": {"sparsity": 0.3},
    "iterative_magnitude": {"sparsity": 0.3, "steps": 2, "epochs": 1, "schedule": "cubic"},
    "layer_magnitude": {"sparsity": 0.3},
    "lottery_ticket": {"sparsity": 0.3, "rounds": 2, "epochs": 1, "rewind_epochs": 1, "output_share": 0.5},
    "n_m": {"n": 1, "m": 3},
    "none": {},
    "random": {"sparsity": 0.3},
    "reinitialised": {},
    "snip": {"sparsity": 0.3, "rows": 64, "at": "initialisation"},
    "structured": {"channels": 0.5, "importance": "l2"},
    "ffn_taylor": {"share": 0.5, "rows": 64},
    "heads_taylor": {"share": 0.5, "rows": 64},
    "layers": {"left": 1},
    "svd": {"energy": 0.5},
    "qat": {"epochs": 1, "learning_rate": 1e-4, "calibration_rows": 64},
    "deep_compression": {"matrix_bits": 4, "kernel_bits": 4},
    "zstd": {"level": 3},
}
MASKS = [name for name in names("pruning") if name not in ("structured", "ffn_taylor", "heads_taylor", "layers")]
CUTS = ["structured", "ffn_taylor", "heads_taylor", "layers"]
TRAINS = [name for name in names("quantization") if components.trains("quantization", name)]

NO_CHANNEL = "structured: no channel can be removed .*"
# cutting method -> network -> the sentence that refuses it; all others are cut
REFUSED = {
    "structured": {
        "bare_layer": NO_CHANNEL + "'the network itself' produces the outputs",
        "tied": NO_CHANNEL + "'b' shares its weight",
        "raw_parameter": NO_CHANNEL + "'the network itself' produces the outputs",
        "weight_read_directly": NO_CHANNEL + "'first' cannot be cut",
        "softmax_over_channels": NO_CHANNEL + "'0' is read by an operation that combines or rearranges",
        "size_in_the_code": NO_CHANNEL + "'first' is needed in its size by other code",
        "flattened_across": NO_CHANNEL + "'first' is read by an operation that combines or rearranges",
        "attention": NO_CHANNEL + "'embed' feeds 'mix', a MultiheadAttention",
        "gru_only": NO_CHANNEL + "'rnn' has type GRU",
    },
    "svd": {
        "raw_parameter": "no linear layer or 2-D convolution .*'the network itself' has type Body",
        "convolution_output": "no linear layer or 2-D convolution that can be factorized .*'1' has type Conv1d",
    },
    "qat": {
        "raw_parameter": "rounds the 0 of linear and convolution layers.*'the network itself' has type Body",
        "weight_read_directly": "'first' is not only called",
        "own_layer": "'0' has type Doubled",
        "hooked_layer": "'0' has hooks",
        "attention": "'mix' has type MultiheadAttention",
        "transformer": "has type MultiheadAttention",
    },
}
# methods for transformers -> networks that are cut
TRANSFORMERS = {
    "ffn_taylor": {"own_transformer", "one_layer_in_turn"},
    "heads_taylor": {"own_transformer", "one_layer_in_turn"},
    "layers": {"transformer", "own_transformer", "feed_forward_first", "one_layer_in_turn"},
}


@functools.cache
def _trained(body):
    folder = Path(tempfile.mkdtemp(prefix="fairweight-bodies-"))
    study = Study(folder, tabular(160, classes=CLASSES), {"architecture": f"bodies:{body}"})
    study.train(epochs=1)
    study.export()
    return study


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As steps run; tiny products on two threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def study(request):
    """A study of one network, which is trained once for all tests; each test writes files of its own names."""
    return _trained(request.node.callspec.params["body"])


def parameters(model):
    return sum(p.numel() for p in model.body.parameters())


def dense(study):
    return Model.load(study.path("dense.st"), study.path("dense.json"))


def usable(model, study):
    """Check that a model rebuilt from its files has an output for each class."""
    with torch.no_grad():
        logits = model.body(model.encode(study.table))
    assert logits.shape == (len(study.table), CLASSES) and logits.isfinite().all()


def refusal(call, *arguments, **options):
    """The sentence by which a call refuses a network; None if it does not."""
    try:
        call(*arguments, **options)
    except InputError as error:
        assert "\n" not in str(error) and str(error).startswith("variants: "), error
        return str(error)
    return None


def expected(method, body, sentence):
    """Whether a network is refused, as it should be."""
    if method in TRANSFORMERS and body not in TRANSFORMERS[method]:
        assert re.search(rf"{method}:? (takes|the network|'heads' is no stack)", sentence or ""), sentence
        return True
    wanted = REFUSED.get(method, {}).get(body)
    assert (wanted is None) == (sentence is None), sentence
    assert wanted is None or re.search(wanted, sentence), sentence
    return wanted is not None


@pytest.mark.parametrize("body", BODIES)
def test_the_file_computes_what_torch_computes(body, study):
    probabilities = run(study.path("dense.onnx"), study.table)
    model = dense(study)
    usable(model, study)
    with torch.no_grad():
        logits = model.body(model.encode(study.table))
    assert np.abs(probabilities - logits.softmax(1).numpy()).max() < 1e-4


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", MASKS)
def test_masks_reach_the_sparsity_of_the_options_on_every_network(method, body, study):
    options = OPTIONS[method]
    epochs = 1 if method == "global_magnitude" else 0
    pruned = study.prune(method, epochs=epochs, recipe={"method": method, **options, "finetune": {}})
    usable(pruned, study)
    assert parameters(pruned) == parameters(dense(study))
    if "sparsity" in options:
        assert pruned.about["sparsity"]["all"] == pytest.approx(0.3, abs=0.02)
    elif method == "n_m":
        assert pruned.about["sparsity"]["all"] > 0.3
    if method == "global_magnitude":
        study.export(method)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", CUTS)
def test_networks_are_cut_or_refused_by_name(method, body, study):
    recipe = {"method": method, **OPTIONS[method], "finetune": {}}
    sentence = refusal(study.prune, method, epochs=1, recipe=recipe)
    if expected(method, body, sentence):
        return
    pruned = Model.load(study.path(f"{method}.st"), study.path(f"{method}.json"))
    usable(pruned, study)
    # a layer that runs twice runs once in the end, with as many parameters
    assert parameters(pruned) < parameters(dense(study)) or (method, body) == ("layers", "one_layer_in_turn")
    assert run(study.export(method), study.table).shape == (len(study.table), CLASSES)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", names("factorizations"))
def test_networks_are_factorized_or_refused_by_name(method, body, study):
    outputs = {
        "model": study.path(f"{method}.st"),
        "about": study.path(f"{method}.json"),
        "curve": study.path(f"{method}.parquet"),
    }
    sentence = refusal(
        factorize,
        parent=study.path("dense.st"),
        parent_about=study.path("dense.json"),
        **study.data,
        **outputs,
        recipe={"method": method, **OPTIONS[method], "finetune": {}},
        finetune=RECIPE | {"epochs": 1},
        seed=0,
        variant="low",
    )
    if expected(method, body, sentence):
        return
    low = Model.load(outputs["model"], outputs["about"])
    usable(low, study)
    assert parameters(low) < parameters(dense(study)) and low.about["ranks"]
    study.export(method)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", TRAINS)
def test_networks_are_finetuned_under_rounding_or_refused_by_name(method, body, study):
    sentence = refusal(study.quantize, method, method=method, **OPTIONS[method])
    if expected(method, body, sentence):
        return
    before, after = (run(study.path(f"{name}.onnx"), study.table) for name in ("dense", method))
    assert after.shape == before.shape and np.isfinite(after).all()
    assert (after.argmax(1) == before.argmax(1)).mean() > 0.8
    assert read_json(study.path(f"{method}.quantize.json"))["integer_operators"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", names("encodings"))
def test_every_network_is_encoded_and_a_shared_tensor_once(method, body, study):
    paths = {key: study.path(f"{method}.{key}") for key in ("coded", "model", "about", "curve", "report")}
    encode(
        parent=study.path("dense.st"),
        parent_about=study.path("dense.json"),
        **study.data,
        **paths,
        recipe={"method": method, **OPTIONS[method], "finetune": {}},
        finetune=RECIPE | {"epochs": 0 if method == "zstd" else 1},
        seed=0,
        variant="coded",
    )
    written, decoded = Model.load(paths["model"], paths["about"]), decode(paths["coded"])
    usable(decoded, study)
    for name, tensor in decoded.state_dict().items():
        assert torch.equal(tensor, written.state_dict()[name]), name
    size = sum(tensor.nbytes for tensor in dense(study).tensors().values())
    assert read_json(paths["report"])["weights_bytes"] == size
