r"""Every number that an article may cite, by key: `\fw{adult/mlp/int8/accuracy}`.

A key is a lineage, as paths are: dataset, model, variant, measure, then attribute and group where there are any; an
augmentation comes before the model where it is not `none`, an engine after the variant where a study has several.
Numbers of the decision are in `decision_numbers.py`.
"""

from collections.abc import Iterator

import pandas as pd

from fairweight.core.formatting import as_stated, count, missing, significant
from fairweight.core.lineage import CELL, COMPARISON
from fairweight.core.shown_measures import RECORDS, measure
from fairweight.energy.amounts import of_study
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.decision_numbers import decision_numbers
from fairweight.reporting.paper.keys import Keys, Number
from fairweight.reporting.paper.latex import LATEX, slug
from fairweight.reporting.report.results import Results

# \fw{key} is an error where there is no such number, not a gap in the text
MACRO = r"""\providecommand{\fw}[1]{\ifcsname fw@\detokenize{#1}\endcsname\csname fw@\detokenize{#1}\endcsname
  \else\errmessage{fairweight: there is no number of this key: \detokenize{#1}}\fi}
\newcommand{\fwset}[2]{\expandafter\gdef\csname fw@\detokenize{#1}\endcsname{#2}}
"""


def numbers(results: Results) -> list[Number]:
    """Every number of a study, each under its own key.

    Raises:
        ValueError: two numbers have the same key.
    """
    by_key: dict[str, Number] = {}
    keys = Keys(results)
    parts = (_of_data, _of_variants, _of_language, _of_changes, decision_numbers)
    for number in [*_of_study(results), *(number for part in parts for number in part(results, keys))]:
        if number.key in by_key:
            raise ValueError(f"two numbers have the key {number.key!r}")
        by_key[number.key] = number
    return list(by_key.values())


def macros(entries: list[Number]) -> str:
    """Content of `numbers.tex`: a macro definition for each number."""
    lines = [f"\\fwset{{{n.key}}}{{{n.text}}}% {latex.escape(n.unit)} {n.source}" for n in entries]
    return "% Every number of the study, written again by each run.\n" + MACRO + "\n".join(lines) + "\n"


def frame(entries: list[Number]) -> pd.DataFrame:
    """The same numbers as a table, a row each."""
    return pd.DataFrame(
        [{"key": n.key, "value": n.value, "unit": n.unit, "text": n.text, "source": n.source} for n in entries]
    )


def _of_study(results: Results) -> Iterator[Number]:
    yield from _names(results)
    yield from _counts(results)
    source, criteria = "summary/provenance.json", results.study["criteria"]
    shares = {"error-rate": criteria["error_rate"], **{f"margin/{slug(k)}": v for k, v in criteria["margins"].items()}}
    for key, value in shares.items():
        yield Number(key, latex.escape(as_stated(value, 100)), value, "%", source)
    yield from _usage(results)
    intensity = results.provenance["intensity"]["g_per_kwh"]
    yield Number("carbon-intensity", latex.number_text(intensity, 0), intensity, "gCO2e/kWh", source)


def _names(results: Results) -> Iterator[Number]:
    about = results.provenance
    names = {
        "study": results.study["name"],
        "version": about["fairweight"],
        "commit": about["commit"] or "unknown",
        "python": about["python"],
        "processor": about["host"]["processor"],
        "country": about["intensity"]["name"],
    }
    for key, value in names.items():
        yield Number(key, latex.escape(value), value, "", "summary/provenance.json")


def _counts(results: Results) -> Iterator[Number]:
    about, counted = results.provenance, "summary/assessments.parquet"
    counts = {
        "datasets": len(results.datasets),
        "variants": results.assessments["variant"].nunique(),
        "compared": len(results.comparisons["variant"].unique()),
        "seeds": results.assessments["seed"].nunique(),
        "cells": about["cells"],
        "cores": about["host"]["cores"],
    }
    for key, value in counts.items():
        yield Number(key, f"{value:,}", value, "", "summary/provenance.json" if key in ("cells", "cores") else counted)
    for key in ("datasets", "variants", "seeds"):
        yield Number(f"{key}/counted", count(counts[key], key.removesuffix("s")), counts[key], "", counted)


def _usage(results: Results) -> Iterator[Number]:
    usage, source = of_study(results.rules), "summary/rules.parquet"
    energies = {"energy": usage.energy_j, "energy/low": usage.energy_j_low, "energy/high": usage.energy_j_high}
    for key, value in energies.items():
        yield Number(key, latex.amount(value, 1e-3), value, "kJ", source)
    yield Number("emissions", latex.escape(significant(usage.emissions_g)), usage.emissions_g, "gCO2e", source)
    yield Number("cpu-seconds", latex.number_text(usage.cpu_s, 0), usage.cpu_s, "CPU-s", source)
    yield Number("steps", latex.number_text(usage.attempts, 0), usage.attempts, "", source)


def _of_data(results: Results, keys: Keys) -> Iterator[Number]:
    for card in results.cards:
        source = f"data/{card['dataset']}/card.json"
        yield Number(f"{card['dataset']}/rows", f"{card['rows']:,}", card["rows"], "", source)
        yield Number(f"{card['dataset']}/title", latex.escape(card["title"]), card["title"], "", source)
        for attribute, groups in card["groups"].items():
            for group in groups:
                name = keys.groups[card["dataset"], attribute][str(group["group"])]
                key = f"{card['dataset']}/share/{slug(attribute)}/{name}"
                yield Number(key, latex.number_text(group["share"], 1, 100), group["share"], "%", source)


def _of_variants(results: Results, keys: Keys) -> Iterator[Number]:
    source = "summary/variants.parquet"
    for _, row in results.variants.iterrows():
        record, key = measure(row["measure"]), keys.measure_key(row, row["measure"])
        yield Number(key, record.text(row["mean"], writer=LATEX), row["mean"], record.unit, source)
        yield Number(f"{key}/sd", record.text(row["sd"], writer=LATEX), row["sd"], record.unit, source)
    sizes = results.measured("transfer_bytes")
    for _, row in sizes.iterrows():
        siblings = sizes[(sizes[COMPARISON] == row[COMPARISON]).all(axis=1)]
        base = siblings[siblings["variant"] == row["baseline"]]
        if len(base) and row["variant"] != row["baseline"]:
            times = float(base.iloc[0]["mean"] / row["mean"])
            yield Number(f"{keys.cell_key(row)}/times-smaller", latex.number_text(times, 1), times, "", source)


def _of_language(results: Results, keys: Keys) -> Iterator[Number]:
    """Bounds of the intervals of language models, which depend on no seed."""
    source = "summary/language.parquet"
    for _, row in results.language.drop_duplicates(CELL).iterrows():
        for record in (record for record in RECORDS if record.interval):
            for end in ("low", "high"):
                value = row[f"{record.interval}_{end}"]
                if not missing(value):
                    key = f"{keys.measure_key(row, record.key)}/{end}"
                    yield Number(key, record.text(value, writer=LATEX), value, record.unit, source)


def _of_changes(results: Results, keys: Keys) -> Iterator[Number]:
    rows = results.comparisons
    if rows.empty:
        return
    rows = rows[rows["metric"].isin(["accuracy", "worst_group_accuracy", "churn"]) & rows["attribute"].ne("class")]
    source = "summary/comparisons.parquet"
    for _, row in rows.iterrows():
        changes = row["metric"] != "churn"  # churn is a share, not a change
        key = keys.measure_key(row, f"change-{row['metric']}" if changes else "churn")
        for suffix, column in (("", "value"), ("/low", "low"), ("/high", "high")):
            text = measure(row["metric"]).text(row[column], signed=changes, writer=LATEX)
            yield Number(key + suffix, text, row[column], "points", source)
