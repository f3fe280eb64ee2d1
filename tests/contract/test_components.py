"""Every component of every folder is discovered automatically and has to keep the same promises."""

import ast
import importlib
import inspect

import jsonschema
import numpy as np
import promises
import pytest
import torch
from tables import comments, pictures, tabular

from fairweight.core import components
from fairweight.core.components import FOLDERS, names, path_of
from fairweight.core.errors import InputError
from fairweight.core.random_streams import generator
from fairweight.core.table import Augmented
from fairweight.data.column_statistics import Columns
from fairweight.evaluation.metric_rows import SCHEMA, Assessed

# components whose optional extra is not installed cannot be imported; everything else is tested
ALL = [(f, n) for f in FOLDERS for n in names(f) if not components.missing_extra(f, n)]


def installed(folder):
    return [name for place, name in ALL if place == folder]


# options without a default, which a contract test must choose
CHOSEN = {
    ("augmentations", "balance_groups"): {"attribute": "sex"},
    ("adjustments", "threshold_optimizer"): {"attribute": "sex"},
    ("graph_pruning", "magnitude"): {"sparsity": 0.7},
    ("objectives", "fairness_penalty"): {"attribute": "sex"},
    ("objectives", "group_balanced"): {"attribute": "sex"},
    ("objectives", "group_dro"): {"attribute": "sex"},
    ("objectives", "quantile"): {"quantile": 0.9},
    ("objectives", "reweighing"): {"attribute": "sex"},
    ("pruning", "global_magnitude"): {"sparsity": 0.7},
    ("pruning", "iterative_magnitude"): {"sparsity": 0.7, "steps": 2},
    ("pruning", "layer_magnitude"): {"sparsity": 0.7},
    ("pruning", "lottery_ticket"): {"sparsity": 0.7, "rounds": 2, "epochs": 1},
    ("pruning", "random"): {"sparsity": 0.7},
    ("pruning", "snip"): {"sparsity": 0.7},
    ("pruning", "structured"): {"channels": 0.5},
    ("factorizations", "svd"): {"energy": 0.5},
}


def defaults(folder, name):
    options = components.options(folder, name)
    values = {option: schema["default"] for option, schema in options.items() if "default" in schema}
    return values | CHOSEN.get((folder, name), {})


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_it_has_its_function_a_docstring_and_described_options(folder, name):
    module = components.module(folder, name)
    function = components.load(folder, name)
    assert function is getattr(module, FOLDERS[folder].entry_point)
    assert module.__doc__ and function.__doc__
    keyword_only = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    options = components.options(folder, name)
    if folder == "encodings":
        assert callable(module.decode) and module.decode.__doc__
    if folder not in ("engines", "sources", "metrics", "tasks"):
        # the step that imports a trained model reads the rest
        imports = folder == "architectures" and components.literal(folder, name, "IMPORTED")
        assert keyword_only <= set(options) if imports else set(options) == keyword_only
        for option, schema in options.items():
            assert schema["description"].endswith("."), option
            jsonschema.Draft202012Validator.check_schema(schema)
            if "default" in schema:
                jsonschema.validate(schema["default"], schema)


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_its_options_can_be_read_without_importing_it(folder, name):
    tree = ast.parse((path_of(folder) / f"{name}.py").read_text())
    assignments = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    for node in [node for node in assignments if "OPTIONS" in ast.unparse(node).split("=")[0]]:
        assert ast.literal_eval(node.value) == components.options(folder, name)


def call(method, rows, rng, **options):
    """Call an augmentation of any of the three forms, with these rows as the only block."""
    statistics = [Columns.from_rows(rows)] if "columns" in inspect.signature(method).parameters else []
    return method(rows, rng, *statistics, **options)


@pytest.mark.parametrize("name", installed("augmentations"))
def test_augmentation_leaves_training_rows_alone_and_is_repeatable(name):
    for table in (tabular(), pictures(), comments()):
        options = defaults("augmentations", name)
        if "attribute" in options:
            options["attribute"] = next(iter(table.groups))
        before = {k: v.copy() for k, v in vars(table).items() if isinstance(v, np.ndarray)}
        method = components.load("augmentations", name)
        try:
            first, second = (call(method, table, generator("a", 3), **options) for _ in range(2))
        except InputError as error:
            assert name in str(error)
            continue
        assert isinstance(first, Augmented)
        for key, value in before.items():
            assert np.array_equal(value, getattr(table, key))
        for key, value in vars(first).items():
            assert np.array_equal(value, getattr(second, key)), key
        check_rows(first, table)


def check_rows(made, table):
    """Check the shapes, types and ranges of what an augmentation of a table returns."""
    rows = len(made.source)
    assert (made.texts is None) == (table.texts is None) and (made.texts is None or len(made.texts) == rows)
    assert made.row_weights.shape == (len(table),) and (made.row_weights >= 0).all()
    assert ((made.source >= 0) & (made.source < len(table))).all()
    assert made.numeric.shape == (rows, table.numeric.shape[1]) and made.numeric.dtype == np.float32
    assert made.categorical.shape == (rows, table.categorical.shape[1])
    for codes, levels in zip(made.categorical.T, table.levels.values(), strict=True):
        assert not rows or 0 <= codes.min() <= codes.max() < len(levels)
    if table.images is not None:
        assert made.images.shape == (rows, *table.images.shape[1:]) and made.images.dtype == np.uint8


def test_jitter_moves_numbers_within_their_range_and_keeps_whole_numbers_whole():
    table = tabular()
    jitter = components.load("augmentations", "jitter")
    made = call(jitter, table, generator("j"), share=2.0, noise=0.5, swap=0.5)
    assert len(made.source) == 800
    age = made.numeric[:, 1]
    ages = table.numeric[:, 1]
    assert (age == age.round()).all() and age.min() >= ages.min() and age.max() <= ages.max()
    assert 0 < (made.numeric[:, 0] != table.numeric[made.source, 0]).mean() <= 1
    swapped = (made.categorical != table.categorical[made.source]).mean()
    assert 0.25 < swapped < 0.45  # half are drawn again, and of those a third or a quarter draw the same value


def test_balance_groups_evens_the_cells_and_keeps_the_number_of_draws():
    table = tabular()
    uneven = table.take(np.flatnonzero((table.label == 0) | (table.groups["sex"] == 0) | (np.arange(400) % 5 == 0)))
    weights = components.load("augmentations", "balance_groups")(uneven, generator("b"), attribute="sex").row_weights
    cells = uneven.groups["sex"] * 2 + uneven.label
    totals = np.bincount(cells, weights=weights)
    assert np.ptp(np.bincount(cells)) > 50 and np.ptp(totals) <= 1 and totals.sum() == len(uneven)


def test_affine_noise_moves_an_image_and_keeps_it_recognisable():
    table = pictures()
    still = {"share": 1.0, "shift": 0, "rotate": 0, "scale": 0, "noise": 0}
    method = components.load("augmentations", "affine_noise")
    same = method(table, generator("p"), **still)
    assert np.array_equal(same.images, table.images[same.source])
    moved = method(table, generator("p"), **(still | {"shift": 3.0}))
    assert 0 < np.abs(moved.images.astype(int) - table.images[moved.source]).mean() < 30


@pytest.mark.parametrize("name", names("architectures"))
def test_architecture_maps_features_to_logits_and_can_be_pruned(name):
    if components.literal("architectures", name, "FORMS") is not None:
        pytest.skip("its features are tokens: tests/unit/training/test_texts.py")
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
    mixtures = components.load("adjustments", name)(scores, labels, groups, **defaults("adjustments", name))
    assert set(mixtures) == {0, 1, 2}
    for members in mixtures.values():
        assert 0 < sum(m["weight"] for m in members) <= 1 + 1e-9
        assert all(len({"above", "below"} & set(m)) == 1 for m in members)


@pytest.mark.parametrize("name", names("pruning"))
@pytest.mark.parametrize("architecture", ["lenet_300_100", "lenet5"])
def test_pruning_holds_its_sparsity_in_the_file_and_keeps_what_was_learned(name, architecture, tmp_path):
    if components.literal("pruning", name, "TRANSFORMERS"):
        pytest.skip("it is for transformers: tests/unit/training/test_texts.py")
    study, options = promises.trained(architecture, tmp_path), defaults("pruning", name)
    pruned = promises.pruning(study, name, options)
    if architecture == "lenet_300_100":
        promises.repeatable(study, pruned, name, options)


@pytest.mark.parametrize("name", names("quantization"))
@pytest.mark.parametrize("architecture", ["lenet_300_100", "lenet5"])
def test_quantization_narrows_weights_and_keeps_nearly_all_predictions(name, architecture, tmp_path):
    if extra := components.missing_extra("quantization", name):
        pytest.skip(f"the extra {extra!r} is not installed")
    study = promises.trained(architecture, tmp_path)
    options, kind = defaults("quantization", name), promises.KINDS.get(name, "int8")
    quantized, report = promises.quantization(study, name, options, kind)
    if name == "qat":  # the file has the scales that training learned
        import onnx

        stored = [onnx.numpy_helper.to_array(t) for t in onnx.load(quantized).graph.initializer]
        scalars = [float(a.reshape(-1)[0]) for a in stored if a.dtype == np.float32 and a.size == 1]
        for scale, _zero in report["scales"].values():
            assert any(np.isclose(scalar, scale, rtol=1e-5) for scalar in scalars)


@pytest.mark.parametrize("name", names("encodings"))
@pytest.mark.parametrize("parent", ["dense", "pruned"])
def test_encoding_decodes_from_the_file_alone_and_keeps_zeros(name, parent, tmp_path):
    from fairweight.compression.encode import decode

    study = promises.trained("lenet5", tmp_path)
    study.prune(epochs=1, sparsity=0.9)
    epochs = 0 if name == "zstd" else 1
    written, report = promises.encoding(study, name, defaults("encodings", name), parent, epochs)
    if name == "deep_compression":
        assert report["coded_bytes"] < 0.5 * report["zstd_bytes"]
        assert all(len(w.unique()) <= 2 ** (8 if w.dim() > 2 else 5) + 1 for w in written.prunable().values())
    damaged = (tmp_path / "coded").read_bytes()[:-7]
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(InputError, match="should have"):
        decode(tmp_path / "damaged")


@pytest.mark.parametrize("name", names("factorizations"))
def test_factors_are_fewer_numbers_and_near_to_the_weights(name):
    promises.factorization(components.load("factorizations", name))


@pytest.mark.parametrize("name", names("distillations"))
def test_distillation_pulls_towards_the_teacher(name):
    promises.distillation(components.load("distillations", name)(**defaults("distillations", name)))


@pytest.mark.parametrize("name", installed("engines"))
def test_engine_runs_a_shipped_file_at_any_batch_size_with_the_same_probabilities(name, tmp_path):
    from trained_study import Study, run

    study = Study(tmp_path, tabular())
    study.train()
    path = study.export()
    for end in ("safetensors", "json"):  # as a study lays them out, beside each other
        source = tmp_path / {"safetensors": "dense.st", "json": "dense.json"}[end]
        if source.suffix != f".{end}":
            source.rename(tmp_path / f"dense.{end}")
    expected = run(path, study.table)
    engine = components.load("engines", name)(path, threads=1)
    from fairweight.inference.onnx_file import read_signature
    from fairweight.training.model_inputs import input_tensors

    feeds = input_tensors(read_signature(path), study.table)
    for size in (1, 7, 400):
        batches = [{k: v[i : i + size] for k, v in feeds.items()} for i in range(0, 400, size)]
        assert np.abs(np.concatenate([engine(batch) for batch in batches]) - expected).max() < 1e-5
    assert np.allclose(expected.sum(1), 1, atol=1e-5)
    module = importlib.import_module(f"fairweight.inference.engines.{name}")
    assert module.VERSION and components.unsupported(name, "train", None) is None
    assert isinstance(components.unsupported(name, "given", None), str)


@pytest.mark.parametrize("family", names("metrics"))
@pytest.mark.parametrize("classes", [2, 4])
def test_metric_family_returns_rows_with_status_and_reason(family, classes):
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
    rows = components.load("metrics", family)(assessed)
    # some families are for binary labels or for texts only
    assert rows or classes > 2 or family in ("likelihood", "stereotypes", "choices", "consistency")
    for row in rows:
        assert set(row) == set(SCHEMA)
        assert (row["value"] is None) == (row["status"] == "undefined")
        assert row["value"] is not None or row["reason"]
        assert row["attribute"] != "empty" and row["n"] <= 50


@pytest.mark.parametrize("name", names("tasks"))
def test_task_declares_its_forms_loss_metrics_and_output(name):
    from fairweight.training.input_encoders import FORMS

    task = components.module("tasks", name)
    for literal in ("FORMS", "LABELLED", "OUTPUT", "OBJECTIVES", "METRICS"):
        assert components.literal("tasks", name, literal) == getattr(task, literal), literal
    assert set(task.FORMS) <= set(FORMS) and set(task.OBJECTIVES) <= set(names("objectives"))
    assert set(task.METRICS) <= set(names("metrics"))
    logits = torch.tensor([[[3.0, 0.0], [0.0, 3.0], [3.0, 0.0]]])
    labels = torch.tensor([[0, 0, 1]])
    if task.LABELLED:
        logits, labels = logits[0], labels[0]
    if components.literal("tasks", name, "LABEL") == "numbers":  # squared error of the one output; nothing is a hit
        assert task.score(torch.tensor([[3.0], [0.0]]), torch.tensor([1.0, 0.5])) == (4.25, 0)
        return
    loss, hits = task.score(logits, labels)
    right, wrong = np.log1p(np.exp(-3)), 3 + np.log1p(np.exp(-3))
    assert loss == pytest.approx(right + 2 * wrong if task.LABELLED else 2 * right)
    assert hits == (1 if task.LABELLED else 2)


def test_every_metric_family_and_objective_is_of_a_task():
    for folder, literal in (("metrics", "METRICS"), ("objectives", "OBJECTIVES")):
        used = {used for name in names("tasks") for used in components.literal("tasks", name, literal)}
        assert used == set(names(folder))


def test_perplexity_is_exp_of_the_mean_over_tokens_not_over_texts():
    likelihood = components.load("metrics", "likelihood")
    assessed = Assessed(
        labels=np.full(2, -1),
        predictions=np.full(2, -1),
        scores=None,
        probabilities=None,
        classes=0,
        groups={},
        group_levels={},
        nll=np.array([2.0, 10.0]),
        tokens=np.array([2, 3]),
        utf8_bytes=np.array([8, 12]),
    )
    values = {row["metric"]: row["value"] for row in likelihood(assessed)}
    assert values["perplexity"] == pytest.approx(np.exp(12 / 5))
    assert values["bits_per_byte"] == pytest.approx(12 / np.log(2) / 20)


@pytest.mark.parametrize("name", names("sources"))
def test_source_reports_what_is_wrong_with_a_reference(name, tmp_path):
    with pytest.raises((InputError, OSError)) as caught:
        components.load("sources", name)("//localhost:1/nothing", tmp_path, tmp_path / "archives")
    assert str(caught.value)


@pytest.mark.parametrize("name", names("readers"))
def test_reader_refuses_a_file_of_another_format(name, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(InputError):
        list(components.load("readers", name)({"train": path}, **defaults("readers", name)))
