"""Energy and carbon of the study by rule, and the estimates of other tools."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from fairweight.core.formatting import DASH, TWO_LINES, count, missing, number, significant, with_interval
from fairweight.reporting.report.columns import energy_cell
from fairweight.reporting.report.figures import FULL_WIDTH
from fairweight.reporting.report.page import picture, table
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Results

MOST_RULES = 12  # rules with a bar of their own
REST = "#8b939b"
SUMMED = ["attempts", "failed", "cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g"]


def energy_by_rule(results: Results) -> HTML:
    """Figure of the energy of each rule, stacked by dataset, with the bounds of the model."""
    figure = Figure(figsize=(FULL_WIDTH, 0.9 + 0.28 * min(len(results.rules), MOST_RULES)), layout="constrained")
    caption = draw_energy_by_rule(figure, results)
    return picture(
        figure, caption, "Stacked bars of energy by rule and dataset, with lines for the bounds of the model."
    )


def draw_energy_by_rule(figure: Figure, results: Results) -> str:
    """Draw the bars of `energy_by_rule`, and return the caption."""
    rules = results.rules.dropna(subset="energy_j_central").head(MOST_RULES).iloc[::-1]
    parts = results.steps.pivot_table(index="rule", columns="dataset", values="energy_j_central", aggfunc="sum")
    parts = parts.reindex(rules["rule"]).fillna(0.0)
    left, axis, names = np.zeros(len(rules)), figure.subplots(), [*rules["rule"]]
    for i, dataset in enumerate(parts.columns):
        kilojoules = parts[dataset] / 1000
        axis.barh(names, kilojoules, left=left, color=COLOURS[i % len(COLOURS)], label=results.label(dataset))
        left += kilojoules.to_numpy()
    rest = np.maximum(rules["energy_j_central"].to_numpy() / 1000 - left, 0.0)
    axis.barh(names, rest, left=left, color=REST, label="shared by all datasets, and failed attempts")
    for y, row in enumerate(rules.to_dict("records")):
        axis.plot([row["energy_j_low"] / 1000, row["energy_j_high"] / 1000], [y, y], color="#222", linewidth=0.9)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("Energy, kJ (modelled)")
    axis.legend(frameon=False, loc="lower right")
    return (
        "Modelled energy of the study by rule and dataset. Bars show the central value of the energy model, lines its "
        "low and high bounds."
    )


def rules(results: Results) -> HTML:
    """Table of attempts, CPU-seconds, energy and emissions of each rule and of the study, with the status of values."""
    rows = [
        [
            row["rule"],
            f"{row['attempts']:,}",
            f"{row['failed']:,}",
            *_used(row),
            DASH if missing(row["metered_j"]) else number(row["metered_j"], 1),
            row["status"],
        ]
        for row in results.rules.to_dict("records")
    ]
    rows.append(_total(results.rules))
    header = [
        "Rule",
        "Attempts",
        "Failed",
        "CPU-seconds",
        "Energy, J (modelled)",
        "Emissions, mgCO2e (modelled)",
        "Metered, J",
        "Status",
    ]
    notes = (
        "All attempts are included that had ended when this table was made, failed ones too. Energy and emissions are "
        "modelled from CPU-seconds and memory; small numbers are the bounds of the model. Metered energy is what a "
        "meter counted above the idle machine. Emissions are operational only. "
        f"{' '.join(_not_included(results))}"
    )
    return table(header, rows, "Energy and carbon by rule.", notes=notes, breaks={len(rows) - 1})


def _not_included(results: Results) -> list[str]:
    """What the total does not hold, with its size where it is known, and where to find the complete sum."""
    sentences = []
    if unknown := int(results.rules["unknown"].sum()):
        sentences.append(f"Not included: {count(unknown, 'attempt')} that ended without a record of what was used.")
    if "run" in set(results.rules["kind"]):
        sentences.append("The run itself is Snakemake, Dask and the preloaded process, on the machine of Snakemake.")
    else:
        sentences.append("Not included: what Snakemake used itself, which only the executor dask records.")
    last = "this section, the assembly of the page and the end of the run"
    if (later := results.later) is None:
        sentences.append(f"Not included: steps that ended later, such as the other sections of the report, {last}.")
    else:
        share = later["cpu_s"] / results.rules["cpu_s"].sum()
        energy = with_interval(*(later[name] for name in ("energy_j", "energy_j_low", "energy_j_high")))
        rules = f" ({', '.join(later['rules'])})" if later["rules"] else ""
        sentences.append(
            f"Not included: {number(later['cpu_s'])} CPU-seconds, {number(share, 1, 100)} % more, or {energy} J, that "
            f"the run itself and later steps{rules} had used when this section was rendered; then {last}."
        )
    return [*sentences, "The command fairweight energy prints the complete sum."]


def _total(rules: pd.DataFrame) -> list[str]:
    """The last row of the table of rules."""
    total, metered = rules[SUMMED].sum(min_count=1), float(rules["metered_j"].sum(min_count=1))
    by_status = {name: int(rules[name].sum()) for name in ("measured", "modelled", "not attributable")}
    return [
        "the study",
        f"{int(total['attempts']):,}",
        f"{int(total['failed']):,}",
        *_used(total),
        DASH if missing(metered) else number(metered, 1),
        ", ".join(f"{name}: {attempts:,}" for name, attempts in by_status.items() if attempts),
    ]


def _used(row: Any) -> list[str]:
    """CPU-seconds, energy and emissions; dashes where no attempt has left a record."""
    if missing(row["cpu_s"]):
        return [DASH] * 3
    return [number(row["cpu_s"], 1), energy_cell(row), significant(row["emissions_g"], 1e3)]


def estimators(results: Results) -> HTML:
    """Table of the energy of the same steps by CodeCarbon and Green Algorithms, and why they differ."""
    entries = results.estimators.to_dict("records")
    rows = [
        [
            f"{row['estimator']}\n{row['mode']}",
            with_interval(row["energy_j"], row["energy_j_low"], row["energy_j_high"], 2, 1e-3, writer=TWO_LINES),
            number(row["ratio"], 2),
        ]
        for row in entries
    ]
    header = ["Estimator", "Energy, kJ (modelled)", "Ratio to ours"]
    notes = (
        "Their formulas and constants are applied to the steps in the ledger of this study, without what Snakemake and "
        "Dask used themselves; all of them are models. CodeCarbon is assumed not to recognize the processor, unless "
        "the study file names it."
    )
    shown = table(header, rows, "Energy of the same steps by other estimators.", notes=notes).data
    why = "".join(
        f"<li>{escape(row['estimator'])}, {escape(row['mode'])}: {escape(row['why'])}</li>" for row in entries
    )
    return HTML(f"{shown}<ul>{why}</ul>")
