"""Published results beside ours: the tables of Han et al. (2015, 2016) and Frankle & Carbin (2019).

    python benchmarks/deep_compression/published.py results/deep_compression

prints what the study config/deep_compression.yaml has found so far, in Markdown.
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
# network: (variant, what it is, times smaller; error in %) as published; Han et al. 2016, table 1 and 2
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
    """Seed -> share of test rows predicted wrongly, of the seeds that there are."""
    found = {}
    for path in sorted(folder.glob(f"seed-*/mnist/none/{model}/{variant}/onnxruntime/predictions.parquet")):
        columns, _ = read_predictions(path)
        test = columns["part"] == PARTS.index("test")
        seed = int(path.relative_to(folder).parts[0].removeprefix("seed-"))
        found[seed] = float((columns["prediction"][test] != columns["label"][test]).mean())
    return found


def paired(one: dict[int, float], other: dict[int, float]) -> Array:
    """Differences (K,) of the seeds that both have."""
    return np.array([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])


def interval(values: Array) -> tuple[float, float]:
    """Student's interval of the mean at 95 %; not a number for fewer than two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def ratios(folder: Path, model: str, variant: str) -> tuple[list[float], str]:
    """Times smaller of each seed, and what was counted: a coded file's bytes, or weights that are not zero."""
    files = sorted(folder.glob(f"seed-*/mnist/none/{model}/{variant}/encode.json"))
    if files:
        return [float(read_json(f)["size_ratio"]) for f in files], "bytes of the coded file"
    about = sorted(folder.glob(f"seed-*/mnist/none/{model}/{variant}/model.json"))
    zeros = [read_json(f).get("sparsity", {}).get("all", 0.0) for f in about]
    return [1 / (1 - z) for z in zeros], "weights"


def rows(folder: Path, model: str) -> list[list[str]]:
    """Rows of one network's table."""
    dense_name = TABLE[model][0][0]
    dense, made = errors(folder, model, dense_name), []
    for variant, what, smaller, published in TABLE[model]:
        found = errors(folder, model, variant)
        values = np.array(list(found.values()))
        sizes, counted = ratios(folder, model, variant)
        low, high = interval(values)
        cells = [model, what, f"{smaller}x" if smaller else "–", f"{published:.2f}" if published else "–"]
        cells += [f"{min(sizes):.1f}x to {max(sizes):.1f}x ({counted})" if sizes else "not estimable"]
        cells += [
            f"{100 * values.mean():.2f} ({100 * low:.2f} to {100 * high:.2f})" if len(values) else "not estimable"
        ]
        made.append([*cells, str(len(values)), _verdict(paired(found, dense)) if variant != dense_name else "–"])
    return made


def _verdict(change: Array) -> str:
    """Non-inferiority of errors, paired by seed, one-sided: sign flips that the loss is below the margin."""
    if len(change) < 2:
        return "not estimable"
    p_value = sign_flip(MARGIN - change, "greater")
    low, high = interval(change)
    word = "non-inferior" if p_value <= ERROR_RATE else "not shown"
    return f"{100 * change.mean():+.2f} ({100 * low:+.2f} to {100 * high:+.2f}), p = {p_value:.3f}: {word}"


def ticket(folder: Path) -> str:
    """The winning ticket against its control, in a sentence."""
    model, winner, control = TICKETS
    one, other = errors(folder, model, winner), errors(folder, model, control)
    gain = paired(other, one)
    if len(gain) < 2:
        return "Lottery ticket: not estimable yet."
    low, high = interval(gain)
    return (
        f"Lottery ticket at 21 % remaining weights ({len(gain)} seeds): error {100 * np.mean(list(one.values())):.2f} % against "
        f"{100 * np.mean(list(other.values())):.2f} % of the reinitialised control; the ticket is better by "
        f"{100 * gain.mean():.2f} points ({100 * low:.2f} to {100 * high:.2f}), p = {sign_flip(gain, 'greater'):.3f}."
    )


def main(results: str) -> None:
    """Print the tables."""
    folder = Path(results)
    header = ["Network", "Variant", "Paper: smaller", "Paper: error, %", "Ours: smaller", "Ours: error, % (95 %)"]
    header += ["Seeds", "Error minus dense, points (95 %), paired by seed; non-inferior within 0.1, one-sided 5 %"]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for model in TABLE:
        for row in rows(folder, model):
            print("| " + " | ".join(row) + " |")
    print("\n" + ticket(folder))


if __name__ == "__main__":
    main(sys.argv[1])
