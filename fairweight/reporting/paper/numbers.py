r"""Every number that an article may cite, by key: `\fw{adult/mlp/int8/accuracy}`.

A key is a lineage, as paths are: dataset, model, variant, measure, then attribute and group where there are any; an
augmentation stands before the model where it is not `none`, an engine after the variant where a study has several.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairweight.core.formatting import as_stated, count, missing, p_value, significant
from fairweight.core.lineage import CELL
from fairweight.energy.footprint import of_study
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.latex import slug
from fairweight.reporting.report.results import Results

# how a measure is shown: digits, scale, unit
SHARE = (2, 100.0, "%")
SHOWN = {
    "transfer_bytes": (1, 1e-3, "kB"),
    "size_bytes": (1, 1e-3, "kB"),
    "latency_p50_ms": (1, 1e3, "µs"),
    "latency_p95_ms": (1, 1e3, "µs"),
    "cpu_s_per_1000": (4, 1.0, "CPU-s"),
    "energy_j_per_1000": (4, 1.0, "J"),
    "making_cpu_s": (1, 1.0, "CPU-s"),
    "making_energy_j": (1, 1.0, "J"),
    "log_loss": (3, 1.0, "nats"),
    "auc": (3, 1.0, ""),
    "perplexity": (2, 1.0, ""),
    "perplexity_ratio": (3, 1.0, ""),
    "bits_per_byte": (3, 1.0, "bits"),
    "prefill_tokens_per_cpu_s": (0, 1.0, "tokens/CPU-s"),
    "decode_tokens_per_cpu_s": (1, 1.0, "tokens/CPU-s"),
}
# measures of language models that have an interval in the summary -> what its bounds are called there
LANGUAGE = {"perplexity": "perplexity", "perplexity_ratio": "perplexity_ratio", "stereotype_score": "stereotype"}
# \fw{key} is an error where there is no such number, not a gap in the text
MACRO = r"""\providecommand{\fw}[1]{\ifcsname fw@\detokenize{#1}\endcsname\csname fw@\detokenize{#1}\endcsname
  \else\errmessage{fairweight: there is no number of this key: \detokenize{#1}}\fi}
\newcommand{\fwset}[2]{\expandafter\gdef\csname fw@\detokenize{#1}\endcsname{#2}}
"""


@dataclass(frozen=True)
class Number:
    """A number with what it is called, how it reads, and where it comes from."""

    key: str
    text: str  # LaTeX
    value: Any
    unit: str
    source: str  # file below the study's folder


def numbers(results: Results) -> list[Number]:
    """Every number, keys told apart."""
    found: dict[str, Number] = {}
    keys = Keys(results)
    parts = (_of_data, _of_variants, _of_language, _of_changes, _of_decisions)
    for number in [*_of_study(results), *(number for part in parts for number in part(results, keys))]:
        if number.key in found:
            raise ValueError(f"two numbers have the key {number.key!r}")
        found[number.key] = number
    return list(found.values())


def macros(found: list[Number]) -> str:
    """`numbers.tex`."""
    lines = [f"\\fwset{{{n.key}}}{{{n.text}}}% {latex.escape(n.unit)} {n.source}" for n in found]
    return "% Every number of the study, made anew with it.\n" + MACRO + "\n".join(lines) + "\n"


def frame(found: list[Number]) -> pd.DataFrame:
    """The same as a table."""
    return pd.DataFrame([{"key": n.key, "value": n.value, "unit": n.unit, "text": n.text, "source": n.source} for n in found])  # fmt: skip


def _of_study(results: Results) -> Iterator[Number]:
    about, usage = results.provenance, of_study(results.steps)
    source = "summary/provenance.json"
    criteria = results.study["criteria"]
    compared = results.comparisons["variant"].unique()
    for key, value in {
        "study": results.study["name"], "version": about["fairweight"], "commit": about["commit"] or "unknown",
        "python": about["python"], "processor": about["host"]["processor"], "country": about["intensity"]["name"],
    }.items():  # fmt: skip
        yield Number(key, latex.escape(value), value, "", source)
    counts = {"datasets": len(results.datasets), "variants": results.assessments["variant"].nunique(),
              "compared": len(compared), "seeds": results.assessments["seed"].nunique(), "cells": about["cells"],
              "cores": about["host"]["cores"]}  # fmt: skip
    for key, found in counts.items():
        yield Number(
            key, f"{found:,}", found, "", source if key in ("cells", "cores") else "summary/assessments.parquet"
        )
    for key in ("datasets", "variants", "seeds"):
        said = count(counts[key], key.removesuffix("s"))
        yield Number(f"{key}/counted", said, counts[key], "", "summary/assessments.parquet")
    criteria_of = {
        "error-rate": criteria["error_rate"],
        **{f"margin/{slug(k)}": v for k, v in criteria["margins"].items()},
    }
    for key, value in criteria_of.items():
        yield Number(key, latex.escape(as_stated(value, 100)), value, "%", source)
    energies = {"energy": usage.energy_j, "energy/low": usage.energy_j_low, "energy/high": usage.energy_j_high}
    for key, value in energies.items():
        yield Number(key, latex.modelled(value, 1e-3), value, "kJ", "summary/steps.parquet")
    grams = usage.emissions_g
    yield Number("emissions", latex.escape(significant(grams)), grams, "gCO2e", "summary/steps.parquet")
    for key, value, unit in (("cpu-seconds", usage.cpu_s, "CPU-s"), ("steps", usage.jobs, "")):
        yield Number(key, latex.figure_text(value, 0), value, unit, "summary/steps.parquet")
    intensity = about["intensity"]["g_per_kwh"]
    yield Number("carbon-intensity", latex.figure_text(intensity, 0), intensity, "gCO2e/kWh", source)


def _of_data(results: Results, keys: "Keys") -> Iterator[Number]:
    for card in results.cards:
        source = f"data/{card['dataset']}/card.json"
        yield Number(f"{card['dataset']}/rows", f"{card['rows']:,}", card["rows"], "", source)
        yield Number(f"{card['dataset']}/title", latex.escape(card["title"]), card["title"], "", source)
        for attribute, groups in card["groups"].items():
            for group in groups:
                name = keys.groups[card["dataset"], attribute][str(group["group"])]
                key = f"{card['dataset']}/share/{slug(attribute)}/{name}"
                yield Number(key, latex.figure_text(group["share"], 1, 100), group["share"], "%", source)


def _told_apart(names: Iterable[str]) -> dict[str, str]:
    """Parts of keys for groups, which may hold anything: a number follows where two would be alike, whatever their order."""
    found: dict[str, str] = {}
    for name in sorted(set(names), key=lambda n: (slug(n) != n, n)):  # a name that is a key already keeps it
        part, count = slug(name), 1
        while part in found.values():
            count += 1
            part = f"{slug(name)}-{count}"
        found[name] = part
    return found


class Keys:
    """Keys of rows, the same in all tables of a study."""

    def __init__(self, results: Results) -> None:
        self.engines = results.variants["engine"].nunique() > 1
        self.smallest = results.study["profile"]["batch_sizes"][0]
        names: dict[tuple[str, str], set[str]] = {}
        for card in results.cards:
            for attribute, groups in card["groups"].items():
                names.setdefault((card["dataset"], attribute), set()).update(str(g["group"]) for g in groups)
        columns = ["dataset", "attribute", "group"]
        for table in (results.variants, results.comparisons):
            for dataset, attribute, group in table.reindex(columns=columns).dropna().drop_duplicates().to_numpy():
                names.setdefault((dataset, attribute), set()).add(group)
        self.groups = {place: _told_apart(found) for place, found in names.items()}

    def of_cell(self, row: Any) -> str:
        """Dataset, augmentation, model, variant, engine."""
        augmentation = [] if row["augmentation"] == "none" else [row["augmentation"]]
        engine = [row["engine"]] if self.engines else []
        return "/".join([row["dataset"], *augmentation, row["model"], row["variant"], *engine])

    def of(self, row: Any, measure: str) -> str:
        """The same, with measure, attribute and group."""
        parts = [self.of_cell(row), measure]
        if isinstance(row.get("attribute"), str):
            parts.append(slug(row["attribute"]))
            if isinstance(row.get("group"), str):
                parts.append(self.groups[row["dataset"], row["attribute"]][row["group"]])
        batch = row.get("batch_size")
        if batch is not None and not missing(batch) and int(batch) != self.smallest:
            parts.append(f"batch-{int(batch)}")
        return "/".join(parts)


def _of_variants(results: Results, keys: Keys) -> Iterator[Number]:
    source = "summary/variants.parquet"
    for _, row in results.variants.iterrows():
        digits, scale, unit = SHOWN.get(row["measure"], SHARE)
        key = keys.of(row, row["measure"])
        yield Number(key, latex.figure_text(row["mean"], digits, scale), row["mean"], unit, source)
        yield Number(f"{key}/sd", latex.figure_text(row["sd"], digits, scale), row["sd"], unit, source)
    sizes = results.measured("transfer_bytes")
    for _, row in sizes.iterrows():
        same = sizes[(sizes[["dataset", "augmentation", "model", "engine"]] == row[["dataset", "augmentation", "model", "engine"]]).all(axis=1)]  # fmt: skip
        base = same[same["variant"] == row["baseline"]]
        if len(base) and row["variant"] != row["baseline"]:
            times = float(base.iloc[0]["mean"] / row["mean"])
            yield Number(f"{keys.of_cell(row)}/times-smaller", latex.figure_text(times, 1), times, "", source)


def _of_language(results: Results, keys: Keys) -> Iterator[Number]:
    """Intervals of what is measured of language models, which depend on no seed."""
    for _, row in results.language.drop_duplicates(CELL).iterrows():
        for measure, bounds in LANGUAGE.items():
            digits, scale, unit = SHOWN.get(measure, SHARE)
            for end in ("low", "high"):
                value = row[f"{bounds}_{end}"]
                if not missing(value):
                    yield Number(f"{keys.of(row, measure)}/{end}", latex.figure_text(value, digits, scale), value, unit, "summary/language.parquet")  # fmt: skip


def _of_changes(results: Results, keys: Keys) -> Iterator[Number]:
    rows = results.comparisons
    if rows.empty:
        return
    rows = rows[rows["metric"].isin(["accuracy", "worst_group_accuracy", "churn"]) & rows["attribute"].ne("class")]
    source = "summary/comparisons.parquet"
    for _, row in rows.iterrows():
        key = keys.of(row, f"change-{row['metric']}" if row["metric"] != "churn" else "churn")
        for suffix, column in (("", "value"), ("/low", "low"), ("/high", "high")):
            signed = row["metric"] != "churn"
            yield Number(key + suffix, latex.figure_text(row[column], 2, 100, signed), row[column], "points", source)


def _of_decisions(results: Results, keys: Keys) -> Iterator[Number]:
    source = "summary/decisions.parquet"
    for _, row in results.decisions[results.decisions["verdict"].notna()].iterrows():
        key = keys.of_cell(row)
        yield Number(f"{key}/verdict", latex.escape(row["verdict"]), row["verdict"], "", source)
        yield Number(f"{key}/p-value", latex.escape(p_value(row["p_value"])), row["p_value"], "", source)
    for (dataset, model), family in results.decisions.groupby(["dataset", "model"]):
        chosen = family[family["recommended"]]["variant"]
        name = chosen.iloc[0] if len(chosen) else "none"
        yield Number(f"{dataset}/{model}/recommended", latex.escape(name), name, "", source)
