"""The tables of an article: booktabs for print, CSV with full precision beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairweight.core.formatting import DASH, missing, significant
from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.energy.footprint import of_study
from fairweight.evaluation.summarize_causal import LANGUAGE as MEASURED
from fairweight.reporting.paper import latex
from fairweight.reporting.report.results import Results


@dataclass(frozen=True)
class Exhibit:
    """A table: LaTeX, the same as a data frame, and its caption."""

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


def one(table: pd.DataFrame, key: Any) -> Any:
    """The one row of a table with these values, or an empty one."""
    found = where(table, key)
    return found.iloc[0] if len(found) else pd.Series(dtype=object)


def variants(results: Results, dataset: str) -> Exhibit:
    """Quality, fairness and price of each variant, all augmentations and models of a dataset."""
    attribute = next(iter(results.study["datasets"][dataset]["groups"]), None)
    size = results.study["profile"]["batch_sizes"][0]
    # title, measure, table, digits, scale
    columns: list[tuple[str, str, pd.DataFrame, int, float]] = [
        (latex.head("Accuracy,", r"\%"), "accuracy", results.measured("accuracy"), 2, 100.0),
        (latex.head("Flips,", r"\%"), "flips", results.measured("flips"), 2, 100.0),
    ]
    if attribute is not None:
        worst = results.measured("worst_group_accuracy", attribute)
        columns.append((latex.head("Worst", r"group, \%"), f"worst_group_accuracy_by_{attribute}", worst, 2, 100.0))
    if results.ships(dataset):
        columns += [
            (latex.head("Transfer,", "kB"), "transfer_bytes", results.measured("transfer_bytes"), 1, 1e-3),
            (latex.head("Latency,", r"\textmu s"), "latency_p50_ms", results.measured("latency_p50_ms", None, size), 1, 1e3),
        ]  # fmt: skip
    cells = results.ordered(results.variants[results.variants["dataset"] == dataset][CELL].drop_duplicates())
    several = [key for key in ("model", "augmentation", "engine") if cells[key].nunique() > 1]
    rows: list[list[str]] = []
    raw: list[dict[str, Any]] = []
    breaks, previous = set[int](), None
    for _, cell in cells[CELL].iterrows():
        block = tuple(cell[key] for key in ("model", "engine", "augmentation"))
        if block != previous:
            breaks.add(len(rows))
        previous = block
        decided = one(results.decisions, cell).get("verdict")
        verdict = decided if isinstance(decided, str) else DASH
        row = [latex.cell(cell["variant"]), *(latex.cell(cell[key]) for key in several), latex.escape(verdict)]
        entry: dict[str, Any] = {**cell, "verdict": decided}
        for _, name, table, digits, scale in columns:
            found = one(table, cell)
            row.append(latex.with_spread(found.get("mean"), found.get("sd"), digits, scale) if len(found) else latex.escape(DASH))  # fmt: skip
            entry |= {f"{name}_mean": found.get("mean"), f"{name}_sd": found.get("sd"), f"{name}_n": found.get("n")}
        rows.append(row)
        raw.append(entry)
    header = ["Variant", *(key.capitalize() for key in several), "Verdict", *(c[0] for c in columns)]
    widths = [0.17 if several else 0.24, *[0.13] * len(several), 0.1, *[None] * len(columns)]
    by = f" by {attribute}" if attribute is not None else ""
    price = f" Latency is the median at batch size {size}." if results.ships(dataset) else ""
    caption = (
        f"{results.title(dataset)}: variants on test rows, mean ± standard deviation over seeds. Worst group{by}; flips are rows "
        f"predicted otherwise than by the baseline.{price} Verdicts are about augmentation none."
    )
    return Exhibit(f"{dataset}-variants", latex.tabular(header, rows, widths, breaks), pd.DataFrame(raw), caption)


# column of the language table -> title, the name of its bounds if it has an interval, digits, scale
LANGUAGE: dict[str, tuple[str, str | None, int, float]] = {
    "perplexity": ("Perplexity", "perplexity", 2, 1.0),
    "perplexity_ratio": ("Ratio to the baseline", "perplexity_ratio", 3, 1.0),
    "stereotype_score": (r"Stereotype score, \%", "stereotype", 1, 100.0),
    "prefill_tokens_per_cpu_s": (latex.head("Reads,", "tokens/", "CPU-s"), None, 0, 1.0),
    "decode_tokens_per_cpu_s": (latex.head("Writes,", "tokens/", "CPU-s"), None, 1, 1.0),
    "size_bytes": (latex.head("File,", "MB"), None, 1, 1e-6),
}


def language(results: Results, dataset: str) -> Exhibit:
    """Quality, stereotypes, speed and size of each language model on a dataset."""
    found = results.ordered(where(results.language, {"dataset": dataset}))
    several = [key for key in ("model", "engine") if found[key].nunique() > 1]
    rows = []
    for _, entry in found.iterrows():
        row = [latex.cell(entry["variant"]), *(latex.cell(entry[key]) for key in several)]
        for name, (_, bounds, digits, scale) in LANGUAGE.items():
            if missing(entry[name]):  # a baseline has no ratio to itself, a study without pairs no score
                row.append(latex.escape(DASH))
            elif bounds is None:
                row.append(latex.figure_text(entry[name], digits, scale))
            else:
                low, high = entry[f"{bounds}_low"], entry[f"{bounds}_high"]
                row.append(latex.above_interval(entry[name], low, high, digits, scale, signed=False))
        rows.append(row)
    header = ["Variant", *(key.capitalize() for key in several), *(title for title, *_ in LANGUAGE.values())]
    widths = [0.17, *[0.11] * len(several), *[None if entry[1] is None else -0.13 for entry in LANGUAGE.values()]]
    caption = (
        f"{results.title(dataset)}: language models. Perplexity, and its ratio to the baseline's on the same passages, with 95 % intervals "
        "over passages; the stereotype score is the share of sentence pairs of which the more stereotyping one has the higher likelihood "
        "(50 % is no preference), with 95 % intervals over pairs. Speed is measured on one thread."
    )
    return Exhibit(
        f"{dataset}-language", latex.tabular(header, rows, widths), found[["seed", *CELL, *MEASURED]], caption
    )


def groups(results: Results, dataset: str) -> Exhibit:
    """Change of accuracy of each group, a column a variant."""
    table = results.compared(dataset)
    declared = list(results.study["datasets"][dataset]["groups"])
    table = table[(table["metric"] == "accuracy") & table["group"].notna() & table["attribute"].isin(declared)]
    shown = list(dict.fromkeys(table["variant"]))[:4]  # what a page holds; the CSV has them all
    rows: list[list[str]] = []
    breaks, previous = set[int](), None
    for (attribute, group), of in table.groupby(["attribute", "group"], sort=False):
        if attribute != previous:
            breaks.add(len(rows))
        previous = attribute
        row = [latex.cell(group), latex.cell(attribute), f"{int(of.iloc[0]['n']):,}"]
        for variant in shown:
            entry = one(of, {"variant": variant})
            row.append(latex.above_interval(entry.get("value"), entry.get("low"), entry.get("high"), 2, 100.0))
        rows.append(row)
    widths = [0.2, 0.1, None, *[-0.12] * len(shown)]
    header = ["Group", "By", "Rows", *(latex.cell(v) for v in shown)]
    more = len(set(table["variant"])) - len(shown)
    caption = (
        f"{results.title(dataset)}: change of each group's accuracy against the baseline, in points, with 95 % intervals over seeds and "
        f"test rows; exploratory.{f' {more} more variants are in the CSV file.' if more > 0 else ''}"
    )
    kept = ["variant", "baseline", "attribute", "group", "n", "value", "low", "high", "p_value", "q_value", "status"]
    frame = table[["dataset", "augmentation", "model", "engine", *kept]]
    return Exhibit(f"{dataset}-groups", latex.tabular(header, rows, widths, breaks), frame, caption)


def data(results: Results) -> Exhibit:
    """Rows, inputs and label of each dataset."""
    rows, raw = [], []
    for card in results.cards:
        inputs = len(card["columns"]["numeric"]) + len(card["columns"]["categorical"])
        shape = "texts" if card["text"] else f"{inputs} columns"
        shape = " × ".join(map(str, card["image"])) + " pixels" if card["image"] else shape
        shares = [f"{c} {n / card['rows']:.1%}" for c, n in card["label"].items()]
        label = (", ".join(shares) or "none") if len(shares) <= 4 else f"{len(shares)} classes"
        rows.append([latex.cell(t) for t in (card["title"], shape, label, ", ".join(card["groups"]) or "none", card["licence"] or "not stated")] + [f"{card['rows']:,}"])  # fmt: skip
        raw.append({"dataset": card["dataset"], "title": card["title"], "rows": card["rows"], "inputs": shape, "licence": card["licence"], "duplicates": card["duplicates"].get("rows")})  # fmt: skip
    header = ["Dataset", "Inputs", "Label", "Groups", "Licence", "Rows"]
    widths = [0.22, 0.14, 0.2, 0.16, 0.14, None]
    return Exhibit("data", latex.tabular(header, rows, widths), pd.DataFrame(raw), "The data, before anything is learned from them.")  # fmt: skip


def steps_table(results: Results) -> Exhibit:
    """What each kind of step took."""
    grouped = {str(rule): of_study(steps) for rule, steps in results.steps.groupby("rule", sort=False)}
    ordered = sorted(grouped.items(), key=lambda item: -item[1].cpu_s)
    rows = []
    for rule, f in [*ordered, ("all", of_study(results.steps))]:
        energy = latex.with_interval(f.energy_j, f.energy_j_low, f.energy_j_high, 2, 1e-3, signed=False)
        rows.append([latex.cell(rule), f"{f.jobs:,}", latex.figure_text(f.cpu_s, 1), energy, latex.escape(significant(f.emissions_g))])  # fmt: skip
    frame = pd.DataFrame([{"step": rule, **vars(f)} for rule, f in ordered])
    header = ["Step", "Jobs", "CPU-seconds", "Energy, kJ [low, high]", r"gCO\textsubscript{2}e"]
    caption = "What the successful attempt of each step used: CPU-seconds are measured, energy and emissions modelled from them."  # fmt: skip
    return Exhibit("steps", latex.tabular(header, rows, [0.2, *[None] * 4], {len(rows) - 1}), frame, caption)
