"""Comparison with published results: the tables of Han et al. (2015, 2016) and Frankle & Carbin (2019).

    python benchmarks/deep_compression/published.py results/deep_compression

prints the results of the study config/deep_compression.yaml in Markdown, as far as they exist.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from fairweight.core.artifacts import PARTS, read_json, read_predictions
from fairweight.statistics.significance import sign_flip

Array = np.ndarray[Any, Any]
MARGIN = 0.001  # a tenth of a point
ERROR_RATE = 0.05
# network -> (variant, description, size ratio, error in %) as published: Han et al. 2016, tables 1 and 2
TABLE: dict[str, list[tuple[str, str, int | None, float | None]]] = {
    "lenet_300_100": [
        ("dense", "dense", 1, 1.64),
        ("finetuned", "dense, trained as long (control)", None, None),
        ("pruned12x", "pruned 12x", 12, 1.59),
        ("coded", "pruned, shared, coded", 40, 1.58),
    ],
    "lenet5": [
        ("conv", "dense", 1, 0.80),
        ("conv_pruned12x", "pruned 12x", 12, 0.77),
        ("conv_coded", "pruned, shared, coded", 39, 0.74),
    ],
}
TICKETS = ("lenet_300_100", "ticket", "ticket_control")


def errors(folder: Path, model: str, variant: str) -> dict[int, float]:
    """Seed -> share of test rows that are predicted wrongly, for the seeds that have finished."""
    shares = {}
    for path in sorted(folder.glob(f"seed-*/mnist/none/{model}/{variant}/onnxruntime/predictions.parquet")):
        columns, _ = read_predictions(path)
        test = columns["part"] == PARTS.index("test")
        seed = int(path.relative_to(folder).parts[0].removeprefix("seed-"))
        shares[seed] = float((columns["prediction"][test] != columns["label"][test]).mean())
    return shares


def paired(left: dict[int, float], right: dict[int, float]) -> Array:
    """Differences `left - right` (K,) of the K seeds that both have."""
    return np.array([left[seed] - right[seed] for seed in sorted(left.keys() & right.keys())])


def interval(values: Array) -> tuple[float, float]:
    """95 % confidence interval of the mean by Student's t; NaN for fewer than two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def ratios(folder: Path, model: str, variant: str) -> tuple[list[float], str]:
    """Size ratio of each seed, and the unit: bytes of the coded file, or weights that are not zero."""
    files = sorted(folder.glob(f"seed-*/mnist/none/{model}/{variant}/encode.json"))
    if files:
        return [float(read_json(f)["size_ratio"]) for f in files], "bytes of the coded file"
    about = sorted(folder.glob(f"seed-*/mnist/none/{model}/{variant}/model.json"))
    zeros = [read_json(f).get("sparsity", {}).get("all", 0.0) for f in about]
    return [1 / (1 - z) for z in zeros], "weights"


def rows(folder: Path, model: str) -> list[list[str]]:
    """Rows of the table of one network."""
    dense_name = TABLE[model][0][0]
    dense, table = errors(folder, model, dense_name), []
    for variant, description, smaller, published in TABLE[model]:
        error = errors(folder, model, variant)
        values = np.array(list(error.values()))
        sizes, counted = ratios(folder, model, variant)
        low, high = interval(values)
        cells = [model, description, f"{smaller}x" if smaller else "–", f"{published:.2f}" if published else "–"]
        cells += [f"{min(sizes):.1f}x to {max(sizes):.1f}x ({counted})" if sizes else "not estimable"]
        cells += [
            f"{100 * values.mean():.2f} ({100 * low:.2f} to {100 * high:.2f})" if len(values) else "not estimable"
        ]
        verdict = _verdict(paired(error, dense)) if variant != dense_name else "–"
        table.append([*cells, str(len(values)), verdict])
    return table


def _verdict(change: Array) -> str:
    """Test that errors rise by less than the margin: sign flips, one-sided, paired by seed."""
    if len(change) < 2:
        return "not estimable"
    p_value = sign_flip(MARGIN - change, "greater")
    low, high = interval(change)
    word = "non-inferior" if p_value <= ERROR_RATE else "not shown"
    return f"{100 * change.mean():+.2f} ({100 * low:+.2f} to {100 * high:+.2f}), p = {p_value:.3f}: {word}"


def ticket(folder: Path) -> str:
    """Comparison of the winning ticket with its control, in one sentence."""
    model, winner, control = TICKETS
    ticket_errors, control_errors = errors(folder, model, winner), errors(folder, model, control)
    gain = paired(control_errors, ticket_errors)
    if len(gain) < 2:
        return "Lottery ticket: not estimable yet."
    low, high = interval(gain)
    return (
        f"Lottery ticket at 21 % remaining weights ({len(gain)} seeds): "
        f"error {100 * np.mean(list(ticket_errors.values())):.2f} % against "
        f"{100 * np.mean(list(control_errors.values())):.2f} % of the reinitialised control; the ticket is better by "
        f"{100 * gain.mean():.2f} points ({100 * low:.2f} to {100 * high:.2f}), p = {sign_flip(gain, 'greater'):.3f}."
    )


def main(results: str) -> None:
    """Print the tables."""
    folder = Path(results)
    header = ["Network", "Variant", "Paper: size ratio", "Paper: error, %", "Ours: size ratio", "Ours: error, % (95 %)"]
    header += ["Seeds", "Error minus dense, points (95 %), paired by seed; non-inferior within 0.1, one-sided 5 %"]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for model in TABLE:
        for row in rows(folder, model):
            print("| " + " | ".join(row) + " |")
    print("\n" + ticket(folder))


if __name__ == "__main__":
    main(sys.argv[1])
