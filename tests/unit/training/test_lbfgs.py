"""L-BFGS for linear models: the minimum that scikit-learn finds, the same bytes for any threads and row groups."""

import dataclasses
import resource
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from studies import tiny
from tables import pictures, tabular
from trained_study import Study

from fairweight.core.artifacts import read_frame, read_json, read_split, write_augmented
from fairweight.core.errors import InputError
from fairweight.core.table import Augmented, Table
from fairweight.data.partitions import DEFAULT, workers
from fairweight.reporting.paper.methods import _recipe
from fairweight.study.schema import resolve
from fairweight.study.study import Study as StudyFile
from fairweight.training import lbfgs, row_spool, train_linear
from fairweight.training.signature import Signature
from fairweight.training.train import train
from fairweight.training.train_linear import linear_model
from fairweight.training.training_data import TrainingData

ENDS = {"model": "st", "about": "json", "curve": "parquet"}
LINEAR = {"architecture": "logistic_regression"}
RECIPE = {
    "optimizer": "lbfgs",
    "weight_decay": 0.01,
    "tolerance": 1e-9,
    "max_iterations": 1000,
    "objective": {"method": "standard"},
    "adapt": {"method": "full"},
    "precision": "float32",
}


def as_table(data):
    names = tuple(f"x{i}" for i in range(data.data.shape[1]))
    rows = len(data.target)
    return Table(
        row=np.arange(rows),
        file=np.full(rows, "all"),
        label=data.target.astype(np.int64),
        classes=tuple(map(str, data.target_names)),
        numeric=data.data.astype(np.float32),
        numeric_names=names,
        categorical=np.empty((rows, 0), np.int64),
        levels={},
        images=None,
        groups={"large": (data.data[:, 0] > np.median(data.data[:, 0])).astype(np.int64)},
        group_levels={"large": ("no", "yes")},
    )


def stored(study):
    return TrainingData.read(*(study.data[name] for name in ("table", "split", "augmented")))


def minimum(study, tmp_path, classes, penalty=0.01, weights=None, threads=1):
    """The minimum, and the encoded training rows that scikit-learn takes."""
    data = stored(study)
    model = linear_model(data, LINEAR, "classification")
    folder = tmp_path / f"spool-{threads}"
    folder.mkdir(exist_ok=True)
    weights = np.ones(len(data)) if weights is None else weights
    with workers(threads) as spread:
        training, _ = train_linear._spread_blocks(model, data, weights, spread, folder)
        problem = lbfgs.Problem(classes, model.encoder.features[0], weights.sum())
        solution = lbfgs.minimise(training, problem, penalty=penalty, tolerance=1e-10, max_iterations=5000)
    features = np.concatenate([np.array(block.features()) for block in training.blocks]).astype(np.float64)
    return solution, features, np.concatenate([block.labels for block in training.blocks])


@pytest.mark.parametrize(("data", "classes"), [(load_breast_cancer, 2), (load_iris, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_minimum_is_that_of_scikit_learn(tmp_path, data, classes, weighted):
    study = Study(tmp_path, as_table(data(as_frame=False)), LINEAR)
    size = len(read_split(study.data["split"])["train"])
    weights = np.random.default_rng(0).uniform(0.1, 3, size) if weighted else np.ones(size)
    solution, features, labels = minimum(study, tmp_path, classes, weights=weights)
    reference = LogisticRegression(C=1 / (weights.sum() * 0.01), tol=1e-12, max_iter=10_000)
    reference.fit(features, labels, sample_weight=weights)
    assert np.allclose(solution.weight, reference.coef_, rtol=0, atol=1e-8)
    assert np.allclose(solution.bias, reference.intercept_, rtol=0, atol=1e-8)
    probabilities = reference.predict_proba(features)[np.arange(size), labels]
    loss = -(weights @ np.log(probabilities)) / weights.sum()
    assert solution.loss == pytest.approx(loss, abs=1e-10)
    assert solution.objective == pytest.approx(loss + 0.005 * np.square(reference.coef_).sum(), abs=1e-10)


def test_the_gradient_is_the_derivative_of_the_loss():
    rng = np.random.default_rng(1)
    for outputs, classes in ((1, 2), (4, 4)):
        logits, weights = rng.normal(size=(5, outputs)), rng.uniform(size=5)
        labels = rng.integers(classes, size=5)
        _, slope = lbfgs.cross_entropy(logits, labels, weights)
        for position in np.ndindex(logits.shape):
            step = np.zeros_like(logits)
            step[position] = 1e-6
            above, below = (lbfgs.cross_entropy(logits + sign * step, labels, weights)[0] for sign in (1, -1))
            assert slope[position] == pytest.approx((above - below) / 2e-6, abs=1e-8)
    # logits that overflow the exponential function
    losses, slope = lbfgs.cross_entropy(np.array([[1e4], [-1e4]]), np.array([0, 0]), np.ones(2))
    assert losses == 1e4 and slope.tolist() == [[1.0], [0.0]]


def trained(study, name, threads=1, partitions=DEFAULT, **changes):
    paths = {key: study.path(f"{name}.{end}") for key, end in ENDS.items()}
    spread = {"threads": threads, "partitions": partitions}
    train(**study.data, **paths, architecture=LINEAR, recipe=RECIPE | changes, seed=0, replicate=0, **spread)
    return {key: Path(path) for key, path in paths.items()}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks and products of few rows, so that small data have many of them."""
    monkeypatch.setattr(row_spool, "block_rows", lambda _values: 37)
    monkeypatch.setattr(train_linear, "block_rows", lambda _values: 37)
    monkeypatch.setattr(lbfgs, "CACHED_VALUES", 300)


def test_bytes_are_equal_for_any_threads_and_row_groups(tmp_path, small_blocks):
    data = as_table(load_breast_cancer())
    gaps = data.numeric.copy()
    gaps[::7, 3] = np.nan
    study = Study(tmp_path, dataclasses.replace(data, numeric=gaps), LINEAR)
    first = trained(study, "first")["model"].read_bytes()
    for threads in (2, 4):
        assert trained(study, f"threads{threads}", threads=threads)["model"].read_bytes() == first
    whole = pq.read_table(study.data["table"])
    for rows in (11, 64, 400):
        pq.write_table(whole, study.data["table"], row_group_size=rows)
        assert trained(study, f"groups{rows}")["model"].read_bytes() == first


def test_encoder_statistics_are_those_of_other_training(tmp_path, small_blocks):
    data = as_table(load_breast_cancer())
    numeric = data.numeric.copy()
    numeric[::5, 2] = np.nan
    numeric[:, 4] = 3.0
    study = Study(tmp_path, dataclasses.replace(data, numeric=numeric), LINEAR)
    blockwise = linear_model(stored(study), LINEAR, "classification").encoder
    whole = linear_model(stored(study), LINEAR, "classification").encoder
    stored(study).fit(whole)
    for name in ("mean", "scale"):
        assert np.allclose(getattr(blockwise, name), getattr(whole, name), rtol=3e-7, atol=0)


def test_files_of_a_model_and_its_minimum(tmp_path):
    study = Study(tmp_path, as_table(load_breast_cancer()), LINEAR)
    paths = trained(study, "dense", tolerance=1e-7)
    about, curve = read_json(paths["about"]), read_frame(paths["curve"])
    minimum = about["minimum"]
    assert minimum["converged"] and minimum["gradient_norm"] <= 1e-7 and minimum["iterations"] == len(curve)
    assert minimum["objective"] > curve["train_loss"].iloc[-1] > 0 and minimum["rows"] == len(study.training)
    assert curve["best"].tolist() == [False] * (len(curve) - 1) + [True]
    assert curve["validation_accuracy"].iloc[-1] > 0.93
    study.export()


def test_made_rows_and_weights_of_augmentation_count(tmp_path):
    data = as_table(load_breast_cancer())
    study = Study(tmp_path, data, LINEAR)
    plain = trained(study, "plain")["model"].read_bytes()
    # every row once more is the same objective
    training, source = study.training, np.arange(len(study.training))
    nothing = Augmented.nothing(training)
    twice = dataclasses.replace(nothing, source=source, numeric=training.numeric, categorical=training.categorical)
    write_augmented(study.data["augmented"], [(twice, training.row)], training)
    again = trained(study, "twice", tolerance=1e-9)
    assert read_json(again["about"])["minimum"]["rows"] == 2 * len(training)
    objectives = [read_json(study.path(f"{name}.json"))["minimum"]["objective"] for name in ("plain", "twice")]
    assert objectives[0] == pytest.approx(objectives[1], abs=1e-12)
    half = dataclasses.replace(nothing, row_weights=np.where(training.label == 1, 0.5, 1).astype(np.float32))
    write_augmented(study.data["augmented"], [(half, training.row)], training)
    assert trained(study, "half")["model"].read_bytes() != plain


@pytest.mark.parametrize("method", ["reweighing", "group_balanced"])
def test_objectives_with_fixed_weights(tmp_path, method):
    study = Study(tmp_path, as_table(load_breast_cancer()), LINEAR)
    paths = trained(study, method, objective={"method": method, "attribute": "large"})
    plain = trained(study, "plain")
    losses = [read_json(p["about"])["minimum"]["objective"] for p in (paths, plain)]
    assert losses[0] != pytest.approx(losses[1], abs=1e-4)


def test_too_few_iterations_are_one_sentence(tmp_path):
    study = Study(tmp_path, as_table(load_breast_cancer()), LINEAR)
    with pytest.raises(InputError, match=r"has not converged: after 3 iterations .* raise max_iterations"):
        trained(study, "short", max_iterations=3)


def linear_study(**changes):
    defaults = {
        "models": {"mlp": {"architecture": "logistic_regression"}},
        "training__standard": {"optimizer": "lbfgs", "weight_decay": 0.01},
        "variants": {"dense": {"train": "standard"}},
    }
    study = tiny(**(defaults | changes))
    for line in study["grid"]:
        line["variants"] = list(study["variants"])
    return study


def test_a_study_needs_no_epochs():
    recipe = StudyFile(resolve(linear_study())).training_recipe("dense")
    assert "epochs" not in recipe and (recipe["tolerance"], recipe["max_iterations"]) == (1e-6, 1000)


PRUNED = {"method": "global_magnitude", "sparsity": 0.5}
REFUSED = {
    "layers": ({"models": {"mlp": {"architecture": "mlp"}}}, "one linear layer such as 'logistic_regression'"),
    "objective": (
        {"training__standard__objective": {"method": "group_dro", "attribute": "sex"}},
        "no sum over rows with fixed weights",
    ),
    "penalty": (
        {"training__standard__objective": {"method": "fairness_penalty", "attribute": "sex"}},
        "there are: group_balanced, reweighing, standard",
    ),
    "adapt": ({"training__standard__adapt": "frozen"}, "trains all weights; leave out 'frozen'"),
    "precision": ({"training__standard__precision": "bfloat16"}, "computes in float64"),
    "epochs": ({"training__standard__epochs": 3}, "'lbfgs' has no epochs"),
    "replicate": ({"variants": {"dense": {"train": "standard", "replicate": 1}}}, "a replicate is the same model"),
    "finetune": (
        {
            "variants": {
                "dense": {"train": "standard"},
                "pruned": {"from": "dense", "prune": PRUNED | {"finetune": {"epochs": 2}}},
            }
        },
        "variants: pruned: it trains, and its root 'dense' has the optimizer 'lbfgs'",
    ),
    "distill": (
        {
            "variants": {
                "dense": {"train": "standard"},
                "small": {"from": "dense", "distill": {"method": "soft_labels", "student": LINEAR}},
            }
        },
        "variants: small: it trains",
    ),
    "qat": (
        {"variants": {"dense": {"train": "standard"}, "q": {"from": "dense", "quantize": {"method": "qat"}}}},
        "variants: q: it trains",
    ),
    "lottery": (
        {
            "variants": {
                "dense": {"train": "standard"},
                "q": {
                    "from": "dense",
                    "prune": {"method": "lottery_ticket", "sparsity": 0.5, "rounds": 2, "epochs": 1},
                },
            }
        },
        "variants: q: it trains",
    ),
    "tolerance": ({"training__standard__tolerance": 0}, "tolerance"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_convex_or_starts_from_another_model_is_refused(changes, message):
    with pytest.raises(InputError) as error:
        StudyFile(resolve(linear_study(**changes)))
    assert message in str(error.value)


def test_pruning_without_finetuning_is_allowed():
    StudyFile(resolve(linear_study(variants={"dense": {"train": "standard"}, "p": {"from": "dense", "prune": PRUNED}})))


def test_other_optimizers_need_epochs():
    with pytest.raises(InputError, match="epochs"):
        StudyFile(resolve(linear_study(training__standard={"optimizer": "sgd"})))


def test_pruning_keeps_zeros_and_does_not_train_further(tmp_path):
    study = Study(tmp_path, as_table(load_breast_cancer()), LINEAR)
    trained(study, "dense")
    pruned = study.prune(epochs=0, sparsity=0.5, optimizer="lbfgs")
    assert (pruned.body[1].weight == 0).float().mean() == pytest.approx(0.5, abs=0.02)
    with pytest.raises(InputError, match="'lbfgs' trains from data only"):
        study.prune(epochs=1, sparsity=0.5, optimizer="lbfgs")


def test_methods_of_an_article_name_the_penalty_and_no_epochs():
    recipe = resolve(linear_study())["training"]["standard"]
    assert _recipe("standard", recipe) == "Recipe standard: L-BFGS to convergence, L2 penalty 0.01."


@pytest.mark.parametrize("rows", [tabular, pictures])
def test_categories_and_images_are_encoded_by_block(tmp_path, small_blocks, rows):
    study = Study(tmp_path, rows(), LINEAR)
    first = trained(study, "first")["model"].read_bytes()
    pq.write_table(pq.read_table(study.data["table"]), study.data["table"], row_group_size=13)
    assert trained(study, "again", threads=2)["model"].read_bytes() == first
    blockwise, whole = (linear_model(stored(study), LINEAR, "classification") for _ in range(2))
    stored(study).fit(whole.encoder)
    assert blockwise.signature == dataclasses.replace(Signature.fitted(study.training), task="classification")
    for name in ("mean", "scale"):
        assert np.allclose(getattr(blockwise.encoder, name), getattr(whole.encoder, name), rtol=3e-7, atol=0)


def test_a_full_temporary_folder_is_one_sentence(tmp_path):
    study = Study(tmp_path, as_table(load_breast_cancer()), LINEAR)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be written to .*; free space there, or set TMPDIR"):
            trained(study, "dense")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def cluster():
    """A Dask cluster of one worker in this process."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.comm.require-encryption": False}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None
        ) as started,
    ):
        yield started


def test_bytes_are_equal_on_a_cluster_which_may_be_lost(tmp_path, small_blocks, monkeypatch, cluster):
    study = Study(tmp_path, as_table(load_breast_cancer()), LINEAR)
    local = trained(study, "local")["model"].read_bytes()
    partitions = {"blocks": 1, "scheduler": cluster.scheduler_address}
    assert trained(study, "one", partitions=partitions)["model"].read_bytes() == local
    cluster.scale(2)
    cluster.wait_for_workers(2)
    assert trained(study, "two", partitions=partitions)["model"].read_bytes() == local

    calls, evaluate = [], lbfgs.evaluate

    def lost(*arguments):
        calls.append(1)
        if len(calls) == 3:
            cluster.sync(cluster.scheduler.close)
        return evaluate(*arguments)

    monkeypatch.setattr(lbfgs, "evaluate", lost)
    with pytest.raises(InputError, match=r"^partitions: scheduler: the Dask cluster at tcp://.* was lost .*run again"):
        trained(study, "lost", partitions=partitions)
    assert not Path(study.path("lost.st")).exists()
