"""Language models in the report: a table of all measures, bias by kind, and the trade-off of quality and resources."""

import itertools
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fairweight.core.formatting import DASH, TWO_LINES, count, missing, number, with_interval
from fairweight.core.frames import where
from fairweight.core.shown_measures import LANGUAGE_FILE_SIZE, ShownMeasure, measure
from fairweight.reporting.report.columns import INTERVAL
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.page import picture, plain, table
from fairweight.reporting.report.palette import looks
from fairweight.reporting.report.results import Results, varying

KEYS = ("dataset", "model", "engine")  # columns that must be shown where they vary
PERPLEXITY = measure("perplexity")
SCORE, ANSWERS = measure("stereotype_score"), measure("choice_accuracy")
AGAINST_BASELINE = ("perplexity_ratio", "stereotype_flips", "choice_flips")  # the baseline itself has none
OPTIONAL = ("choice_accuracy", "choice_flips", "bits_per_weight")  # not measured in every study
SHOWN = (
    PERPLEXITY,
    measure("perplexity_ratio"),
    measure("bits_per_byte"),
    SCORE,
    measure("stereotype_flips"),
    ANSWERS,
    measure("choice_flips"),
    measure("prefill_tokens_per_cpu_s"),
    measure("decode_tokens_per_cpu_s"),
    LANGUAGE_FILE_SIZE,
    measure("bits_per_weight"),
    measure("inference_memory_bytes"),
)


def introduction(results: Results) -> HTML | None:
    """Origin and licence of the weights, and what they mean for the baseline; None where there is no language model."""
    if results.language.empty:
        return None
    paragraphs = []
    for model, entries in results.language.groupby("model", sort=False):
        recipe = results.study["models"].get(model, {})
        licence = f" Licence: {escape(recipe['licence'])}." if recipe.get("licence") else ""
        weights = plain(entries.iloc[0]["weights"]) or "not stated"
        caution = (
            " The baseline is the published file as it is, run in float32. What compression loses against it comes "
            "on top of what the publisher's own quantization has lost, which this study cannot measure."
            if weights.startswith("dequantized")
            else ""
        )
        paragraphs.append(
            f"<p><b>{escape(str(model))}</b>: weights are <b>{escape(weights)}</b>.{licence}{caution}</p>"
        )
    return HTML("".join(paragraphs))


def overview(results: Results) -> HTML | None:
    """Table of the quality, bias, speed, memory, size and energy of every language model; None where there is none."""
    if results.language.empty:
        return None
    keys = varying(results.language, KEYS)
    measured = results.language.dropna(axis=1, how="all")
    shown = [record for record in SHOWN if record.key in measured or record.key not in OPTIONAL]
    rows = [
        [
            f"{entry['variant']}\n{plain(entry['method']) or plain(entry['weights'])}",
            *(str(entry[key]) for key in keys),
            *(_value(entry, record) for record in shown),
            _energy(entry),
        ]
        for _, entry in results.ordered(results.language).iterrows()
    ]
    notes = (
        f"Perplexity is that of {_amounts(results.language, keys)}; its ratio is to the baseline on the same "
        f"passages. The {SCORE.title.lower()} is the share of sentence pairs in which the more stereotypical sentence "
        "has the higher likelihood (50 % is no preference); flips are pairs in which the variant and the baseline "
        "prefer different sentences. The chosen answer to a question has the highest likelihood per byte. Bits per "
        "weight are those in the file, with scales and zero points. Small numbers are 95 % intervals. Speed is "
        "measured on one thread, all variants taking turns. Memory is the growth of the process while it loads and "
        "scores. Energy is modelled from CPU-seconds for 1,000 generated tokens, with the bounds of the model."
    )
    if "model" in keys:
        notes += " Models with different tokenizers can be compared by bits per byte, not by perplexity."
    header = ["Variant", *map(str.title, keys), *(record.heading for record in shown)]
    header.append("Energy per 1,000 tokens, J (modelled)")
    return table(header, rows, "Language models.", notes=notes, text_columns=1 + len(keys))


def _value(entry: pd.Series, record: ShownMeasure) -> str:
    """A measure of a variant, with its interval over texts if it has one."""
    if record.key in AGAINST_BASELINE and all(missing(entry[key]) for key in AGAINST_BASELINE):
        return DASH
    if record.interval is None:
        return record.text(entry[record.key])
    low, high = (entry[f"{record.interval}_{end}"] for end in ("low", "high"))
    return record.with_interval(entry[record.key], low, high, writer=TWO_LINES)


def _energy(entry: pd.Series) -> str:
    """Energy of 1,000 tokens in J, with the bounds of the model."""
    central, low, high = (entry[f"energy_j_per_1000_{bound}"] for bound in ("central", "low", "high"))
    return with_interval(central, low, high, 0, writer=TWO_LINES)


def _amounts(cells: pd.DataFrame, keys: list[str]) -> str:
    """Tokens and passages that a perplexity is computed on, once where all agree: each model has its own tokens."""
    scored = cells[cells["perplexity"].notna()]
    amounts: dict[str, list[str]] = {}
    for _, entry in scored.iterrows():
        amount = f"{number(entry['tokens'], 0)} tokens in {count(int(entry['passages']), 'passage')}"
        names = amounts.setdefault(amount, [])
        name = ", ".join(str(entry[key]) for key in keys)
        names += [name] if name not in names else []
    if len(amounts) < 2:
        return next(iter(amounts), "no tokens")
    return "; ".join(f"{amount} ({' and '.join(names)})" for amount, names in amounts.items())


def bias(results: Results) -> HTML | None:
    """Table of the stereotype score of each kind of pairs and variant; the texts of the pairs are never shown."""
    notes = (
        f"Small numbers are {INTERVAL}s (Wilson). 50 is no preference. A score near 50 does not show that a model is "
        "free of bias; no list of pairs can show that."
    )
    return _by_group(results, SCORE, "Pairs", f"{SCORE.title} by kind of bias, {SCORE.unit}.", notes)


def answers(results: Results) -> HTML | None:
    """Table of the accuracy of answers of each kind of questions and variant; the texts are never shown."""
    notes = (
        f"Small numbers are {INTERVAL}s (Wilson). The chosen answer has the highest likelihood per byte, given the "
        "question."
    )
    return _by_group(results, ANSWERS, "Questions", f"{ANSWERS.title} by kind of question, {ANSWERS.unit}.", notes)


def _by_group(results: Results, shown: ShownMeasure, counted: str, caption: str, notes: str) -> HTML | None:
    """Table of a share in each group and variant; None where it was not measured."""
    scores = results.assessments
    scores = scores[(scores["metric"] == shown.key) & scores["group"].notna() & (scores["part"] == "test")]
    if scores.empty:
        return None
    variants = list(dict.fromkeys(results.ordered(scores)["variant"]))
    keys, rows = varying(scores, KEYS), []
    for key, entries in scores.groupby([*keys, "attribute", "group"], sort=True):
        row = [str(key[-1]), *map(str, key[: len(keys)]), number(entries.iloc[0]["n"], 0)]
        for variant in variants:
            entry = where(entries, {"variant": variant})
            row.append(_share(shown, entry.iloc[0]) if len(entry) else DASH)
        rows.append(row)
    header = ["Kind", *map(str.title, keys), counted, *variants]
    return table(header, rows, caption, notes=notes, text_columns=1 + len(keys))


def _share(shown: ShownMeasure, entry: Any) -> str:
    text = shown.with_interval(entry["value"], entry["low"], entry["high"], writer=TWO_LINES)
    return text.replace("\n", " (few)\n", 1) if entry["status"] == "insufficient" else text


def trade_off(results: Results) -> HTML | None:
    """Figure of perplexity against file size and decode speed; None where neither is known."""
    cells = results.language[
        results.language[PERPLEXITY.key].notna() & results.language[LANGUAGE_FILE_SIZE.key].notna()
    ]
    if cells.empty:
        return None
    cells, look = results.ordered(cells), looks(results)
    keys = varying(cells, KEYS)
    groups = [part for _, part in cells.groupby(keys, sort=False)] if keys else [cells]
    usages = (LANGUAGE_FILE_SIZE, measure("decode_tokens_per_cpu_s"))
    figure, axes = panels(len(groups) * len(usages))
    for axis, (group, usage) in zip(axes, itertools.product(groups, usages), strict=True):
        _scatter(axis, group, usage, look)
        axis.set_title(", ".join(str(group.iloc[0][key]) for key in keys), fontsize=9)
    shown = list(dict.fromkeys(cells["variant"]))
    handles = [Line2D([], [], linestyle="", color=look[v][0], marker=look[v][1], label=v) for v in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(shown), 5), frameon=False)
    return picture(
        figure,
        "Perplexity against file size and decode speed.",
        "Scatter plots of perplexity against file size and against decode speed.",
        "Lower perplexity is better. Bars are 95 % intervals over passages. All variants share the passages; the "
        "ratio in the table is free of their difficulty.",
    )


def _scatter(axis: Axes, group: pd.DataFrame, usage: ShownMeasure, look: dict[str, tuple[str, str]]) -> None:
    """Draw the perplexity of the variants against one resource usage."""
    for _, entry in group.iterrows():
        colour, marker = look[entry["variant"]]
        value, low, high = (entry[f"{PERPLEXITY.key}{end}"] for end in ("", "_low", "_high"))
        axis.errorbar(
            usage.scaled(entry[usage.key]),
            value,
            yerr=[[value - low], [high - value]],
            fmt=marker,
            markersize=7,
            color=colour,
            elinewidth=0.6,  # thin: the interval is that of the texts, which all variants share
            alpha=0.9,
        )
    axis.set_xlabel(usage.heading)
    axis.set_ylabel(PERPLEXITY.heading)
    if (largest := group[usage.key].max()) > 0:  # a speed may not have been measured
        axis.set_xlim(0, 1.08 * usage.scaled(float(largest)))
