"""The decision in an article: weakest evidence on each variant, winners by goal, files that ship, untested rates."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from fairweight.core.formatting import DASH, count, missing, p_value
from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import measure
from fairweight.evaluation.criteria import GROUP_MARGINS
from fairweight.reporting import goals, guards
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.latex import LATEX_CELL
from fairweight.reporting.paper.tables import MOST_VARIANTS, Exhibit, first_row, varying
from fairweight.reporting.report.results import Results, place

BLOCK = ["model", "engine", "augmentation"]  # rows with space above
RATE = measure("accuracy")  # rates are shown in percent, their changes in percentage points
# column -> criteria of which it shows the test with the weakest evidence
SHOWN = {"Accuracy": ("accuracy",), "Weakest group": GROUP_MARGINS, "Weakest difference": ("fairness_gap", "floor")}


def decision_tables(results: Results, dataset: str) -> Iterator[Exhibit]:
    """Every table of the decision on a dataset; none where nothing is compared."""
    for table in (criteria, winners, files, untested):
        if (exhibit := table(results, dataset)) is not None:
            yield exhibit


def criteria(results: Results, dataset: str) -> Exhibit | None:
    """Verdict on each variant, and the weakest evidence on its accuracy, its groups, and differences between them."""
    decided = where(results.decisions, {"dataset": dataset})
    decided = results.ordered(decided[decided["verdict"].notna()])
    if decided.empty:
        return None
    ceilings = list(results.study["criteria"]["ceilings"])
    several = varying(decided)
    rows: list[list[str]] = []
    breaks = set[int]()
    for _, block in decided.groupby(BLOCK, sort=False):
        breaks.add(len(rows))
        for _, row in block.iterrows():
            entries = where(results.criteria, row[CELL])
            cells = [_weakest(entries, names) for names in SHOWN.values()]
            cells += [_ceilings(entries, ceilings)] if ceilings else []
            rows.append([*_names(row, several), _verdict(row), latex.escape(p_value(row["p_value"])), *cells])
    header = ["Variant", *(key.capitalize() for key in several), "Verdict", "p", *SHOWN]
    header += ["Ceilings"] if ceilings else []
    widths: list[float | None] = [0.14, *[0.1] * len(several), 0.12, None, -0.12, -0.15, -0.19]
    widths += [0.1] if ceilings else []
    frame = where(results.criteria, {"dataset": dataset})
    text = latex.tabular(header, rows, widths, breaks)
    return Exhibit(f"{dataset}-criteria", text, frame, _caption_of_criteria(results, dataset))


def _names(row: Any, several: Sequence[str]) -> list[str]:
    return [latex.cell(row["variant"]), *(latex.cell(row[key]) for key in several)]


def _small(text: str) -> str:
    """A second line of a cell."""
    return rf"\linebreak{{\scriptsize {text}}}"


def _verdict(row: Any) -> str:
    return latex.escape(row["verdict"]) + (_small("recommended") if row["recommended"] else "")


def _weakest(entries: pd.DataFrame, criteria: Sequence[str]) -> str:
    """Change, interval and groups of the test with the largest p-value among these criteria."""
    rows = entries[entries["criterion"].isin(criteria)]
    if rows.empty:
        return latex.escape(DASH)
    row = max(rows.to_dict("records"), key=lambda entry: (entry["p_proven"], _harm(entry)))
    if missing(row["value"]):
        return "not tested"
    change = RATE.with_interval(row["value"], row["low"], row["high"], signed=True, writer=LATEX_CELL)
    whom = [str(row[key]) for key in ("group", "other_group") if isinstance(row[key], str)]
    if not whom:
        return change
    rate = "" if row["rate"] == "accuracy" else f", {row['rate'].replace('_', ' ')}"
    return change + _small(latex.escape(" over ".join(whom) + rate))


def _harm(entry: Any) -> float:
    """Loss of a rate, or growth of a difference; what cannot be tested comes first."""
    if missing(entry["value"]):
        return float("inf")
    return float(entry["value"] if isinstance(entry["other_group"], str) else -entry["value"])


def _ceilings(entries: pd.DataFrame, names: Sequence[str]) -> str:
    verdicts = set(entries[entries["criterion"].isin(names)]["verdict"])
    return latex.escape(", ".join(sorted(verdicts)) or DASH)


def _caption_of_criteria(results: Results, dataset: str) -> str:
    against = "augmentation none" if results.study["criteria"]["against"] == "none" else "the same augmentation"
    return (
        f"{results.title(dataset)}: verdicts, against the baseline with {against}. p is that of the whole variant "
        "after Holm's correction. Then changes in points with 95 % intervals, of the test with the weakest evidence: "
        "of the accuracy of all rows, of the accuracy of one group, and of the signed difference of a rate between two "
        "groups. The CSV file has every criterion."
    )


def winners(results: Results, dataset: str) -> Exhibit | None:
    """Winner by each goal, with its figure, the baseline's and the saving."""
    entries = _plain_first(where(results.goals, {"dataset": dataset}))
    if entries.empty:
        return None
    several = varying(entries)
    rows: list[list[str]] = []
    breaks = set[int]()
    for _, block in entries.groupby(BLOCK, sort=False):
        breaks.add(len(rows))
        for row in block.to_dict("records"):
            record = goals.GOALS[row["goal"]]
            title = latex.escape(goals.title(row["goal"])) + (_small("the goal of the study") if row["chosen"] else "")
            figures = [latex.escape(record.with_unit(row[key])) for key in ("cost", "baseline_cost")]
            saved = latex.escape(DASH) if goals.is_baseline(row) else goals.saving(row, LATEX_CELL)
            places = (latex.cell(row[key]) for key in several)
            rows.append([*places, title, latex.cell(goals.winner_of(row)), *figures, saved])
    header = [*(key.capitalize() for key in several), "Goal", "Winner", "Its figure", "Baseline", "Saving"]
    widths = [*[0.12] * len(several), 0.24, 0.15, -0.12, -0.12, -0.18]
    caption = (
        f"{results.title(dataset)}: the winner by each goal among the proven variants and the baseline. A variant wins "
        "if the 95 % interval of its saving excludes 0 (of bytes, the range over seeds); among variants that cannot be "
        "distinguished from the one that saves most, the smallest file wins. Life-cycle energy is that of "
        f"{goals.use(results.study['decision'])}.{_warnings(entries)}"
    )
    return Exhibit(f"{dataset}-goals", latex.tabular(header, rows, widths, breaks), entries, caption)


def _warnings(entries: pd.DataFrame) -> str:
    """Why rows of `goals` recommend nothing."""
    reasons = dict.fromkeys(filter(None, (guards.warning(row) for row in entries.to_dict("records"))))
    return "".join(f" {text[0].upper()}{text[1:]}." for text in reasons)


def _plain_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by model and engine, augmentation `none` first."""
    plain = rows.assign(plain=rows["augmentation"] != "none")
    return plain.sort_values(["model", "engine", "plain", "augmentation"], kind="stable").drop(columns="plain")


def files(results: Results, dataset: str) -> Exhibit | None:
    """The file that ships of each variant: its seed, its accuracy, and the verdict on it alone."""
    entries = results.ordered(where(results.shipped, {"dataset": dataset}))
    if entries.empty or results.assessments["seed"].nunique() == 1:
        return None
    several = varying(entries)
    rows: list[list[str]] = []
    breaks = set[int]()
    for _, block in entries.groupby(BLOCK, sort=False):
        breaks.add(len(rows))
        for _, row in block.iterrows():
            own, mean = (RATE.text(row[key], writer=LATEX_CELL) for key in ("test", "mean_test"))
            change = latex.escape(DASH)
            if not missing(row["change"]):
                change = RATE.with_interval(row["change"], row["low"], row["high"], signed=True, writer=LATEX_CELL)
            verdict = latex.escape(row["verdict"] if isinstance(row["verdict"], str) else DASH)
            rows.append([*_names(row, several), f"{int(row['seed'])}", own, mean, change, verdict])
    header = ["Variant", *(key.capitalize() for key in several), "Seed", r"\shortstack[r]{Accuracy\\of the file, \%}"]
    header += [r"\shortstack[r]{Mean over\\seeds, \%}", "Change of the file", "Verdict (file)"]
    widths = [0.17, *[0.12] * len(several), None, None, None, -0.17, 0.14]
    caption = (
        f"{results.title(dataset)}: the file that ships of each variant is that of the seed with the highest accuracy "
        "on validation rows. Figures are of test rows; the change in points is that against the baseline's file of the "
        "same seed, with the 95 % interval of the score test. A file of a proven variant is tested alone, by its test "
        "rows and without a correction for other files."
    )
    text = latex.tabular(header, rows, widths, breaks)
    return Exhibit(f"{dataset}-files", text, _without_order(results.shipped, entries), caption)


def untested(results: Results, dataset: str) -> Exhibit | None:
    """Rates of groups that have too few rows to be tested, with a column for each variant."""
    entries = results.ordered(where(results.untested, {"dataset": dataset}))
    if entries.empty:
        return None
    table = results.first_combination(entries, dataset)
    variants = list(dict.fromkeys(table["variant"]))
    rows: list[list[str]] = []
    for (attribute, group, rate), part in table.groupby(["attribute", "group", "rate"], sort=False):
        first = part.iloc[0]
        names = [latex.cell(rate.replace("_", " ")), latex.cell(group), latex.cell(attribute)]
        row = [*names, f"{int(first['rows']):,}", RATE.text(first["before"], writer=LATEX_CELL)]
        for variant in variants[:MOST_VARIANTS]:
            entry = first_row(part, {"variant": variant})
            value, low, high = (entry.get(key) for key in ("value", "low", "high"))
            row.append(RATE.with_interval(value, low, high, signed=True, writer=LATEX_CELL))
        rows.append(row)
    shown = variants[:MOST_VARIANTS]
    header = ["Rate", "Group", "By", "Rows", r"\shortstack[r]{Baseline,\\\%}", *map(latex.cell, shown)]
    smallest = count(results.study["fairness"]["smallest_group"], "row")
    more = f" {len(variants) - len(shown)} more variants are in the CSV file." if len(variants) > len(shown) else ""
    caption = (
        f"{results.title(dataset)}: rates of groups with fewer than {smallest}, which are not tested: their changes in "
        f"points, with 95 % Bayesian intervals (Jeffreys' prior).{more} Shown: {place(table.iloc[0])}."
    )
    text = latex.tabular(header, rows, [0.13, 0.13, 0.06, None, None, *[-0.115] * len(shown)])
    return Exhibit(f"{dataset}-untested", text, _without_order(results.untested, entries), caption)


def _without_order(table: pd.DataFrame, ordered: pd.DataFrame) -> pd.DataFrame:
    """Rows in their order, with the columns of the table that they come from."""
    return ordered[list(table.columns)]
