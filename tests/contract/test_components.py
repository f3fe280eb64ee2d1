"""Every component of every folder is found by itself and held to the same promises."""

import ast
import importlib
import inspect
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from tables import pictures, tabular

from fairweight import components
from fairweight.cells import SCHEMA, Assessed
from fairweight.columns import Columns
from fairweight.components import ENTRY_POINTS, PACKAGE, names
from fairweight.errors import InputError
from fairweight.randomness import generator
from fairweight.table import Augmented

ALL = [(folder, name) for folder in ENTRY_POINTS for name in names(folder)]
# options without a default, which a contract test must choose
CHOSEN = {
    ("augmentations", "balance_groups"): {"attribute": "sex"},
    ("adjustments", "threshold_optimizer"): {"attribute": "sex"},
    ("objectives", "fairness_penalty"): {"attribute": "sex"},
    ("objectives", "group_balanced"): {"attribute": "sex"},
    ("objectives", "group_dro"): {"attribute": "sex"},
    ("objectives", "reweighing"): {"attribute": "sex"},
    ("pruning", "global_magnitude"): {"sparsity": 0.7},
}


def defaults(folder, name):
    found = {
        option: schema["default"] for option, schema in components.options(folder, name).items() if "default" in schema
    }
    return found | CHOSEN.get((folder, name), {})


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_it_has_its_function_a_docstring_and_described_options(folder, name):
    module = importlib.import_module(f"fairweight.{folder}.{name}")
    function = components.load(folder, name)
    assert function is getattr(module, ENTRY_POINTS[folder])
    assert module.__doc__ and function.__doc__
    keyword_only = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    options = components.options(folder, name)
    if folder not in ("engines", "sources", "metrics"):
        assert set(options) == keyword_only
        for option, schema in options.items():
            assert schema["description"].endswith("."), option
            jsonschema.Draft202012Validator.check_schema(schema)
            if "default" in schema:
                jsonschema.validate(schema["default"], schema)


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_its_options_can_be_read_without_importing_it(folder, name):
    tree = ast.parse((PACKAGE / folder / f"{name}.py").read_text())
    stated = [
        n for n in tree.body if isinstance(n, ast.Assign | ast.AnnAssign) and "OPTIONS" in ast.unparse(n).split("=")[0]
    ]
    for node in stated:
        assert ast.literal_eval(node.value) == components.options(folder, name)


def call(method, rows, rng, **options):
    """An augmentation of any of the three forms, with these rows as the only block."""
    statistics = [Columns.of(rows)] if "columns" in inspect.signature(method).parameters else []
    return method(rows, rng, *statistics, **options)


@pytest.mark.parametrize("name", names("augmentations"))
def test_augmentation_leaves_training_rows_alone_and_is_repeatable(name):
    for table in (tabular(), pictures()):
        options = {"augmentations": defaults("augmentations", name)}["augmentations"]
        if "attribute" in options:
            options["attribute"] = next(iter(table.groups))
        before = {k: v.copy() for k, v in vars(table).items() if isinstance(v, np.ndarray)}
        method = components.load("augmentations", name)
        try:
            one, two = (call(method, table, generator("a", 3), **options) for _ in range(2))
        except InputError as error:
            assert name in str(error)
            continue
        assert isinstance(one, Augmented)
        for key, value in before.items():
            assert np.array_equal(value, getattr(table, key))
        for key, value in vars(one).items():
            assert np.array_equal(value, getattr(two, key)), key
        assert one.row_weights.shape == (len(table),) and (one.row_weights >= 0).all()
        assert ((one.source >= 0) & (one.source < len(table))).all()
        assert one.numeric.shape == (len(one.source), table.numeric.shape[1]) and one.numeric.dtype == np.float32
        assert one.categorical.shape == (len(one.source), table.categorical.shape[1])
        for column, levels in enumerate(table.levels.values()):
            assert not len(one.source) or 0 <= one.categorical[:, column].min() <= one.categorical[
                :, column
            ].max() < len(levels)
        if table.images is not None:
            assert one.images.shape == (len(one.source), *table.images.shape[1:]) and one.images.dtype == np.uint8


def test_jitter_moves_numbers_within_their_range_and_keeps_whole_numbers_whole():
    table = tabular()
    jitter = components.load("augmentations", "jitter")
    made = call(jitter, table, generator("j"), share=2.0, noise=0.5, swap=0.5)
    assert len(made.source) == 800
    age = made.numeric[:, 1]
    assert (
        (age == age.round()).all() and age.min() >= table.numeric[:, 1].min() and age.max() <= table.numeric[:, 1].max()
    )
    assert 0 < (made.numeric[:, 0] != table.numeric[made.source, 0]).mean() <= 1
    swapped = (made.categorical != table.categorical[made.source]).mean()
    assert 0.25 < swapped < 0.45  # half are drawn anew, and a third or a quarter of those draw the same again


def test_balance_groups_evens_the_cells_and_keeps_the_number_of_draws():
    table = tabular()
    uneven = table.take(np.flatnonzero((table.label == 0) | (table.groups["sex"] == 0) | (np.arange(400) % 5 == 0)))
    weights = components.load("augmentations", "balance_groups")(uneven, generator("b"), attribute="sex").row_weights
    cells = uneven.groups["sex"] * 2 + uneven.label
    totals = np.bincount(cells, weights=weights)
    assert np.ptp(np.bincount(cells)) > 50 and np.ptp(totals) <= 1 and totals.sum() == len(uneven)


def test_affine_noise_moves_a_picture_and_keeps_it_recognisable():
    table = pictures()
    still = {"share": 1.0, "shift": 0, "rotate": 0, "scale": 0, "noise": 0}
    method = components.load("augmentations", "affine_noise")
    same = method(table, generator("p"), **still)
    assert np.array_equal(same.images, table.images[same.source])
    moved = method(table, generator("p"), **(still | {"shift": 3.0}))
    assert 0 < np.abs(moved.images.astype(int) - table.images[moved.source]).mean() < 30


@pytest.mark.parametrize("name", names("architectures"))
def test_architecture_maps_features_to_logits_and_can_be_pruned(name):
    build = components.load("architectures", name)
    for features, classes in (((28, 1, 1)[:1], 2), ((1, 28, 28), 10)):
        try:
            body = build(features, classes, **defaults("architectures", name))
        except InputError as error:
            assert name in str(error)
            continue
        assert body(torch.zeros(3, *features)).shape == (3, classes)
        assert any(p.dim() >= 2 for p in body.parameters())


@pytest.mark.parametrize("name", names("objectives"))
def test_objective_is_a_finite_scalar_with_a_gradient_and_heeds_weights(name):
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.5], [-1.0, 3.0], [0.2, 0.1]], requires_grad=True)
    labels, groups = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 1, -1])
    weights = torch.tensor([1.0, 1.0, 0.0, 1.0])
    loss = components.load("objectives", name)(labels, groups, weights, **defaults("objectives", name))
    value = loss(logits, labels, weights, groups)
    value.backward()
    assert value.shape == () and torch.isfinite(value) and value >= 0
    assert logits.grad[2].abs().sum() == 0 and logits.grad[0].abs().sum() > 0


@pytest.mark.parametrize("name", names("objectives"))
def test_objective_takes_batches_that_lack_a_group_or_a_label(name):
    labels, groups, weights = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 1, 0]), torch.ones(4)
    loss = components.load("objectives", name)(labels, groups, weights, **defaults("objectives", name))
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.5], [-1.0, 3.0], [0.2, 0.1]])
    for batch in (torch.tensor([0]), torch.tensor([1, 2]), torch.tensor([3, 0])):
        assert torch.isfinite(loss(logits[batch], labels[batch], weights[batch], groups[batch]))


@pytest.mark.parametrize("name", names("adjustments"))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adjustment_gives_every_group_a_mixture(name, dtype):
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(2, size=600), rng.integers(3, size=600)
    scores = np.clip(0.3 * labels + 0.1 * groups + rng.normal(0.3, 0.2, 600), 0, 1).astype(dtype)
    found = components.load("adjustments", name)(scores, labels, groups, **defaults("adjustments", name))
    assert set(found) == {0, 1, 2}
    for members in found.values():
        assert 0 < sum(m["weight"] for m in members) <= 1 + 1e-9
        assert all(len({"above", "below"} & set(m)) == 1 for m in members)


@pytest.mark.parametrize("name", names("pruning"))
def test_pruning_masks_fit_the_weights_and_hold_the_sparsity(name):
    generator_ = torch.Generator().manual_seed(0)
    weights = {"a": torch.randn(40, 30, generator=generator_), "b": torch.randn(5, 3, 3, 3, generator=generator_)}
    kept = {n: w.clone() for n, w in weights.items()}
    options = defaults("pruning", name)
    masks = components.load("pruning", name)(weights, **options)
    assert {n: m.shape for n, m in masks.items()} == {n: w.shape for n, w in weights.items()}
    assert all(m.dtype == torch.bool for m in masks.values())
    assert all(torch.equal(kept[n], w) for n, w in weights.items())
    share = sum(int((~m).sum()) for m in masks.values()) / sum(w.numel() for w in weights.values())
    assert share == pytest.approx(options["sparsity"], abs=0.01)


@pytest.mark.parametrize("name", names("quantization"))
@pytest.mark.parametrize("architecture", ["lenet_300_100", "lenet5"])
def test_quantization_runs_integers_and_keeps_nearly_all_predictions(name, architecture, tmp_path):
    from test_training import Study, run

    study = Study(tmp_path, pictures(400), {"architecture": architecture})
    study.train(epochs=2)
    path = study.export()
    quantized, report = study.quantize(method=name, **defaults("quantization", name))
    assert report["integer_operators"] > 0 and report["integer_weights_share"] > 0.95
    assert report["verdict"] in ("quantized", "partly quantized")
    assert (report["verdict"] == "quantized") == (report["size_ratio"] >= 3 and report["float_operators"] == 0)
    assert (run(path, study.table).argmax(1) == run(quantized, study.table).argmax(1)).mean() > 0.95


@pytest.mark.parametrize("name", names("engines"))
def test_engine_runs_a_shipped_file_at_any_batch_size_with_the_same_probabilities(name, tmp_path):
    from test_training import Study, run

    study = Study(tmp_path, tabular())
    study.train()
    path = study.export()
    expected = run(path, study.table)
    engine = components.load("engines", name)(path, threads=1)
    from fairweight.shipped import read_signature

    feeds = read_signature(path).feeds(study.table)
    for size in (1, 7, 400):
        found = np.concatenate([engine({k: v[i : i + size] for k, v in feeds.items()}) for i in range(0, 400, size)])
        assert np.abs(found - expected).max() < 1e-5
    assert np.allclose(expected.sum(1), 1, atol=1e-5)
    module = importlib.import_module(f"fairweight.engines.{name}")
    assert module.VERSION and module.supports("train") is None and isinstance(module.supports("given"), str)


@pytest.mark.parametrize("family", names("metrics"))
@pytest.mark.parametrize("classes", [2, 4])
def test_metric_family_returns_cells_with_status_and_reason(family, classes):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(classes), 50).astype(np.float32)
    assessed = Assessed(
        labels=rng.integers(classes, size=50),
        predictions=probabilities.argmax(1),
        scores=probabilities[:, 1],
        probabilities=probabilities,
        classes=classes,
        groups={"g": rng.integers(-1, 2, size=50), "empty": np.full(50, -1)},
        group_levels={"g": ("a", "b", "nobody"), "empty": ("c", "d")},
        baseline=probabilities.argmax(1),
    )
    cells = components.load("metrics", family)(assessed)
    assert cells or classes > 2  # some are for binary labels only
    for cell in cells:
        assert set(cell) == set(SCHEMA)
        assert (cell["value"] is None) == (cell["status"] == "undefined")
        assert cell["value"] is not None or cell["reason"]
        assert cell["attribute"] != "empty" and cell["n"] <= 50


@pytest.mark.parametrize("name", names("sources"))
def test_source_tells_what_is_wrong_with_a_reference(name, tmp_path):
    with pytest.raises((InputError, OSError)) as caught:
        components.load("sources", name)("//localhost:1/nothing", tmp_path, tmp_path / "archives")
    assert str(caught.value)


@pytest.mark.parametrize("name", names("readers"))
def test_reader_refuses_a_file_of_another_format(name, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(InputError):
        list(components.load("readers", name)({"train": path}, **defaults("readers", name)))
