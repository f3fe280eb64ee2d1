"""Energy and carbon in an article: by rule, by variant, and beside other estimators."""

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.figures import WIDTH, style
from fairweight.reporting.paper.tables import Exhibit
from fairweight.reporting.report.carbon import said, stack
from fairweight.reporting.report.results import Results


def energy_by_rule(results: Results) -> tuple[str, Figure, str]:
    """Name, figure and caption of the energy of each rule, stacked by dataset."""
    with mpl.rc_context(style()):
        figure = Figure(figsize=(WIDTH, 0.75 + 0.16 * min(len(results.rules), 12)), layout="constrained")
        caption = stack(figure, results)
    return "energy-by-rule", figure, f"{caption} All of it is modelled from CPU-seconds and memory."


def variants(results: Results, dataset: str) -> Exhibit:
    """Energy of making and of using each variant, and when it has repaid itself, at the first batch size."""
    size = results.study["profile"]["batch_sizes"][0]
    cells = results.ordered(where(results.life_cycle, {"dataset": dataset})[CELL].drop_duplicates())
    several = [key for key in ("model", "augmentation", "engine") if cells[key].nunique() > 1]
    rows = []
    for cell in cells[CELL].to_dict("records"):
        life = where(results.life_cycle, cell)
        making = life[(life["per"] == "once") & ~life["stage"].isin(["search", "failed attempts"])].sum(
            numeric_only=True
        )
        used = where(life, {"stage": "use", "batch_size": size}).iloc[0]
        ratio = where(results.ratios, {**cell, "batch_size": size})
        repaid = where(results.break_even, {**cell, "batch_size": size})
        rows.append(
            [latex.cell(cell["variant"]), *(latex.cell(cell[key]) for key in several), _bounded(making, 1.0, 1), _bounded(used, 1e3, 1),
             _ratio(ratio.iloc[0]) if len(ratio) else "baseline",
             *(latex.escape(said(where(repaid, {"scope": scope}).iloc[0]).partition("\n")[0]) if len(repaid) else "baseline"
               for scope in ("making", "making and search"))]
        )  # fmt: skip
    header = [
        "Variant",
        *(key.capitalize() for key in several),
        "Making, J",
        "1,000, mJ",
        "Ratio",
        "Repaid",
        "with search",
    ]
    widths = [0.16, *[0.1] * len(several), -0.14, -0.14, -0.14, -0.12, -0.12]
    ratios = results.ratios.rename(columns={"low": "ratio_low", "high": "ratio_high"})
    ratios = ratios[[*CELL, "batch_size", "ratio", "ratio_low", "ratio_high"]].astype({"batch_size": "Int64"})
    frame = where(results.life_cycle, {"dataset": dataset}).merge(ratios, on=[*CELL, "batch_size"], how="left")
    caption = (
        f"{results.title(dataset)}: energy of making one model of each variant and of 1,000 predictions at batch {size}, with the bounds "
        "of the model below; the ratio to the baseline's with its 95 % interval, measured; and after how many predictions a variant has "
        "repaid what it cost more than its baseline, for making it alone and with the whole search."
    )
    return Exhibit(f"{dataset}-energy", latex.tabular(header, rows, widths), frame, caption)


def _bounded(row: Any, scale: float, digits: int) -> str:
    low, central, high = (latex.figure_text(row[f"energy_j_{b}"], digits, scale) for b in ("low", "central", "high"))
    return rf"{central}\linebreak{{\scriptsize\mbox{{[{low}, {high}]}}}}"


def _ratio(row: Any) -> str:
    ratio, low, high = (latex.figure_text(row[name], 2) for name in ("ratio", "low", "high"))
    return rf"{ratio}\linebreak{{\scriptsize\mbox{{[{low}, {high}]}}}}"


def estimators(results: Results) -> Exhibit:
    """The same steps by other estimators."""
    rows = [
        [latex.cell(row["estimator"]), latex.cell(row["mode"]), latex.cell(row["why"]), latex.figure_text(row["energy_j"], 2, 1e-3), latex.figure_text(row["ratio"], 2)]
        for row in results.estimators.to_dict("records")
    ]  # fmt: skip
    header = ["Estimator", "Mode", "What it counts", "kJ", "Ratio"]
    caption = (
        "Energy of the same steps by other estimators, by their formulas and with their constants; all are models."
    )
    return Exhibit(
        "estimators", latex.tabular(header, rows, [0.15, 0.18, 0.45, None, None]), results.estimators, caption
    )
