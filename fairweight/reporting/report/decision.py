"""What the report says of the decision: sentences made from the tests, and the tables behind them."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, as_stated, count, missing, number, p_value, points
from fairweight.core.frames import where
from fairweight.evaluation.decide import FAMILY, name_of
from fairweight.reporting.report.page import listing, table, tied
from fairweight.reporting.report.results import Results

# how a criterion is shown: scale, unit, digits
SHOWN = {"size_bytes": (1e-3, "kB", 1), "transfer_bytes": (1e-3, "kB", 1), "latency_p50_ms": (1e3, "µs", 1), "energy_j_per_1000": (1, "J", 4)}  # fmt: skip


def recommendation(results: Results) -> HTML | None:
    """For each dataset and model: which variant to ship, or none, and why."""
    decided = results.decisions[results.decisions["verdict"].notna()]
    items = [
        tied(_recommended(results, dataset, model, family)) for (dataset, model), family in decided.groupby(FAMILY)
    ]
    if not items:
        return HTML("<p>Nothing was decided: no variant is compared with a baseline under augmentation none.</p>")
    return listing(items)


def _recommended(results: Results, dataset: str, model: str, family: pd.DataFrame) -> str:
    place = f"<b>{escape(results.title(dataset))}</b>, {escape(model)}: "
    chosen = family[family["recommended"]]
    rate = results.study["criteria"]["error_rate"]
    if chosen.empty:
        reasons = results.ordered(family).groupby("reason", sort=False)["variant"]
        listed = "; ".join(f"{escape(', '.join(variants))}: {escape(reason)}" for reason, variants in reasons)
        return f"{place}ship <b>none</b> of the compressed variants, because none is proven to keep the criteria. {listed}."
    row = chosen.iloc[0]
    proven = where(results.criteria, row[["dataset", "augmentation", "model", "engine", "variant"]])
    by = results.study["criteria"]["cheapest_by"]
    baseline = results.comparisons.loc[results.comparisons["variant"] == row["variant"], "baseline"].iloc[0]
    base = where(results.decisions, row[["dataset", "augmentation", "model", "engine"]])
    base = base[base["variant"] == baseline]
    text = (
        f"{place}ship <b>{escape(row['variant'])}</b>, the cheapest variant that is proven non-inferior "
        f"(p = {p_value(row['p_value'])} after Holm's correction over {count(int(row['tests']), 'variant')}; error rate {as_stated(rate, 100)} %)."
    )
    if len(base) and not missing(base.iloc[0]["cost"]):
        scale, unit, digits = SHOWN[by]
        text += (
            f" It takes {number(row['cost'], digits, scale)} {unit} instead of {number(base.iloc[0]['cost'], digits, scale)} "
            f"{unit} ({_words(by)})."
        )
        text += _of_use(results, row, base.iloc[0])
    said = [f"{escape(name_of(e))} {_with_interval(e)}" for _, e in proven.iterrows() if e["criterion"] not in SHOWN]
    return f'{text}<small class="evidence">Change against {escape(baseline)}: {"; ".join(said)}.</small>'


def _of_use(results: Results, row: pd.Series, base: pd.Series) -> str:
    """Latency and energy of a prediction at the first batch size, also where they are worse than the baseline's."""
    size, cell = results.study["profile"]["batch_sizes"][0], ["dataset", "augmentation", "model", "engine"]
    latency = where(results.measured("latency_p50_ms", None, size), row[cell])
    own, its = (where(latency, {"variant": one["variant"]}) for one in (row, base))
    told = []
    if len(own) and len(its) and not missing(own.iloc[0]["mean"]):
        now, then = (number(found.iloc[0]["mean"], 1, 1e3) for found in (own, its))
        told.append(f"has a latency of {now} µs instead of {then} µs (p50)")
    ratio = where(results.ratios, {**row[[*cell, "variant"]], "batch_size": size})
    if len(ratio) and not missing(ratio.iloc[0]["low"]):
        times, low, high = (number(ratio.iloc[0][name], 2) for name in ("ratio", "low", "high"))
        told.append(f"takes {times} times the energy (95\N{NO-BREAK SPACE}% interval {low} to {high})")
    return f" A prediction at batch {size} {' and '.join(told)}." if told else ""


def _words(measure: str) -> str:
    return {"transfer_bytes": "bytes to transfer", "size_bytes": "bytes of the file", "latency_p50_ms": "latency p50",
            "energy_j_per_1000": "energy per 1,000 predictions, modelled"}[measure]  # fmt: skip


def _with_interval(entry: Any) -> str:
    if missing(entry["value"]):
        return NOT_ESTIMABLE
    change, low, high = (number(entry[k], 2, 100, signed=True) for k in ("value", "low", "high"))
    return f"{change} points (95\N{NO-BREAK SPACE}% interval {low} to {high}; margin {as_stated(entry['margin'], 100)})"


def criteria(results: Results, dataset: str) -> HTML | None:
    """One row a variant and criterion: change, interval, margin, p-value, verdict."""
    entries = results.criteria[results.criteria["dataset"] == dataset]
    if entries.empty:
        return None
    rows: list[list[str]] = []
    breaks: set[int] = set()
    several = [key for key in ("model", "engine") if entries[key].nunique() > 1]
    for key, of in results.ordered(entries).groupby(["model", "engine", "variant"], sort=False):
        breaks.add(len(rows))
        decided = where(results.decisions, of.iloc[0][["dataset", "augmentation", "model", "engine", "variant"]]).iloc[
            0
        ]
        for position, (_, entry) in enumerate(of.iterrows()):
            first = f"{key[2]}\n{decided['verdict']}{', recommended' if decided['recommended'] else ''}"
            scale, unit, digits = SHOWN.get(entry["criterion"], (100, "points", 2))
            signed = entry["criterion"] not in SHOWN
            if not signed and entry["criterion"] in _relative(results):
                scale, unit, digits = 1, "x baseline", 2
            low, high = (number(entry[k], digits, scale, signed) for k in ("low", "high"))
            rows.append(
                [
                    first if position == 0 else "",
                    *(str(entry[k]) for k in several),
                    name_of(entry),
                    _verdict(entry),
                    number(entry["value"], digits, scale, signed),
                    DASH if missing(entry["low"]) else f"{low} to {high}",
                    points(entry["margin"]) if signed else f"{as_stated(entry['margin'], scale)} {unit}",
                    p_value(entry["p_proven"]),
                ]
            )
    header = ["Variant", *(k.capitalize() for k in several), "Criterion", "Alone", "Change or value", "95 % interval", "Margin or ceiling", "p"]  # fmt: skip
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    caption = (
        f"{results.title(dataset)}: the criteria of the study, each variant against its baseline on test rows, augmentation "
        "none. Accuracy may fall by the margin, a gap may grow by it. p is against the null that the criterion is violated: "
        "the larger of an exact sign-flip test over seeds and a t-test that counts seeds and rows; an interval shown for a "
        "ceiling is the range over seeds. A variant is proven if all its criteria are, after Holm's correction over the "
        f"variants, at an error rate of {rate} %."
    )
    return table(header, rows, caption, text_columns=3 + len(several), breaks=breaks)


def _relative(results: Results) -> set[str]:
    return {name for name, limit in results.study["criteria"]["ceilings"].items() if "at_most_of_baseline" in limit}


def _verdict(entry: Any) -> str:
    return f"{entry['verdict']}\n{entry['reason']}" if isinstance(entry["reason"], str) else str(entry["verdict"])


def front(results: Results, dataset: str) -> HTML | None:
    """How likely each variant is on the Pareto front."""
    found = results.decisions[
        (results.decisions["dataset"] == dataset) & results.decisions["front_probability"].notna()
    ]
    if found.empty:
        return None
    rows: list[list[str]] = []
    breaks: set[int] = set()
    for _, block in results.ordered(found).groupby(["model", "engine", "augmentation"], sort=False):
        breaks.add(len(rows))
        for _, row in block.iterrows():
            scale, unit, digits = SHOWN[results.study["criteria"]["cheapest_by"]]
            rows.append(
                [row["variant"], row["model"], row["augmentation"],
                 row["verdict"] if isinstance(row["verdict"], str) else DASH,
                 f"{number(row['cost'], digits, scale)} {unit}", f"{number(row['front_probability'], 0, 100)} %"]
            )  # fmt: skip
    attributes = list(results.study["datasets"][dataset]["groups"])
    worst = f", accuracy of the worst group by {attributes[0]}" if attributes else ""
    caption = (
        f"{results.title(dataset)}: probability to be on the Pareto front, that is, not to be beaten by another variant of the "
        f"same augmentation in accuracy{worst} and {_words(results.study['criteria']['cheapest_by'])} at once. It is the share of "
        "10,000 bootstrap replicates over seeds x test rows, the same for all variants."
    )
    header = ["Variant", "Model", "Augmentation", "Verdict", "Cost", "On the front"]
    return table(header, rows, caption, text_columns=4, breaks=breaks)
