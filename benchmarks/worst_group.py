"""Share of variants called proven that lose exactly the margin, by rule for small samples.

What loses the margin is the accuracy of the worst group, or the gap between the best and the worst group.

Run as `python benchmarks/worst_group.py [trials] [seeds ...]`. It prints a table of shares at 5 % (fewer than 5 seeds
prove nothing), and the power by the rows of the smallest group. There are 41 groups of Adult's size, 50 to 1,300 rows,
the same rows for every seed. Decisions allow for changes that the sample happens not to show. A rule says which group's
rows this allowance and the degrees of freedom rest on:

* none: no allowance;
* seen: the smallest group that is the worst (or best) in a seed, of the variant or its baseline;
* may be: as `seen`, or the worst (or best) in a replicate of the rows;
* any: the smallest ranked group, worst or not.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairweight.statistics.comparison import change
from fairweight.statistics.crossed_uncertainty import resampled
from fairweight.statistics.decision import noninferiority

GROUPS, LARGEST = 41, 1300
SMALLEST = (50, 100, 200, 400)  # rows of the smallest group; 50 is the default `smallest_group`
RULES = ("none", "seen", "may be", "any")
MARGIN, REPLICATES = 0.02, 300
SPREAD = np.linspace(0.97, 0.8, GROUPS)  # larger groups have more errors: the smallest are far from the worst


@dataclass(frozen=True)
class Statistic:
    """What is tested.

    `value` maps accuracies (..., groups, models) to (..., models), better when larger; `groups` are those that set it.
    """

    name: str
    value: Callable[[np.ndarray], np.ndarray]
    groups: Callable[[np.ndarray], np.ndarray]
    unseen: int  # number of groups whose unseen changes may move it


STATISTICS = (
    Statistic("worst", lambda a: a.min(axis=-2), lambda a: a.argmin(axis=-2).ravel(), 1),
    Statistic(
        "gap",
        lambda a: a.min(axis=-2) - a.max(axis=-2),
        lambda a: np.concatenate([a.argmin(axis=-2).ravel(), a.argmax(axis=-2).ravel()]),
        2,
    ),
)


def sized(smallest: int) -> np.ndarray:
    """Rows of each group, the smallest first."""
    return np.geomspace(smallest, LARGEST, GROUPS).astype(int)


def scenarios(sizes: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Accuracy of each group, and its loss; the lowest accuracy falls by exactly the margin."""
    nothing, smallest, tenth = np.zeros(GROUPS), np.arange(GROUPS) == 0, np.arange(GROUPS) == 10
    alike = np.full(GROUPS, 0.85)
    behind = np.where(smallest, 0.75, 0.88)
    hidden = np.where(smallest, SPREAD.min(), SPREAD)
    return {
        "smallest is the worst, loses": (behind, nothing + MARGIN * smallest),
        "all alike, smallest loses": (alike, nothing + MARGIN * smallest),
        "all alike, tenth loses": (alike, nothing + MARGIN * tenth),
        "all alike, all lose (power of the gap)": (alike, nothing + MARGIN),
        "all alike, those below 100 lose": (alike, nothing + MARGIN * (sizes < 100)),
        "spread, smallest ties and loses": (hidden, nothing + MARGIN * smallest),
        "spread, smallest falls 19 points": (SPREAD, nothing + (SPREAD[0] - SPREAD[-1] + MARGIN) * smallest),
        "spread, largest loses": (SPREAD, nothing + MARGIN * (np.arange(GROUPS) == GROUPS - 1)),
        "no loss at all (power of both)": (SPREAD, nothing),
    }


def models(
    rng: np.random.Generator,
    sizes: np.ndarray,
    accuracy: np.ndarray,
    loss: np.ndarray,
    seeds: int,
    churn: float,
    seed_sd: float,
) -> np.ndarray:
    """Which rows a variant gets right, then which its baseline does: (n, 2 * seeds)."""
    groups = np.repeat(np.arange(GROUPS), sizes)
    hard = rng.random(len(groups))[:, None]  # a row is as hard for one seed as for another
    base = hard + rng.normal(0, 0.01, (len(groups), seeds)) < accuracy[groups, None]
    share = (accuracy - loss)[groups, None] + seed_sd * rng.normal(size=seeds)
    variant = hard + rng.normal(0, 0.01, base.shape) < share
    variant = np.where(rng.random(base.shape) < churn, rng.random(base.shape) < share, variant)
    return np.concatenate([variant, base], axis=1)


def proven(sizes: np.ndarray, shown: np.ndarray, drawn: np.ndarray, statistic: Statistic) -> list[bool]:
    """Whether each rule calls the variant proven.

    Args:
        sizes: rows of each group (41,).
        shown: accuracy of each group and model (41, 2 * seeds), those of the variant first.
        drawn: the same in replicates of the rows (replicates, 41, 2 * seeds).
        statistic: what is tested.
    """
    seeds = shown.shape[1] // 2
    observed, replicated = statistic.value(shown), statistic.value(drawn)
    per_seed = observed[:seeds] - observed[seeds:]
    variance = float(np.var((replicated[:, :seeds] - replicated[:, seeds:]).mean(axis=1), ddof=1))
    seen = np.unique(statistic.groups(shown))
    may_be = np.union1d(seen, statistic.groups(drawn))
    verdicts = []
    for rule, rows in zip(RULES, (sizes[seen].min(), sizes[seen].min(), sizes[may_be].min(), sizes.min()), strict=True):
        unseen = float(rule != "none") * statistic.unseen
        row = change(per_seed, observed[seeds:], variance, int(rows), metric=statistic.name, unseen=unseen)
        p = noninferiority(per_seed, (row["seed_error"], row["row_error"]), int(rows), MARGIN).proven
        verdicts.append(p <= 0.05)
    return verdicts


def trial(rng: np.random.Generator, sizes: np.ndarray, seeds: int, *scenario: Any) -> list[list[bool]]:
    """Whether each rule calls one variant proven, by each statistic."""
    accuracy, loss, churn, seed_sd = scenario
    marks = models(rng, sizes, accuracy, loss, seeds, churn, seed_sd)
    shown = np.add.reduceat(marks.astype(float), np.cumsum(sizes) - sizes) / sizes[:, None]
    groups = np.repeat(np.arange(GROUPS), sizes)
    tallies = next(resampled(groups, marks, GROUPS, replicates=REPLICATES, rng=rng))
    drawn = np.moveaxis(tallies.marked / np.maximum(tallies.rows, 1)[..., None], 0, 1)
    return [proven(sizes, shown, drawn, statistic) for statistic in STATISTICS]


def line(trials: int, smallest: int, seeds: int, *noise: float, name: str) -> None:
    """Print how often each rule calls the variant of one scenario proven."""
    sizes, rng = sized(smallest), np.random.default_rng(0)
    accuracy, loss = scenarios(sizes)[name]
    hits = np.mean([trial(rng, sizes, seeds, accuracy, loss, *noise) for _ in range(trials)], axis=0)
    columns = "   ".join(
        " " * len(f"{statistic.name}: ") + " ".join(f"{share:6.3f}" for share in shares)
        for statistic, shares in zip(STATISTICS, hits, strict=True)
    )
    print(f"{smallest:8} {seeds:5} {noise[0]:5} {noise[1]:7}  {columns}  {name}", flush=True)


def main() -> None:
    """Print the table of errors, and that of power by the rows of the smallest group."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"{trials} trials; a share of 0.05 has a standard error of {np.sqrt(0.05 * 0.95 / trials):.3f}")
    print(
        "smallest seeds churn seed_sd  "
        + "   ".join(f"{statistic.name}: " + " ".join(f"{r:>6}" for r in RULES) for statistic in STATISTICS)
    )
    *losing, power = scenarios(sized(SMALLEST[0]))
    for seeds in [int(s) for s in sys.argv[2:]] or [5, 6, 8]:
        for noise in ((0.02, 0.003), (0.002, 0.0005)):
            for name in losing:
                line(trials, SMALLEST[0], seeds, *noise, name=name)
            for smallest in SMALLEST:
                line(trials, smallest, seeds, *noise, name=power)


if __name__ == "__main__":
    main()
