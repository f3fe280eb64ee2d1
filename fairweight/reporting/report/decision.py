"""The decision in the report: sentences on what to ship, and the tables behind them."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import (
    DASH,
    NOT_ESTIMABLE,
    Writer,
    as_stated,
    count,
    missing,
    number,
    p_value,
    points,
    with_interval,
)
from fairweight.core.frames import where
from fairweight.core.lineage import COMPARISON
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.evaluation.decide import FAMILY, name_of
from fairweight.reporting.report.columns import INTERVAL, Column, in_sentence, p_equals
from fairweight.reporting.report.page import listing, table, tied
from fairweight.reporting.report.results import Results, varying

RATE = measure("accuracy")  # how criteria with a margin are shown: changes of rates, in percentage points


def recommendation(results: Results) -> HTML | None:
    """For each dataset and model, which variant to ship, or none, and why."""
    decided = results.decisions[results.decisions["verdict"].notna()]
    items = [
        tied(_recommended(results, dataset, model, family)) for (dataset, model), family in decided.groupby(FAMILY)
    ]
    if not items:
        return HTML("<p>There is no decision: no variant is compared with a baseline under augmentation none.</p>")
    return listing(items)


def _recommended(results: Results, dataset: str, model: str, family: pd.DataFrame) -> str:
    place = f"<b>{escape(results.title(dataset))}</b>, {escape(model)}: "
    chosen = family[family["recommended"]]
    if chosen.empty:
        reasons = results.ordered(family).groupby("reason", sort=False)["variant"]
        listed = "; ".join(f"{escape(', '.join(variants))}: {escape(reason)}" for reason, variants in reasons)
        return (
            f"{place}ship <b>none</b> of the compressed variants, because none is proven to keep the criteria. "
            f"{listed}."
        )
    row = chosen.iloc[0]
    baseline = results.comparisons.loc[results.comparisons["variant"] == row["variant"], "baseline"].iloc[0]
    base = where(results.decisions, row[COMPARISON])
    base = base[base["variant"] == baseline]
    text = (
        f"{place}ship <b>{escape(row['variant'])}</b>, the cheapest variant that is proven non-inferior to its "
        f"baseline ({p_equals(row['p_value'])} after Holm's correction over {count(int(row['tests']), 'variant')}; "
        f"error rate {as_stated(results.study['criteria']['error_rate'], 100)} %)."
    )
    if len(base) and not missing(base.iloc[0]["cost"]):
        cost = measure(results.study["criteria"]["cheapest_by"])
        text += (
            f" Its {_cost_title(cost)} is {cost.with_unit(row['cost'])} instead of "
            f"{cost.with_unit(base.iloc[0]['cost'])}."
        )
        text += _in_use(results, row, base.iloc[0])
    return f'{text}<small class="evidence">Change against {escape(baseline)}: {_evidence(results, row)}.</small>'


def _cost_title(cost: ShownMeasure) -> str:
    """What the decision minimises, in a sentence."""
    return f"{in_sentence(cost.title)}{' (modelled)' if cost.modelled else ''}"


def _evidence(results: Results, row: pd.Series) -> str:
    """Change of each criterion with a margin, of the recommended variant."""
    entries = where(results.criteria, row[[*COMPARISON, "variant"]])
    return "; ".join(
        f"{escape(name_of(entry))} {_change(entry)}"
        for _, entry in entries.iterrows()
        if not _is_ceiling(results, entry)
    )


def _is_ceiling(results: Results, entry: Any) -> bool:
    """Whether a criterion is a ceiling on a resource usage; the others are margins of a change."""
    return entry["criterion"] in results.study["criteria"].get("ceilings", {})


def _change(entry: Any) -> str:
    if missing(entry["value"]):
        return NOT_ESTIMABLE
    margin = as_stated(entry["margin"], RATE.scale)
    writer = Writer(interval=f"{{value}} points ({INTERVAL} {{low}} to {{high}}; margin {margin})")
    return RATE.with_interval(entry["value"], entry["low"], entry["high"], signed=True, writer=writer)


def _in_use(results: Results, row: pd.Series, base: pd.Series) -> str:
    """Latency and energy of a prediction at the first batch size, also where they are worse than the baseline's."""
    size = results.study["profile"]["batch_sizes"][0]
    latency = Column("latency_p50_ms", batch_size=size)
    rows = where(latency.rows(results), row[COMPARISON])
    own, other = (where(rows, {"variant": entry["variant"]}) for entry in (row, base))
    clauses = []
    if len(own) and len(other) and not missing(own.iloc[0]["mean"]):
        own_text, other_text = (latency.record.with_unit(part.iloc[0]["mean"]) for part in (own, other))
        clauses.append(f"has a median latency of {own_text} instead of {other_text}")
    ratios = where(results.ratios, {**row[[*COMPARISON, "variant"]], "batch_size": size})
    if len(ratios) and not missing(ratios.iloc[0]["low"]):
        entry = ratios.iloc[0]
        writer = Writer(interval=f"{{value}} times the energy ({INTERVAL} {{low}} to {{high}})")
        clauses.append(f"uses {with_interval(entry['ratio'], entry['low'], entry['high'], 2, writer=writer)}")
    return f" A prediction at batch {size} {' and '.join(clauses)}." if clauses else ""


def criteria(results: Results, dataset: str) -> HTML | None:
    """Table of change, interval, margin, p-value and verdict by variant and criterion; None if nothing is tested."""
    entries = results.criteria[results.criteria["dataset"] == dataset]
    if entries.empty:
        return None
    rows: list[list[str]] = []
    breaks: set[int] = set()
    shown = varying(entries, ("model", "engine"))
    for (*_, variant), part in results.ordered(entries).groupby(["model", "engine", "variant"], sort=False):
        breaks.add(len(rows))
        decided = where(results.decisions, part.iloc[0][[*COMPARISON, "variant"]]).iloc[0]
        first = f"{variant}\n{decided['verdict']}{', recommended' if decided['recommended'] else ''}"
        for position, (_, entry) in enumerate(part.iterrows()):
            names = [first if position == 0 else "", *(str(entry[key]) for key in shown)]
            rows.append([*names, *_criterion(results, entry)])
    header = ["Variant", *map(str.capitalize, shown), "Criterion", "Verdict (this criterion)", "Change or value"]
    header += [INTERVAL, "Margin or ceiling", "p"]
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    notes = (
        "Each variant is compared with its baseline on the test rows, under augmentation none. Accuracy may fall by "
        "the margin; a gap may grow by it. The null hypothesis of p is that the criterion is violated; p is the "
        "larger of an exact sign-flip test over seeds and a t-test over seeds and rows. For a ceiling, the interval "
        "is the range over seeds. A variant is proven if all its criteria are, after Holm's correction over the "
        f"variants, at an error rate of {rate} %."
    )
    caption = f"{results.title(dataset)}: criteria of the study."
    return table(header, rows, caption, notes=notes, text_columns=3 + len(shown), breaks=breaks)


def _criterion(results: Results, entry: Any) -> list[str]:
    """Cells of one criterion of a variant: name, verdict, value, interval, margin or ceiling, p-value."""
    if not _is_ceiling(results, entry):
        write, margin = RATE, points(entry["margin"])
    elif "at_most_of_baseline" in results.study["criteria"]["ceilings"][entry["criterion"]]:
        write = ShownMeasure(entry["criterion"], "Ratio to the baseline", "x baseline", 2, "lower")
        margin = f"{as_stated(entry['margin'])} {write.unit}"
    else:
        write = measure(entry["criterion"])
        margin = f"{as_stated(entry['margin'], write.scale)} {write.unit}"
    signed = not _is_ceiling(results, entry)
    value, low, high = (write.text(entry[key], signed=signed) for key in ("value", "low", "high"))
    verdict = f"{entry['verdict']}\n{entry['reason']}" if isinstance(entry["reason"], str) else str(entry["verdict"])
    interval = DASH if missing(entry["low"]) else f"{low} to {high}"
    return [name_of(entry), verdict, value, interval, margin, p_value(entry["p_proven"])]


def front(results: Results, dataset: str) -> HTML | None:
    """Table of the probability of each variant to be on the Pareto front; None where it is not known."""
    known = results.decisions[
        (results.decisions["dataset"] == dataset) & results.decisions["front_probability"].notna()
    ]
    if known.empty:
        return None
    cost = measure(results.study["criteria"]["cheapest_by"])
    rows: list[list[str]] = []
    breaks: set[int] = set()
    for _, block in results.ordered(known).groupby(["model", "engine", "augmentation"], sort=False):
        breaks.add(len(rows))
        for _, row in block.iterrows():
            verdict = row["verdict"] if isinstance(row["verdict"], str) else DASH
            probability = f"{number(row['front_probability'], 0, 100)} %"
            rows.append(
                [row["variant"], row["model"], row["augmentation"], verdict, cost.text(row["cost"]), probability]
            )
    attributes = list(results.study["datasets"][dataset]["groups"])
    worst = f", {in_sentence(Column('worst_group_accuracy', attributes[0]).title)}" if attributes else ""
    notes = (
        "A variant is on the front if no other variant with the same augmentation is at least as good in accuracy"
        f"{worst} and {_cost_title(cost)}, and better in one of them. The probability is the share of 10,000 bootstrap "
        "replicates over seeds x test rows, which are the same for all variants."
    )
    header = ["Variant", "Model", "Augmentation", "Verdict", f"Cost: {in_sentence(cost.heading)}", "On the front"]
    caption = f"{results.title(dataset)}: probability of each variant to be on the Pareto front."
    return table(header, rows, caption, notes=notes, text_columns=4, breaks=breaks)
