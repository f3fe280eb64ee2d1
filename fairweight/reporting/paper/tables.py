"""Tables of an article: booktabs for print, and CSV with full precision beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairweight.core.formatting import DASH, missing, significant, with_interval
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, COMPARISON
from fairweight.core.shown_measures import LANGUAGE_FILE_SIZE, MEASURES, ShownMeasure
from fairweight.energy.amounts import of_study
from fairweight.evaluation.summarize_causal import LANGUAGE
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.latex import LATEX, LATEX_CELL
from fairweight.reporting.report.results import Results

MOST_VARIANTS = 4  # columns of the table of groups that fit on a page; the CSV has all variants
MOST_CLASSES = 4  # classes whose shares fit into a cell
# what the table of language models shows
SHOWN_LANGUAGE = (
    MEASURES["perplexity"],
    MEASURES["perplexity_ratio"],
    MEASURES["stereotype_score"],
    MEASURES["prefill_tokens_per_cpu_s"],
    MEASURES["decode_tokens_per_cpu_s"],
    LANGUAGE_FILE_SIZE,
)


@dataclass(frozen=True)
class Exhibit:
    """A table as LaTeX and as a data frame, with its caption."""

    name: str
    text: str
    frame: pd.DataFrame
    caption: str


def tables(results: Results) -> Iterator[Exhibit]:
    """Every table of the study."""
    for dataset in results.datasets:
        yield language(results, dataset) if dataset in set(results.language["dataset"]) else variants(results, dataset)
        if len(results.compared(dataset)) and results.study["datasets"][dataset]["groups"]:
            yield groups(results, dataset)
    yield data(results)
    yield steps_table(results)


def first_row(table: pd.DataFrame, values: Mapping[str, Any]) -> pd.Series:
    """The first row of a table with these values, or an empty one."""
    rows = where(table, values)
    return rows.iloc[0] if len(rows) else pd.Series(dtype=object)


def varying(cells: pd.DataFrame, keys: tuple[str, ...] = ("model", "augmentation", "engine")) -> list[str]:
    """Columns of a cell that need a column of the table, because a study has several values of them."""
    return [key for key in keys if cells[key].nunique() > 1]


# ---- variants


@dataclass(frozen=True)
class _Column:
    """A measure in the table of variants: its name in the CSV file, and its rows of the summary."""

    measure: ShownMeasure
    name: str
    rows: pd.DataFrame


def variants(results: Results, dataset: str) -> Exhibit:
    """Quality, fairness, size and latency of each variant, all augmentations and models of a dataset."""
    attribute = next(iter(results.study["datasets"][dataset]["groups"]), None)
    columns = _columns(results, dataset, attribute)
    cells = results.ordered(results.variants[results.variants["dataset"] == dataset][CELL].drop_duplicates())
    several = varying(cells)
    rows: list[list[str]] = []
    raw: list[dict[str, Any]] = []
    breaks, previous = set[int](), None
    for _, cell in cells[CELL].iterrows():
        block = tuple(cell[key] for key in ("model", "engine", "augmentation"))
        if block != previous:
            breaks.add(len(rows))
        previous = block
        decided = first_row(results.decisions, cell).get("verdict")
        verdict = decided if isinstance(decided, str) else DASH
        row = [latex.cell(cell["variant"]), *(latex.cell(cell[key]) for key in several), latex.escape(verdict)]
        entry: dict[str, Any] = {**cell, "verdict": decided}
        for column in columns:
            value = first_row(column.rows, cell)
            row.append(_mean_with_spread(column.measure, value))
            entry |= {f"{column.name}_{part}": value.get(part) for part in ("mean", "sd", "n")}
        rows.append(row)
        raw.append(entry)
    header = [
        "Variant",
        *(key.capitalize() for key in several),
        "Verdict",
        *(latex.heading(c.measure) for c in columns),
    ]
    widths = [0.17 if several else 0.24, *[0.13] * len(several), 0.1, *[None] * len(columns)]
    caption = _caption_of_variants(results, dataset, attribute)
    return Exhibit(f"{dataset}-variants", latex.tabular(header, rows, widths, breaks), pd.DataFrame(raw), caption)


def _columns(results: Results, dataset: str, attribute: str | None) -> list[_Column]:
    def column(key: str, of_attribute: str | None = None, batch_size: int | None = None) -> _Column:
        name = key if of_attribute is None else f"{key}_by_{of_attribute}"
        return _Column(MEASURES[key], name, results.measured(key, of_attribute, batch_size))

    columns = [column("accuracy"), column("flips")]
    if attribute is not None:
        columns.append(column("worst_group_accuracy", attribute))
    if results.ships(dataset):
        size = results.study["profile"]["batch_sizes"][0]
        columns += [column("transfer_bytes"), column("latency_p50_ms", batch_size=size)]
    return columns


def _mean_with_spread(measure: ShownMeasure, row: pd.Series) -> str:
    if row.empty:
        return latex.escape(DASH)
    return measure.with_spread(row["mean"], row["sd"], writer=LATEX)


def _caption_of_variants(results: Results, dataset: str, attribute: str | None) -> str:
    size = results.study["profile"]["batch_sizes"][0]
    by = f" by {attribute}" if attribute is not None else ""
    latency = f" Latency is the median at batch size {size}." if results.ships(dataset) else ""
    return (
        f"{results.title(dataset)}: variants on test rows, mean ± standard deviation over seeds. Worst group{by}; "
        f"flips are rows whose prediction differs from the baseline's.{latency}"
    )


# ---- language models


def language(results: Results, dataset: str) -> Exhibit:
    """Quality, stereotypes, speed and size of each language model on a dataset."""
    entries = results.ordered(where(results.language, {"dataset": dataset}))
    several = varying(entries, ("model", "engine"))
    rows = []
    for _, entry in entries.iterrows():
        names = [latex.cell(entry["variant"]), *(latex.cell(entry[key]) for key in several)]
        rows.append(names + [_language_cell(measure, entry) for measure in SHOWN_LANGUAGE])
    header = [
        "Variant",
        *(key.capitalize() for key in several),
        *(latex.escape(m.heading) if m.interval else latex.heading(m) for m in SHOWN_LANGUAGE),
    ]
    widths = [0.17, *[0.11] * len(several), *[-0.13 if measure.interval else None for measure in SHOWN_LANGUAGE]]
    caption = (
        f"{results.title(dataset)}: language models. Perplexity, and its ratio to the baseline's on the same passages, "
        "with 95 % intervals over passages; the stereotype score is the share of sentence pairs in which the more "
        "stereotyping sentence has the higher likelihood (50 % is no preference), with 95 % intervals over pairs. "
        "Speed is measured on one thread."
    )
    columns = entries[["seed", *CELL, *LANGUAGE]]
    return Exhibit(f"{dataset}-language", latex.tabular(header, rows, widths), columns, caption)


def _language_cell(measure: ShownMeasure, entry: pd.Series) -> str:
    value = entry[measure.key]
    if missing(value):  # a baseline has no ratio to itself, a study without pairs no score
        return latex.escape(DASH)
    if measure.interval is None:
        return measure.text(value, writer=LATEX)
    low, high = entry[f"{measure.interval}_low"], entry[f"{measure.interval}_high"]
    return measure.with_interval(value, low, high, writer=LATEX_CELL)


# ---- groups, data and steps


def groups(results: Results, dataset: str) -> Exhibit:
    """Change of accuracy of each group, with a column for each variant."""
    table = results.compared(dataset)
    declared = list(results.study["datasets"][dataset]["groups"])
    table = table[(table["metric"] == "accuracy") & table["group"].notna() & table["attribute"].isin(declared)]
    shown = list(dict.fromkeys(table["variant"]))[:MOST_VARIANTS]
    accuracy = MEASURES["accuracy"]
    rows: list[list[str]] = []
    breaks, previous = set[int](), None
    for (attribute, group), group_rows in table.groupby(["attribute", "group"], sort=False):
        if attribute != previous:
            breaks.add(len(rows))
        previous = attribute
        row = [latex.cell(group), latex.cell(attribute), f"{int(group_rows.iloc[0]['n']):,}"]
        for variant in shown:
            change = first_row(group_rows, {"variant": variant})
            value, low, high = (change.get(key) for key in ("value", "low", "high"))
            row.append(accuracy.with_interval(value, low, high, signed=True, writer=LATEX_CELL))
        rows.append(row)
    widths = [0.2, 0.1, None, *[-0.12] * len(shown)]
    header = ["Group", "By", "Rows", *(latex.cell(v) for v in shown)]
    hidden = len(set(table["variant"])) - len(shown)
    more = f" {hidden} more variants are in the CSV file." if hidden > 0 else ""
    caption = (
        f"{results.title(dataset)}: change of each group's accuracy against the baseline, in points, with 95 % "
        f"intervals over seeds and test rows; exploratory.{more}"
    )
    kept = ["variant", "baseline", "attribute", "group", "n", "value", "low", "high", "p_value", "q_value", "status"]
    frame = table[[*COMPARISON, *kept]]
    return Exhibit(f"{dataset}-groups", latex.tabular(header, rows, widths, breaks), frame, caption)


def data(results: Results) -> Exhibit:
    """Rows, inputs and label of each dataset."""
    rows, raw = [], []
    for card in results.cards:
        inputs = len(card["columns"]["numeric"]) + len(card["columns"]["categorical"])
        shape = "texts" if card["text"] else f"{inputs} columns"
        shape = " × ".join(map(str, card["image"])) + " pixels" if card["image"] else shape
        shares = [f"{c} {n / card['rows']:.1%}" for c, n in card["label"].items()]
        label = (", ".join(shares) or "none") if len(shares) <= MOST_CLASSES else f"{len(shares)} classes"
        texts = (card["title"], shape, label, ", ".join(card["groups"]) or "none", card["licence"] or "not stated")
        rows.append([*map(latex.cell, texts), f"{card['rows']:,}"])
        entry = {"dataset": card["dataset"], "title": card["title"], "rows": card["rows"], "inputs": shape}
        raw.append(entry | {"licence": card["licence"], "duplicates": card["duplicates"].get("rows")})
    header = ["Dataset", "Inputs", "Label", "Groups", "Licence", "Rows"]
    text = latex.tabular(header, rows, [0.22, 0.14, 0.2, 0.16, 0.14, None])
    return Exhibit("data", text, pd.DataFrame(raw), "The data, before anything is learned from them.")


def steps_table(results: Results) -> Exhibit:
    """CPU-seconds, energy and emissions of the attempts at each rule."""
    known = results.rules.dropna(subset="cpu_s")
    by_rule = {str(rule): of_study(part) for rule, part in known.groupby("rule", sort=False)}
    ordered = sorted(by_rule.items(), key=lambda item: -item[1].cpu_s)
    rows = []
    for rule, used in [*ordered, ("all", of_study(results.rules))]:
        energy = with_interval(used.energy_j, used.energy_j_low, used.energy_j_high, 2, 1e-3, writer=LATEX)
        emissions = latex.escape(significant(used.emissions_g))
        rows.append([latex.cell(rule), f"{used.attempts:,}", latex.number_text(used.cpu_s, 1), energy, emissions])
    frame = pd.DataFrame([{"step": rule, **vars(used)} for rule, used in ordered])
    header = ["Step", "Attempts", "CPU-seconds", "Energy, kJ [low, high]", r"gCO\textsubscript{2}e"]
    caption = (
        "Resource usage of all attempts at each step, failed ones included, and of Snakemake and Dask themselves: "
        "CPU-seconds are measured, energy and emissions are modelled from them and from memory. Rendering the report "
        "and this article is not included."
    )
    return Exhibit("steps", latex.tabular(header, rows, [0.2, *[None] * 4], {len(rows) - 1}), frame, caption)
