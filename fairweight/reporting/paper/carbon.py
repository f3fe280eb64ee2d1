"""Energy and carbon in an article: by rule, by variant, and beside other estimators."""

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from fairweight.core.formatting import with_interval
from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.figures import WIDTH, style
from fairweight.reporting.paper.latex import LATEX_CELL
from fairweight.reporting.paper.tables import Exhibit, varying
from fairweight.reporting.report.break_even import in_words
from fairweight.reporting.report.results import Results
from fairweight.reporting.report.study_energy import draw_energy_by_rule

SCOPES = ("making", "making and search")  # of a break-even


def energy_by_rule(results: Results) -> tuple[str, Figure, str]:
    """Name, figure and caption of the energy of each rule, stacked by dataset."""
    with mpl.rc_context(style()):
        figure = Figure(figsize=(WIDTH, 0.75 + 0.16 * min(len(results.rules), 12)), layout="constrained")
        caption = draw_energy_by_rule(figure, results)
    return "energy-by-rule", figure, f"{caption} All of it is modelled from CPU-seconds and memory."


def variants(results: Results, dataset: str) -> Exhibit:
    """Energy to make and to use each variant, and its break-even point, at the first batch size."""
    size = results.study["profile"]["batch_sizes"][0]
    cells = results.ordered(where(results.life_cycle, {"dataset": dataset})[CELL].drop_duplicates())
    several = varying(cells)
    rows = []
    for cell in cells[CELL].to_dict("records"):
        names = [latex.cell(cell["variant"]), *(latex.cell(cell[key]) for key in several)]
        rows.append(names + _energies(results, cell, size))
    header = ["Variant", *(key.capitalize() for key in several)]
    header += ["Making, J", "1,000, mJ", "Ratio", "Break-even", "with search"]
    widths = [0.16, *[0.1] * len(several), -0.14, -0.14, -0.14, -0.12, -0.12]
    ratios = results.ratios.rename(columns={"low": "ratio_low", "high": "ratio_high"})
    ratios = ratios[[*CELL, "batch_size", "ratio", "ratio_low", "ratio_high"]].astype({"batch_size": "Int64"})
    frame = where(results.life_cycle, {"dataset": dataset}).merge(ratios, on=[*CELL, "batch_size"], how="left")
    caption = (
        f"{results.title(dataset)}: modelled energy to make one model of each variant, and of 1,000 predictions at "
        f"batch {size}, with the bounds of the model below; the ratio of the modelled energy of a prediction, which is "
        "that of the measured CPU-seconds, to the baseline's, with its 95 % interval; and the number of predictions "
        "after which a variant has saved the extra energy of making it, alone and with the whole search."
    )
    return Exhibit(f"{dataset}-energy", latex.tabular(header, rows, widths), frame, caption)


def _energies(results: Results, cell: dict[Any, Any], size: int) -> list[str]:
    """Cells of one variant: energy to make it and to use it, ratio to the baseline, break-even of each scope."""
    life_cycle = where(results.life_cycle, cell)
    once = life_cycle[(life_cycle["per"] == "once") & ~life_cycle["stage"].isin(["search", "failed attempts"])]
    usage = where(life_cycle, {"stage": "use", "batch_size": size}).iloc[0]
    ratio = where(results.ratios, {**cell, "batch_size": size})
    break_even = where(results.break_even, {**cell, "batch_size": size})
    return [
        _bounded(once.sum(numeric_only=True), 1.0),
        _bounded(usage, 1e3),
        _ratio(ratio.iloc[0]) if len(ratio) else "baseline",
        *(
            _break_even(where(break_even, {"scope": scope}).iloc[0]) if len(break_even) else "baseline"
            for scope in SCOPES
        ),
    ]


def _bounded(row: Any, scale: float) -> str:
    central, low, high = (row[f"energy_j_{bound}"] for bound in ("central", "low", "high"))
    return with_interval(central, low, high, 1, scale, writer=LATEX_CELL)


def _ratio(row: Any) -> str:
    return with_interval(row["ratio"], row["low"], row["high"], 2, writer=LATEX_CELL)


def _break_even(row: Any) -> str:
    """A break-even without its interval."""
    return latex.escape(in_words(row).partition("\n")[0])


def estimators(results: Results) -> Exhibit:
    """The energy of the same steps by other estimators."""
    rows = [
        [
            *(latex.cell(row[key]) for key in ("estimator", "mode", "why")),
            latex.number_text(row["energy_j"], 2, 1e-3),
            latex.number_text(row["ratio"], 2),
        ]
        for row in results.estimators.to_dict("records")
    ]
    header = ["Estimator", "Mode", "What it counts", "kJ", "Ratio to ours"]
    caption = (
        "Energy of the same steps by other estimators, by their formulas and with their constants; all are models."
    )
    text = latex.tabular(header, rows, [0.15, 0.18, 0.45, None, None])
    return Exhibit("estimators", text, results.estimators, caption)
