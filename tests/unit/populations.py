"""Simulated variants whose true losses are known, by group, row and seed."""

from pathlib import Path

import numpy as np

from fairweight.evaluation.compare import Compared
from fairweight.evaluation.criteria import assess, changes
from fairweight.statistics.rates import Layout

ROOT = Path(__file__).parents[2]
GROUPS = ("a", "b", "c")


def simulated(
    rng, *, rows=1500, seeds=8, harm=(0.0, 0.0, 0.0), churn=0.02, shares=(0.6, 0.3, 0.1), variants=1, seed_sd=0.0
):
    """Simulate a baseline that is right on 85 % of rows, and variants that differ on some rows.

    Args:
        harm: expected loss of accuracy of each group.
        churn: share of rows whose prediction is drawn again, without expected gain or loss.
        seed_sd: spread over seeds of every group's loss, common to all groups.
    """
    labels = rng.integers(2, size=rows)
    groups = rng.choice(3, p=shares, size=rows)
    hard = rng.random(rows)  # a row is as hard for one seed as for another

    def hits(loss):
        noise = rng.normal(0, 0.01, (rows, seeds))
        return hard[:, None] + noise < 0.85 - loss

    def predictions(right):
        return np.where(right, labels[:, None], 1 - labels[:, None])

    base = hits(np.zeros((rows, 1)))
    models = {"dense": (predictions(base), None)}
    for number in range(variants):
        loss = np.array(harm)[groups][:, None] + seed_sd * rng.normal(size=seeds)
        right = hits(loss)
        swapped = rng.random((rows, seeds)) < churn
        even = rng.random((rows, seeds)) < 0.85
        models[f"v{number}"] = (predictions(np.where(swapped, even, right)), None)
    layout = Layout.from_rows(labels, {"g": groups, "class": labels}, {"g": GROUPS, "class": ("0", "1")}, 2)
    return Compared(layout, labels, models, 20)


def compared(study, replicates=400):
    """Comparison rows of every variant, by variant."""
    baselines = dict.fromkeys(study.models, "dense")
    drawn = study.bootstrap(baselines, replicates)
    return {v: study.compare(v, "dense", drawn) for v in study.models if v != "dense"}


def pick(rows, metric, attribute=None, group=None):
    """The only row of a metric and group."""
    matches = [r for r in rows if (r["metric"], r["attribute"], r["group"]) == (metric, attribute, group)]
    assert len(matches) == 1, (metric, attribute, group)
    return matches[0]


def recalls(
    rng,
    sizes,
    loss,
    *,
    seeds=8,
    seed_sd=0.003,
    churn=0.01,
    recall=0.85,
    baseline_loss=None,
    smallest=50,
    by_group=False,
):
    """Simulate a baseline and a variant `v` whose recall of each group and label is known.

    Args:
        sizes: rows of each group.
        loss: what the variant's recall is below `recall`, by group and label (G, 2).
        churn: share of rows whose prediction is drawn again, without expected gain or loss.
        seed_sd: spread of the variant's recall over seeds.
        baseline_loss: the same of the baseline; None is 0.
        by_group: whether each group has a spread of its own.
    """
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = rng.integers(2, size=len(groups))
    hard = rng.random(len(groups))[:, None]  # a row is as hard for one seed as for another

    def hits(below, spread):
        noise = rng.normal(0, 0.01, (len(groups), seeds))
        return hard + noise < recall - np.asarray(below)[groups, labels][:, None] + spread

    base = hits(np.zeros((len(sizes), 2)) if baseline_loss is None else baseline_loss, 0.0)
    spread = seed_sd * rng.normal(size=(len(sizes) if by_group else 1, seeds))[groups * by_group]
    right = hits(loss, spread)
    again = rng.random((len(groups), seeds)) < recall - np.asarray(loss)[groups, labels][:, None] + spread
    right = np.where(rng.random(right.shape) < churn, again, right)
    models = {
        name: (np.where(shown, labels[:, None], 1 - labels[:, None]), None)
        for name, shown in (("dense", base), ("v", right))
    }
    names = tuple(f"g{number}" for number in range(len(sizes)))
    layout = Layout.from_rows(labels, {"g": groups, "class": labels}, {"g": names, "class": ("0", "1")}, 2)
    return Compared(layout, labels, models, smallest)


def compared_variant(study, criteria, replicates=100):
    """Evidence on the criteria of the variant `v` of `recalls`."""
    return assessed(study, criteria, study.compare("v", "dense", study.bootstrap({"v": "dense"}, replicates)))


def assessed(study, criteria, rows):
    """The same, from rows of its comparison."""
    pairs = study.pairs("v", "dense", list(range(study.seeds)))
    return assess(changes(rows, pairs), {}, criteria, ["g"])
