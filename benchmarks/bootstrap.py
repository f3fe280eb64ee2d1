"""Compare the bootstrap of all group metrics with Fairlearn's, on one simulated test set of Adult's size.

Run as `python benchmarks/bootstrap.py`; it prints ratios measured side by side.
"""

import time

import numpy as np
from fairlearn import metrics
from sklearn.metrics import accuracy_score, precision_score

from fairweight.core.intersections import crossed
from fairweight.evaluation.compare import Compared
from fairweight.statistics.rates import Layout

ROWS, REPLICATES, OTHERS = 16_281, 10_000, 20
FUNCTIONS = {
    "accuracy": accuracy_score,
    "selection_rate": metrics.selection_rate,
    "true_positive_rate": metrics.true_positive_rate,
    "false_positive_rate": metrics.false_positive_rate,
    "positive_predictive_value": precision_score,
}


def data(seeds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict, dict]:
    """Labels, predictions of a baseline and of a variant (n, seeds), and groups like those of Adult."""
    rng = np.random.default_rng(0)
    chance = rng.beta(0.3, 0.9, ROWS)
    labels = (rng.random(ROWS) < chance).astype(int)
    models = [(chance[:, None] + rng.normal(0, 0.02, (ROWS, seeds)) > 0.5).astype(int) for _ in range(2)]
    groups = {
        "sex": rng.choice(2, p=[0.33, 0.67], size=ROWS),
        "race": rng.choice(5, p=[0.01, 0.03, 0.1, 0.01, 0.85], size=ROWS),
        "age": rng.choice(3, p=[0.17, 0.75, 0.08], size=ROWS),
    }
    levels = {"sex": ("f", "m"), "race": ("a", "b", "c", "d", "e"), "age": ("young", "middle", "old")}
    return labels, models[0], models[1], groups, levels


def ours(seeds: int, intersections: bool, replicates: int = REPLICATES) -> float:
    """CPU-seconds of all replicates of the changes of all rates and gaps, variant and baseline on the same rows."""
    labels, baseline, variant, groups, levels = data(seeds)
    if intersections:
        groups, levels = crossed(groups, levels)
    layout = Layout.from_rows(labels, groups, levels, 2)
    started = time.process_time()
    study = Compared(layout, labels, {"dense": (baseline, None), "variant": (variant, None)}, 50)
    study.bootstrap({"dense": "dense", "variant": "dense"}, replicates)
    return time.process_time() - started


def fairlearns() -> float:
    """CPU-seconds of a few replicates of the rates of one model, one attribute after another."""
    labels, _, variant, groups, _ = data(1)
    started = time.process_time()
    for codes in groups.values():
        metrics.MetricFrame(
            metrics=FUNCTIONS,
            y_true=labels,
            y_pred=variant[:, 0],
            sensitive_features=codes,
            n_boot=OTHERS,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )
    return time.process_time() - started


def main() -> None:
    """Print CPU-seconds and ratios."""
    theirs = fairlearns() / OTHERS
    single = ours(1, intersections=False) / REPLICATES
    print(
        f"one model, 3 attributes: Fairlearn {theirs:.4f} CPU-s per replicate, "
        f"fairweight (with its baseline) {single:.2e} CPU-s"
    )
    print(f"  ratio: {theirs / single:,.0f} times faster per replicate")
    full = ours(8, intersections=True)
    print(
        f"8 seeds x rows, variant and baseline, 6 attributes, 41 groups: {REPLICATES:,} replicates in {full:.2f} CPU-s"
    )


if __name__ == "__main__":
    main()
