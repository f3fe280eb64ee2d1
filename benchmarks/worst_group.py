"""How often a variant whose worst group loses exactly the margin is called proven, by rule for small samples.

Run as `python benchmarks/worst_group.py [trials] [seeds ...]`; prints a table of shares at 5 %.  41 groups of Adult's
size: 50 to 1,300 rows, the same rows for every seed.  A rule says which group's rows the allowance for changes that the
sample happens not to show rests on, and the degrees of freedom with it:

* none: no allowance;
* seen: the smallest group that is the worst in a seed, of the variant or its baseline;
* may be: the smallest group that is the worst in a replicate of the rows, too;
* any: the smallest ranked group, worst or not.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairweight.statistics.comparison import change
from fairweight.statistics.crossed import resampled
from fairweight.statistics.decision import noninferiority

SIZES = np.geomspace(50, 1300, 41).astype(int)  # the default `smallest_group` and up
RULES = ("none", "seen", "may be", "any")
MARGIN, REPLICATES = 0.02, 300
SPREAD = np.linspace(0.97, 0.8, 41)  # the larger the group, the more errors: the smallest are far from the worst


def scenarios() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Accuracy of each group, and its loss; the lowest accuracy falls by exactly the margin."""
    nothing, smallest, tenth = np.zeros(41), np.arange(41) == 0, np.arange(41) == 10
    alike = np.full(41, 0.85)
    behind = np.where(smallest, 0.75, 0.88)
    hidden = np.where(smallest, SPREAD.min(), SPREAD)
    return {
        "smallest is the worst, loses": (behind, nothing + MARGIN * smallest),
        "all alike, smallest loses": (alike, nothing + MARGIN * smallest),
        "all alike, tenth loses": (alike, nothing + MARGIN * tenth),
        "all alike, all lose": (alike, nothing + MARGIN),
        "all alike, those below 100 lose": (alike, nothing + MARGIN * (SIZES < 100)),
        "spread, smallest ties and loses": (hidden, nothing + MARGIN * smallest),
        "spread, smallest falls 19 points": (SPREAD, nothing + (SPREAD[0] - SPREAD[-1] + MARGIN) * smallest),
        "spread, largest loses": (SPREAD, nothing + MARGIN * (np.arange(41) == 40)),
        "no loss at all (power)": (SPREAD, nothing),
    }


def trial(
    rng: np.random.Generator, accuracy: np.ndarray, loss: np.ndarray, seeds: int, churn: float, seed_sd: float
) -> list[bool]:
    """Whether each rule calls one variant proven."""
    groups = np.repeat(np.arange(41), SIZES)
    hard = rng.random(len(groups))[:, None]  # a row is as hard for one seed as for another
    base = hard + rng.normal(0, 0.01, (len(groups), seeds)) < accuracy[groups, None]
    share = (accuracy - loss)[groups, None] + seed_sd * rng.normal(size=seeds)
    variant = hard + rng.normal(0, 0.01, base.shape) < share
    variant = np.where(rng.random(base.shape) < churn, rng.random(base.shape) < share, variant)
    marks = np.concatenate([variant, base], axis=1)
    shown = np.add.reduceat(marks.astype(float), np.cumsum(SIZES) - SIZES) / SIZES[:, None]
    tallies = next(resampled(groups, marks, 41, replicates=REPLICATES, rng=rng))
    drawn = tallies.marked / np.maximum(tallies.rows, 1)[..., None]
    lowest, replicated = shown.min(axis=0), drawn.min(axis=0)
    per_seed = lowest[:seeds] - lowest[seeds:]
    variance = float(np.var((replicated[:, :seeds] - replicated[:, seeds:]).mean(axis=1), ddof=1))
    seen = np.unique(shown.argmin(axis=0))
    may_be = np.union1d(seen, drawn.argmin(axis=0))
    found = []
    for rule, rows in zip(RULES, (SIZES[seen].min(), SIZES[seen].min(), SIZES[may_be].min(), SIZES.min()), strict=True):
        row = change(per_seed, lowest[seeds:], variance, int(rows), unseen=float(rule != "none"))
        p = noninferiority(per_seed, (row["seed_error"], row["row_error"]), int(rows), MARGIN).proven
        found.append(p <= 0.05)
    return found


def main() -> None:
    """Print the table."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"{trials} trials; a share of 0.05 has a standard error of {np.sqrt(0.05 * 0.95 / trials):.3f}")
    print("seeds churn seed_sd  " + "  ".join(f"{rule:>6}" for rule in RULES))
    for seeds in [int(s) for s in sys.argv[2:]] or [3, 6, 8]:
        for churn, seed_sd in ((0.02, 0.003), (0.002, 0.0005)):
            for name, (accuracy, loss) in scenarios().items():
                rng = np.random.default_rng(0)
                hits = np.mean([trial(rng, accuracy, loss, seeds, churn, seed_sd) for _ in range(trials)], axis=0)
                print(f"{seeds:5} {churn:5} {seed_sd:7}  " + "  ".join(f"{h:6.3f}" for h in hits), name, flush=True)


if __name__ == "__main__":
    main()
