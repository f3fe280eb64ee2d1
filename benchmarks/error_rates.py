"""False positives and power of comparisons and decisions, on simulated variants whose true losses are known.

Run as `python benchmarks/error_rates.py`; it prints two tables. Every trial draws a new test set and new seeds.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))
from populations import compared, pick, simulated

from fairweight.statistics.decision import noninferiority, verdicts
from fairweight.statistics.intervals import gap_by_chance

TRIALS, SEEDS = 300, 8


def rejected(rng: np.random.Generator, rows: int, **truth: object) -> dict[str, float]:
    """Share of trials in which each test rejects at 5 %."""
    rejections: dict[str, list[bool]] = {}
    for _ in range(TRIALS):
        table = compared(simulated(rng, rows=rows, seeds=SEEDS, seed_sd=0.004, **truth), replicates=100)["v0"]
        tests = {
            "accuracy": pick(table, "accuracy")["p_value"],
            "accuracy of group c": pick(table, "accuracy", "g", "c")["p_value"],
            "equalized odds gap": pick(table, "equalized_odds_difference", "g")["p_value"],
            "excess harm": pick(table, "excess_harm", "g")["p_value"],
        }
        for name, p in tests.items():
            rejections.setdefault(name, []).append(p <= 0.05)
    return {name: float(np.mean(hits)) for name, hits in rejections.items()}


def decided(rng: np.random.Generator, loss: float, margin: float, rows: int) -> tuple[float, float, float]:
    """Shares of trials in which any of four variants is proven, the first is proven, and the first is refuted."""
    any_proven, first_proven, first_refuted = 0, 0, 0
    for _ in range(TRIALS):
        study = simulated(rng, rows=rows, seeds=SEEDS, harm=(loss,) * 3, seed_sd=0.004, variants=4)
        tables = compared(study, replicates=100)
        family = []
        for variant, table in tables.items():
            row = pick(table, "accuracy")
            changes = study.values["accuracy", None][0]
            per_seed = changes[study.columns[variant]] - changes[study.columns["dense"]]
            family.append([noninferiority(per_seed, (row["seed_error"], row["row_error"]), rows, margin)])
        of_variants = [verdict for verdict, _ in verdicts(family, 0.05)]
        any_proven += "proven" in of_variants
        first_proven += of_variants[0] == "proven"
        first_refuted += of_variants[0] == "refuted"
    return any_proven / TRIALS, first_proven / TRIALS, first_refuted / TRIALS


def equal_groups(rng: np.random.Generator, gap: float) -> float:
    """Share of trials in which the test calls the largest gap of five groups more than chance."""
    totals, rates = np.array([800, 600, 400, 200, 100]), np.array([0.3, 0.3, 0.3, 0.3, 0.3 + gap])
    return float(np.mean([gap_by_chance(rng.binomial(totals, rates), totals, 500)[1] <= 0.05 for _ in range(TRIALS)]))


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    error = np.sqrt(0.05 * 0.95 / TRIALS)
    print(f"{TRIALS} trials each, {SEEDS} seeds; a share of 0.05 has a standard error of {error:.3f}")
    print("\nfalse positives at 5 % (equal variants, equal groups)")
    for rows in (800, 3000):
        print(f"  {rows} rows:", ", ".join(f"{name} {share:.3f}" for name, share in rejected(rng, rows).items()))
    print(f"  five equal groups, one model: {equal_groups(rng, 0.0):.3f}")
    print(f"  any of 4 variants exactly at the margin called proven: {decided(rng, 0.02 / 0.98, 0.02, 3000)[0]:.3f}")
    print("\npower")
    for loss in (0.02, 0.04, 0.08):
        shares = rejected(rng, 3000, harm=(0.0, 0.0, loss))
        print(f"  group c (10 %) loses {100 * loss:g} points:", ", ".join(f"{n} {s:.2f}" for n, s in shares.items()))
    for gap in (0.05, 0.1, 0.2):
        print(f"  one of five groups {100 * gap:g} points apart, one model: {equal_groups(rng, gap):.2f}")
    for loss in (0.0, 0.01, 0.03, 0.05):
        _, proven, refuted = decided(rng, loss, 0.02, 3000)
        print(f"  loss of {100 * loss:g} points, margin 2: proven {proven:.2f}, refuted {refuted:.2f}")


if __name__ == "__main__":
    main()
