"""False positives and power of non-inferiority of losses, on simulated variants whose mean loss is known.

Run as `python benchmarks/error_rates_of_losses.py [trials]`. Every trial draws new rows and seeds. A variant that loses
exactly the margin must be called proven in at most 5 % of the trials; one that loses nothing should be.
"""

import sys

import numpy as np

from fairweight.statistics.loss_changes import LossChange, Moments

TRIALS, MARGIN, ERROR_RATE = 400, 0.05, 0.05
ROWS, SEEDS = (50, 100, 200, 1_000), (1, 5, 8)
# kind of losses -> mean loss of a row
MEANS = {"normal": np.sqrt(2 / np.pi), "lognormal": np.exp(0.5), "squared": 1.0, "t5 squared": 5 / 3, "rare": 0.0}
MEANS["rare"] = MEANS["normal"]  # all of the harm is in 2 % of the rows
RARE = 0.02


def losses(rng: np.random.Generator, rows: int, kind: str) -> np.ndarray:
    """Losses of n rows with the baseline (n,)."""
    if kind == "lognormal":
        return rng.lognormal(size=rows)
    if kind == "t5 squared":
        return rng.standard_t(5, size=rows) ** 2
    normal = rng.normal(size=rows)
    return normal**2 if kind == "squared" else np.abs(normal)


def change(rng: np.random.Generator, rows: int, seeds: int, kind: str, loss: float) -> LossChange:
    """One simulated comparison of a variant whose mean loss is larger by `loss`."""
    rows_before, mean = losses(rng, rows, kind), MEANS[kind]
    before = rows_before[:, None] * (1 + 0.05 * rng.normal(size=(rows, seeds)))
    if kind == "rare":
        harm = (rng.random(rows) < RARE) * loss / RARE
    else:
        harm = loss * rows_before / mean * rng.exponential(size=rows)
    of_seeds = 0.01 * mean * rng.normal(size=seeds) * (seeds > 1)  # one model is judged by itself
    after = before + harm[:, None] + of_seeds + 0.1 * rng.normal(size=(rows, seeds))
    return LossChange(before.mean(0), after.mean(0), Moments.of_rows(before.mean(1), after.mean(1)))


def proven(rows: int, seeds: int, kind: str, share: float, trials: int, *, relative: bool) -> float:
    """Share of trials in which a variant that loses this share of the margin is called proven."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(trials):
        simulated = change(rng, rows, seeds, kind, share * MARGIN * MEANS[kind])
        test = (0.0, -(1 + MARGIN), 1.0) if relative else (MARGIN * MEANS[kind], -1.0, 1.0)
        hits += simulated.below(*test).proven <= ERROR_RATE
    return hits / trials


def main() -> None:
    """Print the shares of proven variants, in percent: absolute and relative margin, and power."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    headings = f"{'loses the margin: absolute':>27} {'relative':>9} {'loses nothing':>14}"
    print(f"{'losses':12} {'seeds':>5} {'rows':>6} {headings}")
    for kind in MEANS:
        for seeds in SEEDS:
            for rows in ROWS:
                wrong = [100 * proven(rows, seeds, kind, 1.0, trials, relative=relative) for relative in (False, True)]
                right = 100 * proven(rows, seeds, kind, 0.0, trials, relative=True)
                print(f"{kind:12} {seeds:5} {rows:6,} {wrong[0]:27.1f} {wrong[1]:9.1f} {right:14.1f}", flush=True)


if __name__ == "__main__":
    main()
