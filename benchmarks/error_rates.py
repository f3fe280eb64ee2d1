"""False positives and power of criteria, comparisons and decisions, on simulated variants whose true losses are known.

Run as `python benchmarks/error_rates.py [trials]`; it prints three tables. Every trial draws a new test set and new
seeds. In the table of criteria, "old" is the rule before intersection-union tests: one test of the change of the lowest
accuracy, or of the equalized odds gap, which takes the larger of two gaps. It had no verdict on one model.
"""

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))
from populations import assessed, compared, pick, recalls, simulated

from fairweight.evaluation.compare import Compared
from fairweight.statistics.comparison import ComparisonRow
from fairweight.statistics.decision import noninferiority, verdicts
from fairweight.statistics.intervals import gap_by_chance

TRIALS, SEEDS, ERROR_RATE = 400, 8, 0.05
SMALLEST = (
    50,
    100,
    200,
    400,
)  # rows of the smallest group that a rate is a share of; 50 is the default `smallest_group`
MARGINS = {"accuracy": 0.01, "worst_group_accuracy": 0.02, "fairness_gap": 0.05}
OLD = {"worst_group_accuracy": "worst_group_accuracy", "fairness_gap": "equalized_odds_difference"}


class Scenario(NamedTuple):
    """A planted loss: relative sizes of the groups, and what each loses of its recall of labels 0 and 1 in margins.

    `behind` is how far the baseline's recall of each is below 85 %, as a share.
    """

    name: str
    criterion: str
    sizes: tuple[int, ...]
    loss: tuple[tuple[float, float], ...]
    behind: tuple[tuple[float, float], ...] | None = None


KEEPS, LOSES, LOSES_TPR, LOSES_TNR = (0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)
SCENARIOS = (
    Scenario("accuracy", "accuracy", (2, 4), (LOSES, LOSES)),
    Scenario(
        "W1 one clearly worst group loses",
        "worst_group_accuracy",
        (1, 4, 4),
        (LOSES, KEEPS, KEEPS),
        ((0.1, 0.1), KEEPS, KEEPS),
    ),
    Scenario("W2 two equal groups, one loses", "worst_group_accuracy", (1, 1), (LOSES, KEEPS)),
    Scenario("W3 four equal groups, one loses", "worst_group_accuracy", (1, 1, 1, 1), (LOSES, KEEPS, KEEPS, KEEPS)),
    Scenario("W4 four equal groups, all lose", "worst_group_accuracy", (1, 1, 1, 1), (LOSES,) * 4),
    Scenario("G2 two groups, TPR falls in one", "fairness_gap", (2, 8), (LOSES_TPR, KEEPS)),
    Scenario("G3 three groups, FPR rises in one", "fairness_gap", (2, 8, 8), (LOSES_TNR, KEEPS, KEEPS)),
    Scenario("G4 four equal groups, TPR falls in one", "fairness_gap", (2, 2, 2, 2), (LOSES_TPR, *(KEEPS,) * 3)),
    Scenario(
        "G5 TPR falls behind a larger FPR gap", "fairness_gap", (2, 8), (LOSES_TPR, KEEPS), ((0.0, 0.0), (0.2, 0.0))
    ),
)


def criteria_of(criterion: str) -> dict[str, object]:
    """Criteria of a study that states one margin."""
    margins = dict.fromkeys(("accuracy", "group_accuracy", "worst_group_accuracy", "fairness_gap"))
    margins = margins | {criterion: MARGINS[criterion]}
    return {"error_rate": ERROR_RATE, "margins": margins, "gap": None, "untested": "report", "ceilings": {}}


def old_rule(study: Compared, criterion: str, rows: list[ComparisonRow]) -> bool:
    """Whether the rule before proves a variant: the change of one plug-in statistic."""
    if criterion == "accuracy" or study.seeds < 2:
        return False
    row = pick(rows, OLD[criterion], "g")
    changes = study.values[OLD[criterion], "g"]
    sign = 1 if criterion == "worst_group_accuracy" else -1
    per_seed = sign * (changes[study.columns["v"]] - changes[study.columns["dense"]])
    errors = (row["seed_error"], row["row_error"])
    return noninferiority(per_seed, errors, row["denominator"], MARGINS[criterion]).proven <= ERROR_RATE


def one_scenario(job: tuple[Scenario, int, int, bool, int]) -> tuple[float, float]:
    """Shares of trials that the old and the new rule call proven."""
    scenario, smallest, seeds, planted, trials = job
    rng = np.random.default_rng(smallest)
    sizes = [size * smallest for size in scenario.sizes]
    behind = np.zeros((len(sizes), 2)) if scenario.behind is None else np.array(scenario.behind)
    loss = behind + planted * MARGINS[scenario.criterion] * np.array(scenario.loss)
    old, new = 0, 0
    for _ in range(trials):
        study = recalls(rng, sizes, loss, seeds=seeds, baseline_loss=behind, smallest=min(SMALLEST) // 2)
        rows = study.compare("v", "dense", study.bootstrap({"v": "dense"}, 100))
        old += old_rule(study, scenario.criterion, rows)
        new += assessed(study, criteria_of(scenario.criterion), rows).evidence.proven <= ERROR_RATE
    return old / trials, new / trials


def table_of_criteria(run: Callable[..., list[tuple[float, float]]], trials: int) -> bool:
    """Print how often each rule calls a variant proven that loses exactly the margin, and one that loses nothing.

    Returns:
        Whether the new rule keeps the error rate everywhere, within two standard errors.
    """
    jobs = [
        (scenario, smallest, seeds, planted, trials if planted else trials // 4)
        for seeds in (SEEDS, 1)
        for scenario in SCENARIOS
        for smallest in SMALLEST
        for planted in (True, False)
    ]
    shares = iter(run(one_scenario, jobs, chunksize=1))
    error = np.sqrt(ERROR_RATE * (1 - ERROR_RATE) / trials)
    print(f"\ncriteria: called proven at {ERROR_RATE:.0%}, {trials} trials (standard error of 5 %: {error:.3f})")
    print(f"{'seeds':>5}  {'scenario':<40}{'rows':>5}   loss at the margin: old   new    no loss: old   new")
    kept = True
    for scenario, smallest, seeds, planted, _ in jobs:
        old, new = next(shares)
        kept &= not planted or new <= ERROR_RATE + 2 * error
        text = f"{f'{old:.3f}' if seeds > 1 and scenario.criterion != 'accuracy' else '-':>8} {new:.3f}"
        if planted:
            print(f"{seeds:>5}  {scenario.name:<40}{smallest:>5}   {'':<16}{text}", end="")
        else:
            print(f"   {'':<7}{text}", flush=True)
    return kept


def rejected(rng: np.random.Generator, rows: int, trials: int, **truth: object) -> dict[str, float]:
    """Share of trials in which each test rejects at 5 %."""
    rejections: dict[str, list[bool]] = {}
    for _ in range(trials):
        table = compared(simulated(rng, rows=rows, seeds=SEEDS, seed_sd=0.004, **truth), replicates=100)["v0"]
        tests = {
            "accuracy": pick(table, "accuracy")["p_value"],
            "accuracy of group c": pick(table, "accuracy", "g", "c")["p_value"],
            "equalized odds gap": pick(table, "equalized_odds_difference", "g")["p_value"],
            "excess harm": pick(table, "excess_harm", "g")["p_value"],
        }
        for name, p in tests.items():
            rejections.setdefault(name, []).append(p <= ERROR_RATE)
    return {name: float(np.mean(hits)) for name, hits in rejections.items()}


def decided(rng: np.random.Generator, loss: float, margin: float, rows: int, trials: int) -> tuple[float, float, float]:
    """Shares of trials in which any of four variants is proven, the first is proven, and the first is refuted."""
    any_proven, first_proven, first_refuted = 0, 0, 0
    for _ in range(trials):
        study = simulated(rng, rows=rows, seeds=SEEDS, harm=(loss,) * 3, seed_sd=0.004, variants=4)
        tables = compared(study, replicates=100)
        family = []
        for variant, table in tables.items():
            row = pick(table, "accuracy")
            changes = study.values["accuracy", None][0]
            per_seed = changes[study.columns[variant]] - changes[study.columns["dense"]]
            family.append(noninferiority(per_seed, (row["seed_error"], row["row_error"]), rows, margin))
        of_variants = [verdict for verdict, _ in verdicts(family, ERROR_RATE)]
        any_proven += "proven" in of_variants
        first_proven += of_variants[0] == "proven"
        first_refuted += of_variants[0] == "refuted"
    return any_proven / trials, first_proven / trials, first_refuted / trials


def equal_groups(rng: np.random.Generator, gap: float, trials: int) -> float:
    """Share of trials in which the test calls the largest gap of five groups more than chance."""
    totals, rates = np.array([800, 600, 400, 200, 100]), np.array([0.3, 0.3, 0.3, 0.3, 0.3 + gap])
    return float(np.mean([gap_by_chance(rng.binomial(totals, rates), totals, 500)[1] <= 0.05 for _ in range(trials)]))


def main() -> None:
    """Print the tables."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    rng = np.random.default_rng(0)
    print(f"{trials} trials each, {SEEDS} seeds")
    print("\nfalse positives at 5 % (equal variants, equal groups)")
    for rows in (800, 3000):
        shares = rejected(rng, rows, trials)
        print(f"  {rows} rows:", ", ".join(f"{name} {share:.3f}" for name, share in shares.items()), flush=True)
    print(f"  five equal groups, one model: {equal_groups(rng, 0.0, trials):.3f}")
    at_margin = decided(rng, 0.02 / 0.98, 0.02, 3000, trials)[0]
    print(f"  any of 4 variants exactly at the margin called proven: {at_margin:.3f}", flush=True)
    print("\npower")
    for loss in (0.02, 0.04, 0.08):
        shares = rejected(rng, 3000, trials // 4, harm=(0.0, 0.0, loss))
        print(f"  group c (10 %) loses {100 * loss:g} points:", ", ".join(f"{n} {s:.2f}" for n, s in shares.items()))
    for gap in (0.05, 0.1, 0.2):
        print(f"  one of five groups {100 * gap:g} points apart, one model: {equal_groups(rng, gap, trials):.2f}")
    for loss in (0.0, 0.01, 0.03, 0.05):
        _, proven, refuted = decided(rng, loss, 0.02, 3000, trials // 4)
        print(f"  loss of {100 * loss:g} points, margin 2: proven {proven:.2f}, refuted {refuted:.2f}", flush=True)
    with multiprocessing.get_context("spawn").Pool() as pool:
        if not table_of_criteria(pool.imap, trials):
            sys.exit("a loss at the margin is called proven too often")


if __name__ == "__main__":
    main()
