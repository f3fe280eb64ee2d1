"""Guards: constant and majority-level models, seeds that diverged, and variants equal to their baseline."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from fairweight.evaluation.guards import applied, guard_table
from fairweight.evaluation.per_model import FingerprintReader, Fingerprints, model_rows

PLACE = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}
CRITERIA = {"error_rate": 0.05}
DENSE, SMALL = ("none", "dense"), ("none", "small")
NODES = {DENSE: DENSE, SMALL: DENSE}
LABELS = np.repeat([0, 1], [90, 210])  # 70 % are good
CLASSES = ("bad", "good")
SIZES = {"dense": 1000.0, "small": 250.0}


def right_on(hits, labels=LABELS, seed=0):
    """Predictions (n,) of which this number is right, the others another class."""
    wrong = np.random.default_rng(seed).permutation(len(labels))[hits:]
    predictions = labels.copy()
    predictions[wrong] = (labels[wrong] + 1) % (labels.max() + 1)
    return predictions


def scores_of(predictions, classes=2):
    return np.eye(classes, dtype=np.float32)[predictions] * 0.8 + 0.1


def kept_of(predictions, scores, block=70):
    """What is kept of probabilities (n, K, classes), read in blocks."""
    seeds = []
    for seed in range(predictions.shape[1]):
        reader = FingerprintReader()
        for start in range(0, len(predictions), block):
            rows = slice(start, start + block)
            reader.add(predictions[rows, seed], scores[rows, seed])
        seeds.append(reader.fingerprints)
    return predictions, Fingerprints.joined(seeds)


def models_of(by_variant, labels=LABELS, classes=CLASSES, simple=None, **place):
    """The table of what models predict, from predictions (K, n) of each variant."""
    models = {
        ("none", name): kept_of(np.stack(seeds, axis=1), scores_of(np.stack(seeds, axis=1), len(classes)), 70 + number)
        for number, (name, seeds) in enumerate(by_variant.items())
    }
    seeds = list(range(len(next(iter(by_variant.values())))))
    return pd.DataFrame(model_rows(models, NODES, labels, classes, seeds, simple)).assign(**PLACE | place)


def measures_of(sizes=SIZES):
    rows = [PLACE | {"variant": v, "measure": name, "value": size} for v, size in sizes.items() for name in BYTES]
    return pd.DataFrame(rows, columns=[*PLACE, "variant", "measure", "value"])


BYTES = ("size_bytes", "transfer_bytes")
GOOD = [right_on(255, seed=seed) for seed in range(8)]  # 85 %
FINE = [right_on(252, seed=seed) for seed in range(20, 28)]
CONSTANT = np.ones_like(LABELS)


def guards_of(models, sizes=SIZES, criteria=CRITERIA):
    return guard_table(models, measures_of(sizes), NODES, criteria)


def reasons(table, variant):
    return {row["guard"]: row["reason"] for row in table.to_dict("records") if row["variant"] == variant}


def decided(table, verdict="proven", reason=None):
    """Verdict and reason of the variant after the guards."""
    frame = pd.DataFrame([{**PLACE, "variant": "small", "verdict": verdict, "p_value": 0.01, "reason": reason}])
    (row,) = applied(frame, table, NODES).to_dict("records")
    assert row["p_value"] == 0.01
    return row["verdict"], row["reason"]


def test_good_models_have_no_guard_and_their_decision_does_not_change():
    table = guards_of(models_of({"dense": GOOD, "small": FINE}))
    assert table.empty
    frame = pd.DataFrame([{**PLACE, "variant": "small", "verdict": "proven", "p_value": 0.01, "reason": None}])
    assert applied(frame, table, NODES) is frame


def test_a_constant_classifier_in_every_seed_is_no_reference():
    table = guards_of(models_of({"dense": [CONSTANT] * 8, "small": [CONSTANT] * 8}))
    assert reasons(table, "dense") == {
        "one_class": "in all 8 seeds, one class (good) is predicted for all 300 test rows"
    }
    verdict, reason = decided(table)
    assert verdict == "undecided"
    assert reason == (
        "the baseline dense is too weak to compare with: "
        "in all 8 seeds, one class (good) is predicted for all 300 test rows"
    )


def test_one_constant_seed_of_eight_is_enough_in_a_variant_or_in_a_baseline():
    spoilt = [*GOOD[:3], CONSTANT, *GOOD[4:]]
    of_variant = guards_of(models_of({"dense": GOOD, "small": spoilt}))
    assert reasons(of_variant, "small") == {
        "one_class": "in seed 3 (1 of 8), one class (good) is predicted for all 300 test rows"
    }
    assert reasons(of_variant, "dense") == {}
    assert decided(of_variant)[0] == "undecided"
    assert decided(of_variant, "refuted", "accuracy is refuted") == (
        "refuted",
        "in seed 3 (1 of 8), one class (good) is predicted for all 300 test rows; accuracy is refuted",
    )
    of_baseline = guards_of(models_of({"dense": spoilt, "small": FINE}))
    assert decided(of_baseline, "refuted", "accuracy is refuted")[0] == "undecided"


@pytest.mark.parametrize(
    ("hits", "seeds", "guarded"), [(223, 1, True), (224, 1, False), (210, 8, True), (216, 8, True), (230, 8, False)]
)
def test_accuracy_at_the_level_of_the_majority(hits, seeds, guarded):
    """P(Binomial(300, 0.7) >= 223) = 0.054 and P(... >= 224) = 0.041 (scipy.stats.binomtest)."""
    level = [right_on(hits, seed=seed) for seed in range(seeds)]
    table = guards_of(models_of({"dense": level, "small": [*FINE[:seeds]]}))
    assert set(reasons(table, "dense")) == ({"majority"} if guarded else set())
    if guarded:
        assert "70 % of always predicting 'good'" in reasons(table, "dense")["majority"]
        assert "exact binomial test of 300 test rows" in reasons(table, "dense")["majority"]


def test_one_seed_at_the_level_of_the_majority_is_named():
    level = [right_on(209), *(right_on(232, seed=seed) for seed in range(1, 8))]
    table = guards_of(models_of({"dense": level, "small": FINE}))
    assert "in seed 0 (1 of 8), the accuracy is 69.7 %, not above the 70 % of" in reasons(table, "dense")["majority"]


def test_a_seed_that_diverged_is_named_and_ordinary_spread_is_none():
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=2000)
    names = tuple("abcdefghij")
    good = [right_on(int(1800 + 20 * rng.normal()), labels, seed) for seed in range(8)]
    assert guards_of(models_of({"dense": good, "small": good[::-1]}, labels, names)).empty
    good[5] = right_on(900, labels, 5)
    reason = reasons(guards_of(models_of({"dense": good, "small": good[::-1]}, labels, names)), "dense")
    assert set(reason) == {"diverged"}
    assert reason["diverged"].startswith("in seed 5 (1 of 8), training diverged: the accuracy is 45 %, the median")


def test_probabilities_that_are_no_numbers_are_divergence():
    scores = scores_of(np.stack(GOOD, axis=1))
    scores[3, 2, 0] = np.nan
    models = {DENSE: kept_of(np.stack(GOOD, axis=1), scores), SMALL: (np.stack(FINE, axis=1), None)}
    table = pd.DataFrame(model_rows(models, NODES, LABELS, CLASSES, list(range(8)))).assign(**PLACE)
    assert "in seed 2 (1 of 8), training diverged: probabilities" in reasons(guards_of(table), "dense")["diverged"]


def test_the_same_function_in_a_file_that_is_not_smaller_is_no_compression():
    models = models_of({"dense": GOOD, "small": GOOD})
    assert guards_of(models).empty  # a smaller file with the same predictions is what everyone wants
    table = guards_of(models, {"dense": 1000.0, "small": 999.0})
    assert set(reasons(table, "small")) == {"same"} and reasons(table, "dense") == {}
    assert decided(table)[0] == "undecided" and "nothing is compressed" in decided(table)[1]
    given = reasons(guards_of(models, {}), "small")  # given scores have no file
    assert set(given) == {"same"} and "file" not in given["same"]
    other = [GOOD[0] ^ (np.arange(300) == 7), *GOOD[1:]]  # one row of one seed
    assert guards_of(models_of({"dense": GOOD, "small": other}), {"dense": 1.0, "small": 1.0}).empty


def test_classes_that_are_never_predicted_are_named_and_block_nothing():
    """12 classes, 4 of which are predicted, at 41.9 % against a majority of 38 %."""
    labels = np.repeat(np.arange(12), [380, *[56] * 10, 60])
    names = tuple("abcdefghijkl")
    predictions = np.zeros_like(labels)
    predictions[380:423] = 1  # 39 more hits among the classes b, c and d
    predictions[436:460], predictions[492:500] = 2, 3
    predictions[labels == 1] = np.where(np.arange(56) < 43, 1, 0)
    table = guards_of(models_of({"dense": [predictions], "small": [predictions]}, labels, names))
    assert reasons(table, "dense") == {"classes": "never predicted: e, f, g, h, i and 3 more"}
    assert not table["blocks"].any() and decided(table) == ("proven", None)


def test_a_guard_that_the_study_leaves_out_is_reported_and_decides_nothing():
    models = models_of({"dense": [CONSTANT] * 8, "small": [CONSTANT] * 8})
    table = guards_of(models, criteria=CRITERIA | {"guards": ["diverged"]})
    assert len(table) == 2 and not table["blocks"].any() and decided(table) == ("proven", None)


def differing(simple, gained, lost, labels=LABELS):
    """Predictions that are right on `gained` of the rows that a simple model gets wrong, and wrong on `lost` others."""
    predictions = simple.copy()
    predictions[np.flatnonzero(simple != labels)[:gained]] = labels[np.flatnonzero(simple != labels)[:gained]]
    wrong = np.flatnonzero(simple == labels)[:lost]
    predictions[wrong] = (labels[wrong] + 1) % (labels.max() + 1)
    return predictions


SIMPLE = right_on(255)  # 85 % of 300


@pytest.mark.parametrize(
    ("gained", "lost", "guarded"),
    [(2, 11, True), (3, 11, True), (4, 12, True), (4, 11, False), (0, 4, False), (0, 5, True), (20, 20, False)],
)
def test_one_model_that_is_clearly_worse_than_the_simple_one(gained, lost, guarded):
    """scipy.stats.binomtest(gained, gained + lost, alternative="less"): .011, .029, .038, .059, .0625, .031, .56."""
    table = guards_of(models_of({"dense": [differing(SIMPLE, gained, lost)], "small": [SIMPLE]}, simple=SIMPLE))
    assert set(reasons(table, "dense")) == ({"simple_model"} if guarded else set())
    assert reasons(table, "small") == {}  # as good as the simple model is no fault
    assert decided(table)[0] == ("undecided" if guarded else "proven")


def test_the_reason_names_both_accuracies_and_the_tests():
    seeds = [differing(SIMPLE, 2, lost) for lost in (20, 21, 19, 20, 22, 18, 20, 20)]
    table = guards_of(models_of({"dense": [SIMPLE] * 8, "small": seeds}, simple=SIMPLE))
    assert reasons(table, "small")["simple_model"] == (
        "the accuracy of 79 %, the mean of 8 seeds, is below the 85 % of a logistic regression of the same inputs "
        "(p = 0.0039, exact McNemar test of 300 test rows and sign-flip test of 8 seeds)"
    )
    assert decided(table, "refuted", "accuracy is refuted")[0] == "refuted"


def test_seeds_of_which_half_are_better_are_not_worse_than_the_simple_model():
    seeds = [differing(SIMPLE, 0, 60)] * 3 + [differing(SIMPLE, 5, 0)] * 5
    assert "simple_model" not in reasons(guards_of(models_of({"dense": seeds, "small": GOOD}, simple=SIMPLE)), "dense")


@pytest.mark.parametrize(("margin", "guarded"), [(0.05, False), (0.03, True), (None, True)])
def test_a_loss_that_the_study_accepts_is_no_fault(margin, guarded):
    """12 of 300 rows are 4 points."""
    models = models_of({"dense": [differing(SIMPLE, 0, 12)], "small": [SIMPLE]}, simple=SIMPLE)
    table = guards_of(models, criteria=CRITERIA | {"margins": {"accuracy": margin}})
    assert set(reasons(table, "dense")) == ({"simple_model"} if guarded else set())


def test_without_a_simple_model_nothing_is_compared_with_it():
    models = models_of({"dense": [differing(SIMPLE, 0, 12)], "small": [SIMPLE]})
    assert guards_of(models).empty


@pytest.mark.parametrize("seeds", [1, 4, 8])
def test_models_as_good_as_the_simple_one_are_guarded_no_more_often_than_the_error_rate(seeds):
    """300 studies in which every model is right with the same probability, on the same easy and hard rows."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        easy = rng.random(300) < 0.7
        right = easy | (rng.random((seeds + 1, 300)) < 0.4)
        models = [np.where(of_seed, LABELS, 1 - LABELS) for of_seed in right]
        table = guards_of(models_of({"dense": models[1:], "small": models[1:]}, simple=models[0]), {"dense": 2.0})
        alarms += "simple_model" in reasons(table, "dense")
    assert alarms / 300 <= 0.06


@pytest.mark.parametrize(("caught", "alarms", "guarded"), [(20, 60, False), (2, 60, True), (0, 0, False)])
def test_accuracy_that_is_given_up_for_a_rare_class_is_no_fault(caught, alarms, guarded):
    """30 of 600 rows are rare, of which the simple model finds 10; a threshold finds more, with false alarms."""
    labels = np.repeat([0, 1], [570, 30])
    simple = np.where(np.arange(600) >= 590, 1, 0)
    predictions = np.where((np.arange(600) < alarms) | (np.arange(600) >= 590 - caught), 1, 0)
    if guarded:  # as many alarms, and fewer of the rare rows
        predictions[590 - caught + 2 :] = 0
    models = models_of({"dense": [predictions], "small": [simple]}, labels, simple=simple)
    assert ("simple_model" in reasons(guards_of(models), "dense")) == guarded


def test_the_mean_recall_is_the_balanced_accuracy_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels, simple, predictions = (rng.integers(4, size=200) for _ in range(3))
    (row,) = model_rows({DENSE: (predictions[:, None], None)}, {}, labels, tuple("abcd"), [0], simple)
    gained = balanced_accuracy_score(labels, predictions) - balanced_accuracy_score(labels, simple)
    assert row["simple_recall"] == pytest.approx(gained)
    assert row["simple_gained"] - row["simple_lost"] == row["hits"] - (simple == labels).sum()
