"""Import of PyTorch modules with weights in safetensors."""

import dataclasses
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from imported_files import table
from tables import pictures

from fairweight.core import components
from fairweight.core.artifacts import read_json, write_split, write_table
from fairweight.core.errors import InputError
from fairweight.core.foreign_models import ForeignModelError
from fairweight.inference.import_torch import import_torch
from fairweight.training.model import Model

NETWORKS = '''
import torch
from torch import nn


class Shared(nn.Module):
    """Two layers with one matrix."""

    def __init__(self):
        super().__init__()
        self.start, self.one = nn.Linear(2, 4), nn.Linear(4, 4)
        self.two, self.end = nn.Linear(4, 4), nn.Linear(4, 2)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.end(self.two(torch.relu(self.one(torch.relu(self.start(x))))))


class Probabilities(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.layer, self.margin = nn.Linear(2, 1 if margin else 2), margin

    def forward(self, x):
        x = self.layer(x)
        return torch.sigmoid(x) if self.margin else x.softmax(dim=1)


def linear(outputs=2, flat=False):
    return nn.Sequential(nn.Linear(2, outputs), *([nn.Flatten(0)] if flat else []))


def normalized():
    return nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))


def shared():
    return Shared()


def probabilities(margin=False):
    return Probabilities(margin)


def pixels():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 3))


def text():
    return "a string"
'''


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    (folder / "imported_networks.py").write_text(NETWORKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        import imported_networks

        yield imported_networks


def bring(folder, rows, module, weights, **changes):
    """Import a module and return its report and the model."""
    defaults = {n: o.get("default") for n, o in components.options("architectures", "torch_module").items()}
    write_table(folder / "table.parquet", rows)
    write_split(folder / "split.parquet", rows.row, np.arange(len(rows)) % 3)
    outputs = {
        name: str(folder / file) for name, file in (("model", "m.st"), ("about", "m.json"), ("report", "i.json"))
    }
    recipe = {"architecture": "torch_module", **defaults, "module": f"imported_networks:{module}", **changes}
    import_torch(
        recipe=recipe | {"weights": str(weights)},
        table=str(folder / "table.parquet"),
        split=str(folder / "split.parquet"),
        name="mine",
        seed=0,
        **outputs,
    )
    return read_json(outputs["report"]), Model.load(outputs["model"], outputs["about"])


def saved(folder, state):
    state = {name: tensor.detach().clone().contiguous() for name, tensor in dict(state).items()}
    safetensors.torch.save_file(state, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def good(order=(0, 1), margin=False):
    weights, bias = torch.tensor([[-2.0, 0.02], [2.0, -0.02]]), torch.tensor([0.0, 0.1])
    if margin:
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    else:
        weights, bias = weights[list(order)], bias[list(order)]
    return {"0.weight": weights, "0.bias": bias}


def logits(model, rows):
    with torch.no_grad():
        return model.body(model.encode(rows)).numpy()


def expected():
    x, age = table().numeric.T
    return np.stack([-2 * x + 0.02 * age, 2 * x - 0.02 * age + 0.1], axis=1)


def test_logits_in_the_order_of_the_outputs(tmp_path, networks):
    _, model = bring(tmp_path, table(), "linear", saved(tmp_path, good()))
    assert np.allclose(logits(model, table()), expected(), atol=1e-5)
    _, model = bring(tmp_path, table(), "linear", saved(tmp_path, good([1, 0])), classes=[1, 0])
    assert np.allclose(logits(model, table()), expected(), atol=1e-5)


@pytest.mark.parametrize("flat", [False, True])
def test_one_logit_of_the_second_class(tmp_path, networks, flat):
    weights = saved(tmp_path, good(margin=True))
    arguments = {"outputs": 1, "flat": flat}
    _, model = bring(tmp_path, table(), "linear", weights, arguments=arguments, outputs="margin")
    ours = logits(model, table())
    assert np.allclose(ours[:, 1] - ours[:, 0], expected()[:, 1] - expected()[:, 0], atol=1e-5)
    _, model = bring(
        tmp_path,
        table(),
        "linear",
        saved(tmp_path, {k: -v for k, v in good(margin=True).items()}),
        arguments=arguments,
        outputs="margin",
        classes=[1, 0],
    )
    ours = logits(model, table())
    assert np.allclose(ours[:, 1] - ours[:, 0], expected()[:, 1] - expected()[:, 0], atol=1e-5)


def test_another_order_is_detected(tmp_path, networks):
    with pytest.raises(InputError, match=r"models: mine: classes: with the classes in sorted order .* meant 1, 0;"):
        bring(tmp_path, table(), "linear", saved(tmp_path, good([1, 0])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), "lacks 0.bias; give the state dict of this module"),
        (lambda s: s.update(extra=torch.ones(2)), "has, and the module does not, extra; give the state dict"),
        (lambda s: s.update({"0.bias": torch.ones(3)}), r"has in other shapes 0.bias \(3,\), not \(2,\); give"),
    ],
)
def test_weights_that_do_not_fit_are_listed(tmp_path, networks, change, message):
    state = good()
    change(state)
    with pytest.raises(InputError, match=message):
        bring(tmp_path, table(), "linear", saved(tmp_path, state))


def test_batch_normalization_keeps_its_statistics(tmp_path, networks):
    torch.manual_seed(0)
    network = networks.normalized()
    x = torch.from_numpy(table().numeric)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), torch.from_numpy(table().label)).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        original = network(x)
    rows = dataclasses.replace(table(), given={"p": original.softmax(dim=1)[:, 1].double().numpy()})
    report, model = bring(tmp_path, rows, "normalized", saved(tmp_path, network.state_dict()), reference="p")
    assert report["reference"]["largest_difference"] < 1e-5
    assert np.allclose(logits(model, rows), original.numpy(), atol=1e-5)
    assert not model.body.training


@pytest.mark.parametrize("kept", ["one.weight", "two.weight", "both"])
def test_tensors_that_are_shared(tmp_path, networks, kept):
    torch.manual_seed(0)
    network = networks.shared()
    state = dict(network.state_dict())
    if kept != "both":
        del state["two.weight" if kept == "one.weight" else "one.weight"]
    with torch.no_grad():
        original = network(torch.from_numpy(table().numeric)).softmax(dim=1)[:, 1].double().numpy()
    rows = dataclasses.replace(table(), given={"p": original})
    report, _ = bring(tmp_path, rows, "shared", saved(tmp_path, state), reference="p")
    assert report["reference"]["largest_difference"] < 1e-5


def test_the_file_of_save_model(tmp_path, networks):
    network = networks.shared()
    safetensors.torch.save_model(network, str(tmp_path / "weights.safetensors"))
    with torch.no_grad():
        original = network(torch.from_numpy(table().numeric)).softmax(dim=1)[:, 1].double().numpy()
    rows = dataclasses.replace(table(), given={"p": original})
    report, _ = bring(tmp_path, rows, "shared", tmp_path / "weights.safetensors", reference="p")
    assert report["reference"]["largest_difference"] < 1e-5


@pytest.mark.parametrize("margin", [False, True])
def test_probabilities_are_no_logits(tmp_path, networks, margin):
    state = {name.replace("0.", "layer."): tensor for name, tensor in good(margin=margin).items()}
    options = {"arguments": {"margin": margin}, "outputs": "margin" if margin else "logits"}
    with pytest.raises(InputError, match=f"returns probabilities; .* the last {'sigmoid' if margin else 'softmax'}"):
        bring(tmp_path, table(), "probabilities", saved(tmp_path, state), **options)


def test_outputs_of_further_classes_are_refused(tmp_path, networks):
    state = {"0.weight": torch.randn(5, 2), "0.bias": torch.zeros(5)}
    for classes in (("0", "1"), ("1", "0")):
        rows = dataclasses.replace(table(), classes=classes)
        with pytest.raises(InputError, match=r"returns the shape \(2, 5\)|returns 5 logits, and the dataset has 2"):
            bring(tmp_path, rows, "linear", saved(tmp_path, state), arguments={"outputs": 5})
    with pytest.raises(InputError, match="the module has 5 classes, and the dataset has 0, 1"):
        bring(tmp_path, table(), "linear", saved(tmp_path, state), arguments={"outputs": 5}, classes=[0, 1, 2, 3, 4])


def test_a_pickle_is_refused_and_not_loaded(tmp_path, networks):
    class Opened:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    (tmp_path / "weights.pkl").write_bytes(pickle.dumps(Opened()))
    torch.save(networks.linear().state_dict(), tmp_path / "weights.pt")
    for name in ("weights.pkl", "weights.pt"):
        with pytest.raises(ForeignModelError):
            bring(tmp_path, table(), "linear", tmp_path / name)
    assert not (tmp_path / "proof").exists()


def test_a_broken_file_is_refused(tmp_path, networks):
    path = saved(tmp_path, good())
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="is not a safetensors file"):
        bring(tmp_path, table(), "linear", path)


def test_categories_and_missing_numbers_are_refused(tmp_path, networks):
    weights = saved(tmp_path, good())
    rows = dataclasses.replace(table(), categorical=np.zeros((300, 1), np.int64), levels={"job": ("a",)})
    with pytest.raises(InputError, match="takes numbers, and the inputs job are categories"):
        bring(tmp_path, rows, "linear", weights)
    numeric = table().numeric.copy()
    numeric[7, 1] = np.nan
    with pytest.raises(InputError, match="the inputs age have missing numbers"):
        bring(tmp_path, dataclasses.replace(table(), numeric=numeric), "linear", weights)


def test_images_are_scaled_as_in_training(tmp_path, networks):
    torch.manual_seed(0)
    rows = pictures()
    pixels = (torch.from_numpy(rows.images).float() / 255 - 0.1) / 0.3
    network = networks.pixels()
    with torch.no_grad():
        original = network(pixels).softmax(dim=1).double().numpy()
    rows = dataclasses.replace(rows, given={f"p{code}": original[:, code] for code in range(3)})
    weights, columns = saved(tmp_path, network.state_dict()), ["p0", "p1", "p2"]
    report, _ = bring(
        tmp_path, rows, "pixels", weights, scale=255, mean=[0.1], std=[0.3], reference=columns, tolerance=1e-4
    )
    assert report["reference"]["largest_difference"] < 1e-4
    with pytest.raises(InputError, match="rows differ from the original"):
        bring(tmp_path, rows, "pixels", weights, scale=1, reference=columns)
    with pytest.raises(InputError, match="std: has 2 numbers for 1 channels"):
        bring(tmp_path, rows, "pixels", weights, scale=255, std=[1.0, 2.0])


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("linear", {"arguments": {"width": 3}}, "does not take the arguments"),
        ("text", {}, "returns a str and not a torch.nn.Module"),
        ("nothing", {}, "nothing"),
    ],
)
def test_modules_that_cannot_be_built(tmp_path, networks, module, options, message):
    with pytest.raises(InputError, match=message):
        bring(tmp_path, table(), module, saved(tmp_path, good()), **options)


def test_a_module_for_other_columns_is_refused(tmp_path, networks):
    rows = dataclasses.replace(table(), numeric=table().numeric[:, :1], numeric_names=("x",))
    with pytest.raises(
        InputError, match=r"models: mine: the module cannot be run on rows of the dataset \(.*mat1 and mat2"
    ):
        bring(tmp_path, rows, "linear", saved(tmp_path, good()))


def test_options_that_both_architectures_have_are_alike():
    """Components are read without being imported, so each holds its options as a literal of its own."""
    of_file, of_module = (components.options("architectures", name) for name in ("onnx", "torch_module"))
    both = of_file.keys() & of_module.keys()
    assert {"classes", "reference", "reference_labels", "tolerance", "scale", "mean", "std"} <= both
    for name in both:
        assert of_file[name] | {"description": ""} == of_module[name] | {"description": ""}, name
