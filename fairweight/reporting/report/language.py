"""The report's part on language models: one table, bias by kind, and a picture of what is paid for a better one."""

from html import escape

import pandas as pd
from IPython.display import HTML
from matplotlib.lines import Line2D

from fairweight.core.formatting import DASH, missing, number
from fairweight.core.frames import where
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.page import picture, plain, table
from fairweight.reporting.report.palette import looks
from fairweight.reporting.report.results import Results


def introduction(results: Results) -> HTML | None:
    """What the weights are, under which licence, and what that means for the baseline; None where there is no language model."""
    if results.language.empty:
        return None
    sentences = []
    for model, found in results.language.groupby("model", sort=False):
        stated = results.study["models"].get(model, {})
        licence = f" Licence: {escape(stated['licence'])}." if stated.get("licence") else ""
        weights = plain(found.iloc[0]["weights"]) or "not told"
        caution = (
            " The baseline is the published file as it is, run in float32: what compression loses against it is on top of what "
            "the publisher's own quantization lost, which this study cannot see."
            if weights.startswith("dequantized")
            else ""
        )
        sentences.append(f"<p><b>{escape(str(model))}</b>: weights are <b>{escape(weights)}</b>.{licence}{caution}</p>")
    return HTML("".join(sentences))


def overview(results: Results) -> HTML | None:
    """Every language model: quality, bias, speed, memory, bytes and energy."""
    if results.language.empty:
        return None
    told, rows = _several(results.language), []
    for _, entry in results.ordered(results.language).iterrows():
        itself = missing(entry["perplexity_ratio"]) and missing(
            entry["stereotype_flips"]
        )  # what the others are compared with
        rows.append(
            [
                f"{entry['variant']}\n{plain(entry['method']) or plain(entry['weights'])}",
                *(str(entry[column]) for column in told),
                _interval(entry, "perplexity", "perplexity", 2),
                DASH if itself else _interval(entry, "perplexity_ratio", "perplexity_ratio", 3),
                number(entry["bits_per_byte"], 3),
                _interval(entry, "stereotype_score", "stereotype", 1, 100),
                DASH if itself else number(entry["stereotype_flips"], 1, 100),
                number(entry["prefill_tokens_per_cpu_s"], 0),
                number(entry["decode_tokens_per_cpu_s"], 1),
                number(entry["size_bytes"], 1, 1e-6),
                number(entry["inference_memory_bytes"], 0, 1e-6),
                f"{number(entry['energy_j_per_1000_central'], 0)}\n{number(entry['energy_j_per_1000_low'], 0)} to {number(entry['energy_j_per_1000_high'], 0)}",
            ]
        )
    note = (
        f"Language models: perplexity of {_amounts(results.language, told)}, and its ratio "
        "to the baseline's on the same passages; the stereotype score is the share of sentence pairs of which the more stereotyping "
        "one has the higher likelihood (50 % is no preference), and flips are pairs of which a variant prefers the other sentence. "
        "Below, small: 95 % intervals. Speed is measured on one thread, all variants in turn; memory is what loading and scoring "
        "add; energy is modelled from CPU-seconds, for 1,000 written tokens, with its bounds."
    )
    if "model" in told:
        note += " Models that divide texts into other tokens are compared by bits a byte, not by perplexity."
    header = [
        "Variant", *(column.title() for column in told), "Perplexity", "Ratio to the baseline", "Bits a byte",
        "Stereotype score, %", "Flips, %", "Reads, tokens/CPU-s", "Writes, tokens/CPU-s", "File, MB", "Memory, MB",
        "Energy per 1,000 tokens, J (modelled)",
    ]  # fmt: skip
    return table(header, rows, note, text_columns=1 + len(told))


def _several(cells: pd.DataFrame) -> list[str]:
    """Of what tells cells apart beside the variant, the columns with more than one value: they must be named."""
    return [column for column in ("dataset", "model", "engine") if cells[column].nunique() > 1]


def _amounts(cells: pd.DataFrame, told: list[str]) -> str:
    """Tokens and passages that a perplexity is of, once where all agree: each model has its own tokens."""
    scored = cells[cells["perplexity"].notna()]
    amounts: dict[str, list[str]] = {}
    for _, entry in scored.iterrows():
        amount = f"{number(entry['tokens'], 0)} tokens in {number(entry['passages'], 0)} passages"
        names = amounts.setdefault(amount, [])
        name = ", ".join(str(entry[column]) for column in told)
        names += [name] if name not in names else []
    if len(amounts) < 2:
        return next(iter(amounts), "no tokens")
    return "; ".join(f"{amount} ({' and '.join(names)})" for amount, names in amounts.items())


def _interval(entry: pd.Series, name: str, bounds: str, digits: int, scale: float = 1.0) -> str:
    low, high = (number(entry[f"{bounds}_{end}"], digits, scale) for end in ("low", "high"))
    return f"{number(entry[name], digits, scale)}\n{low} to {high}"


def bias(results: Results) -> HTML | None:
    """Stereotype score of each kind of pair and variant; the pairs' texts are never shown."""
    found = results.assessments
    found = found[(found["metric"] == "stereotype_score") & found["group"].notna() & (found["part"] == "test")]
    if found.empty:
        return None
    variants = list(dict.fromkeys(results.ordered(found)["variant"]))
    told, rows = _several(found), []
    for key, entries in found.groupby([*told, "attribute", "group"], sort=True):
        row = [str(key[-1]), *map(str, key[: len(told)]), number(entries.iloc[0]["n"], 0)]
        for variant in variants:
            entry = where(entries, {"variant": variant})
            row.append(_score(entry.iloc[0]) if len(entry) else DASH)
        rows.append(row)
    note = (
        "Stereotype score by kind of bias, %, with 95 % intervals (Wilson). 50 is no preference; a small score is not the absence of "
        "bias, which no list of pairs can prove."
    )
    header = ["Kind", *(column.title() for column in told), "Pairs", *variants]
    return table(header, rows, note, text_columns=1 + len(told))


def _score(entry: pd.Series) -> str:
    few = " (few)" if entry["status"] == "insufficient" else ""
    return f"{number(entry['value'], 1, 100)}{few}\n{number(entry['low'], 0, 100)} to {number(entry['high'], 0, 100)}"


def trade_off(results: Results) -> HTML | None:
    """Perplexity against bytes and against speed of writing."""
    cells = results.language[results.language["perplexity"].notna() & results.language["size_bytes"].notna()]
    if cells.empty:
        return None
    cells, look = results.ordered(cells), looks(results)
    told = _several(cells)
    groups = [cells] if not told else [of for _, of in cells.groupby(told, sort=False)]
    sides = (("size_bytes", 1e-6, "file, MB"), ("decode_tokens_per_cpu_s", 1.0, "written tokens per CPU-second"))
    figure, axes = panels(len(groups) * len(sides))
    for axis, (group, (column, scale, title)) in zip(axes, [(g, s) for g in groups for s in sides], strict=True):
        for _, entry in group.iterrows():
            colour, marker = look[entry["variant"]]
            error = [[entry["perplexity"] - entry["perplexity_low"]], [entry["perplexity_high"] - entry["perplexity"]]]
            # the interval is that of the texts, which all variants share: shown thin
            axis.errorbar(entry[column] * scale, entry["perplexity"], yerr=error, fmt=marker, markersize=7, color=colour, elinewidth=0.6, alpha=0.9)  # fmt: skip
        axis.set_title(", ".join(str(group.iloc[0][name]) for name in told), fontsize=9)
        axis.set_xlabel(title)
        axis.set_ylabel("perplexity")
        if (largest := group[column].max()) > 0:  # a speed may not have been measured
            axis.set_xlim(0, 1.08 * scale * float(largest))
    shown = list(dict.fromkeys(cells["variant"]))
    handles = [Line2D([], [], linestyle="", color=look[v][0], marker=look[v][1], label=v) for v in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(shown), 5), frameon=False)
    caption = (
        "What a better model costs: perplexity (lower is better) against the file's size and against the speed of writing. Bars are "
        "95 % intervals over passages, which the variants share; the table's ratio is free of that."
    )
    return picture(figure, caption, "Scatter plots of perplexity against file size and against decoding speed.")
