"""Draw the figures of the concept pages from the results of the default study.

    python docs/generate/figures.py results/default

The SVG files in docs/concepts/figures/ are committed, because the results are not.
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

FOLDER = Path(__file__).parents[1] / "concepts" / "figures"
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text: small, and searchable
    "svg.hashsalt": "fairweight",  # the same identifiers each time
}
COLOURS = {"proven": "#2a7f4f", "undecided": "#8a6d00", "refuted": "#b3382c"}
LINE, BAND, DOT = "#3b4b57", "#c9ced3", "#1f5f8b"
WIDTH = 5.0  # inches: readable on a phone without scrolling


def table(results: Path, name: str, **wanted: str) -> pd.DataFrame:
    """Rows of a summary table without augmentation.

    Args:
        results: folder of the default study.
        name: of the table.
        wanted: value of each column that selects rows.
    """
    frame = pd.read_parquet(results / "summary" / f"{name}.parquet")
    for column, value in ({"augmentation": "none"} | wanted).items():
        frame = frame[frame[column] == value]
    return frame


def save(figure: Any, name: str) -> None:
    """Write a figure as SVG, without a date."""
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def three_verdicts() -> None:
    """Draw three intervals that stand for the verdicts, against a margin of 1 point."""
    figure, axes = plt.subplots(figsize=(WIDTH, 2.2))
    examples = [("proven", -0.2, 0.4), ("undecided", -0.8, 0.6), ("refuted", -1.8, 0.5)]
    for row, (verdict, value, half) in enumerate(examples):
        axes.errorbar(value, row, xerr=half, fmt="o", capsize=4, color=COLOURS[verdict])
        axes.text(0.65, row, verdict, va="center", color=COLOURS[verdict], weight="bold")
    for place, style, word in ((0, "-", "no change"), (-1, "--", "margin")):
        axes.plot([place, place], [-0.5, 2.5], color=LINE, linewidth=1, linestyle=style)
        axes.text(place, -0.65, word, ha="center")
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(-2.5, 1.6), ylim=(2.5, -1.1), yticks=[], xlabel="Change of accuracy against the baseline, points")
    save(figure, "verdicts")


def rates_of_groups(results: Path) -> None:
    """Draw the changes of the true positive rate of each group for two variants, against the margin."""
    parts = table(results, "parts", dataset="adult", criterion="group_rates", rate="true_positive_rate")
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    groups = list(dict.fromkeys(parts["group"]))
    for variant, marker, shift in (("int8", "o", -0.16), ("pruned90", "s", 0.16)):
        for row in parts[parts["variant"] == variant].itertuples():
            error = [[100 * (row.value - row.low)], [100 * (row.high - row.value)]]
            place = groups.index(row.group) + shift
            axes.errorbar(100 * row.value, place, xerr=error, fmt=marker, capsize=3, color=COLOURS[row.verdict])
        axes.plot([], [], marker, color=LINE, label=variant)
    rows = parts.drop_duplicates("group").set_index("group")["rows"]
    axes.set_yticks(range(len(groups)), [f"{group}\n{rows[group]:,} rows" for group in groups])
    axes.axvline(0, color=LINE, linewidth=1)
    axes.axvline(-100 * parts["margin"].iloc[0], color=LINE, linewidth=1, linestyle="--")
    axes.set(xlabel="Change of the true positive rate, points", ylim=(len(groups) - 0.5, -0.5))
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    save(figure, "rates-of-groups")


def noise_floor(results: Path) -> None:
    """Draw the change of accuracy of each group over the range of what retraining alone changes."""
    rows = table(results, "comparisons", dataset="adult", metric="accuracy", variant="pruned90")
    rows = rows[rows["attribute"].isin(["sex", "race", "age"]) & (rows["status"] == "ok")]
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    places = range(len(rows))
    spans = 100 * (rows["floor_high"] - rows["floor_low"])
    axes.barh(places, spans, left=100 * rows["floor_low"], color=BAND, label="retraining alone (95 %)")
    error = 100 * pd.concat([rows["value"] - rows["low"], rows["high"] - rows["value"]], axis=1).T.to_numpy()
    axes.errorbar(100 * rows["value"], places, xerr=error, fmt="o", capsize=3, color=DOT, label="pruned90 (95 %)")
    axes.axvline(0, color=LINE, linewidth=1)
    axes.set_yticks(places, rows["group"])
    axes.set(xlabel="Change of accuracy against the baseline, points", ylim=(len(rows) - 0.5, -0.5))
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    save(figure, "noise-floor")


def seeds_and_rows(results: Path) -> None:
    """Draw both parts of the standard error of a change by the number of rows of the group."""
    rows = table(results, "comparisons", dataset="adult", metric="accuracy", variant="pruned50")
    rows = rows[(rows["status"] == "ok") & (rows["attribute"] != "class")]
    figure, axes = plt.subplots(figsize=(WIDTH, 3.0))
    axes.plot(rows["n"], 100 * rows["row_error"], "o", color=DOT, label="other test rows")
    axes.plot(rows["n"], 100 * rows["seed_error"], "s", color="#b3562c", markersize=5, label="other seeds")
    axes.set(xscale="log", yscale="log", xlabel="Test rows of the group", ylabel="Standard error, points")
    axes.set_xticks([100, 1000, 10000], ["100", "1,000", "10,000"])
    axes.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    axes.legend(frameon=False)
    save(figure, "seeds-and-rows")


def energy_by_rule(results: Path) -> None:
    """Draw the modelled energy of the rules that used most, with its bounds."""
    rules = pd.read_parquet(results / "summary" / "rules.parquet").head(8)
    figure, axes = plt.subplots(figsize=(WIDTH, 3.0))
    value, low, high = (rules[f"energy_j_{bound}"].astype(float) / 1e3 for bound in ("central", "low", "high"))
    axes.barh(rules["rule"], value, color=BAND)
    error = pd.concat([value - low, high - value], axis=1).T.to_numpy()
    axes.errorbar(value, range(len(rules)), xerr=error, fmt="none", capsize=3, color=DOT)
    axes.invert_yaxis()
    axes.set(xlabel="Modelled energy, kJ, with its low and high bound", xlim=(0, None))
    save(figure, "energy-by-rule")


def break_even(results: Path) -> None:
    """Draw what int8 of MNIST costs more than its baseline, in CPU-seconds, by the number of predictions."""
    about = {"dataset": "mnist", "variant": "int8"}
    known = table(results, "break_even", **about, scope="making and search").set_index("batch_size").loc[1]
    ratio = table(results, "ratios", **about).set_index("batch_size").loc[1, "ratio"]
    stages = table(results, "life_cycle", dataset="mnist", variant="dense", stage="use").set_index("batch_size")
    saved = stages.loc[1, "cpu_s"] / 1000 * (1 - ratio)  # CPU-seconds of one prediction
    figure, axes = plt.subplots(figsize=(WIDTH, 3.0))
    end = 150.0
    axes.axvspan(known["low"] / 1e6, known["high"] / 1e6, color=BAND, label="break-even (interval)")
    axes.plot(
        [0, end],
        [saved * known["predictions"], saved * (known["predictions"] - end * 1e6)],
        color=DOT,
        label="making and search",
    )
    axes.plot([0, end], [0, -saved * end * 1e6], color="#b3562c", linestyle="--", label="making alone")
    axes.axhline(0, color=LINE, linewidth=1)
    axes.set(xlim=(0, end), xlabel="Predictions, millions", ylabel="CPU-seconds, int8 minus dense")
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    save(figure, "break-even")


def main(results: Path) -> None:
    """Draw all figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        three_verdicts()
        for draw in (rates_of_groups, noise_floor, seeds_and_rows, energy_by_rule, break_even):
            draw(results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
