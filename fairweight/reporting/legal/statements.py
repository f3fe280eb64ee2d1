"""Statements that several documents share: models, data, accuracy by group, compute and energy, tests."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from fairweight.core.formatting import DASH, as_stated, count, missing, number, points, with_interval
from fairweight.core.frames import where
from fairweight.core.operations import OPERATIONS
from fairweight.core.shown_measures import measure
from fairweight.energy.amounts import of_study
from fairweight.energy.footprint import of_model
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.evidence import Measured, measured
from fairweight.reporting.hub.files import KEYS, Cell, shipped_file
from fairweight.reporting.hub.markdown import MARKDOWN, escape
from fairweight.reporting.report.results import Results

WH = 3600.0


def recommended(results: Results) -> Iterator[tuple[Cell, str]]:
    """(cell, engine) of every file that the study recommends to ship."""
    rows = results.decisions
    for row in rows[rows["recommended"].fillna(False).astype(bool)].to_dict("records") if len(rows) else []:
        yield {key: row[key] for key in KEYS}, row["engine"]


def names_of(results: Results) -> str:
    """What the study recommends, one line each."""
    lines = [_name(results, cell, engine) for cell, engine in recommended(results)]
    return "\n".join(lines) or "The study recommends no file."


def _name(results: Results, cell: Cell, engine: str) -> str:
    made = OPERATIONS[results.operation(cell["variant"])].participle
    title, variant = _of(results, cell)
    return f"- {title}: {variant}, {escape(made)}, of model {escape(cell['model'])}, in engine {escape(engine)}"


def _of(results: Results, cell: Cell) -> list[str]:
    """Dataset and variant, with an augmentation other than `none`, as Markdown."""
    augmented = "" if cell["augmentation"] == "none" else f" (augmentation {escape(cell['augmentation'])})"
    return [escape(results.title(cell["dataset"])), f"{escape(cell['variant'])}{augmented}"]


def data(results: Results) -> str:
    """The datasets: rows, labels, licence, origin."""
    rows = []
    for card in results.cards:
        label = ", ".join(f"{escape(name)} {n:,}" for name, n in list(card["label"].items())[:6]) or "none"
        groups = ", ".join(map(escape, card["groups"])) or "none"
        rows.append(
            [escape(card["title"]), f"{card['rows']:,}", label, groups, escape(card["licence"] or "not stated")]
        )
    return markdown.table(["Dataset", "Rows", "Labels", "Groups by", "Licence"], rows, 5)


def parameters(results: Results) -> str:
    """Architecture and size of every file that is recommended."""
    rows = []
    for cell, engine in recommended(results):
        sizes = where(results.profiles, {**cell, "engine": engine})
        size = number(sizes["size_bytes"].mean(), 0) if len(sizes) else "not estimable"
        model = results.study["models"][cell["model"]]
        rows.append([*_of(results, cell), escape(cell["model"]), escape(model["architecture"]), size])
    return markdown.table(["Dataset", "Variant", "Model", "Architecture", "File, bytes"], rows, 4) if rows else ""


def by_group(results: Results, wanted: str = "accuracy") -> str:
    """Accuracy of the files that are recommended, over all test rows and by group, with intervals over the rows."""
    rows = []
    for cell, engine in recommended(results):
        file = shipped_file(results, cell)
        for entry in measured(results, {**cell, "engine": engine}, file.seed):
            if entry.metric == wanted:
                rows.append([*_of(results, cell), *_cells(entry)])
    header = ["Dataset", "Variant", "By", "Group", "This file, % (95 % interval)", "Test rows"]
    return markdown.table(header, rows, 4) if rows else ""


def _cells(entry: Measured) -> list[str]:
    record = measure(entry.metric)
    group = entry.group or ("all rows" if entry.attribute is None else DASH)
    value = record.with_interval(entry.own, entry.own_low, entry.own_high, writer=MARKDOWN)
    return [escape(entry.attribute or DASH), escape(group), value, f"{entry.rows:,}"]


def gaps(results: Results) -> str:
    """Differences between groups of the files that are recommended, beside what equal groups would show."""
    rows = []
    for cell, engine in recommended(results):
        file = shipped_file(results, cell)
        for entry in measured(results, {**cell, "engine": engine}, file.seed):
            if entry.by_chance is None:
                continue
            record = measure(entry.metric)
            change = record.with_interval(*entry.change, writer=MARKDOWN) if entry.change else DASH
            own, chance = (record.text(value, writer=MARKDOWN) for value in (entry.own, entry.by_chance))
            rows.append([*_of(results, cell), record.title, escape(entry.attribute), own, chance, change])
    header = ["Dataset", "Variant", "Measure", "By", "This file, points", "Expected for equal groups, points"]
    return markdown.table([*header, "Change from the baseline, points"], rows, 4) if rows else ""


def criteria(results: Results) -> str:
    """What was tested: criteria, margins and the error rate."""
    recipe = results.study["criteria"]
    margins = [f"{escape(name)} {_margin(value)}" for name, value in recipe["margins"].items() if value is not None]
    return (
        f"A compressed variant is recommended only if it is proven not to be worse than its baseline by more than a "
        f"margin ({', '.join(margins)}), at an error rate of {as_stated(recipe['error_rate'], 100)} % over all "
        f"variants of a comparison, with {count(int(results.study['seeds']), 'seed')} and the same test rows for all."
    )


def _margin(value: Any) -> str:
    return points(value) if isinstance(value, int | float) else escape(str(value))


def verdicts(results: Results) -> str:
    """Verdict on every variant."""
    rows = [
        [
            *(escape(row[key]) for key in (*KEYS, "engine")),
            escape(row["verdict"]),
            "" if missing(row["reason"]) else escape(row["reason"]),
        ]
        for row in results.decisions[results.decisions["verdict"].notna()].to_dict("records")
    ]
    header = ["Dataset", "Augmentation", "Model", "Variant", "Engine", "Verdict", "Reason"]
    return markdown.table(header, rows, 7) if rows else "Nothing was compared."


def compute(results: Results) -> str:
    """CPU-seconds and energy of the study, and of making each file that is recommended."""
    whole = of_study(results.rules)
    text = (
        f"The study used {number(whole.cpu_s)} CPU-seconds, {_energy(whole)} and {number(whole.emissions_g, 2)} gCO2e."
    )
    rows = []
    for cell, _ in recommended(results):
        lineage = lineage_of(results, cell["variant"])
        used = of_model(results.steps, cell, lineage)
        if used.attempts:
            rows.append(
                [*_of(results, cell), number(used.cpu_s), number(used.energy_j / WH, 3), number(used.emissions_g, 3)]
            )
    header = ["Dataset", "Variant", "CPU-seconds", "Energy, Wh (modelled)", "gCO2e (modelled)"]
    text += f"\n\nMaking one of the recommended files:\n\n{markdown.table(header, rows, 2)}" if rows else ""
    return f"{text}\nCPU-seconds are measured; energy and emissions are modelled. Operations (FLOPs) are not estimable."


def _energy(used: Any) -> str:
    value, low, high = (joules / WH for joules in (used.energy_j, used.energy_j_low, used.energy_j_high))
    return f"{with_interval(value, low, high, digits=2)} Wh"


def lineage_of(results: Results, variant: str) -> list[str]:
    """A variant and its ancestors, root last."""
    path = [variant]
    while parent := results.study["variants"][path[-1]].get("from"):
        path.append(parent)
    return path


def machine(results: Results) -> str:
    """Machine and versions that the study ran with."""
    host, about = results.provenance["host"], results.provenance
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in about["packages"].items())
    memory = number(host["memory_bytes"] / 2**30)
    return (
        f"{escape(host['processor'])} ({escape(host['isa'])}), {host['cores']} cores, {memory} GiB of memory, "
        f"{escape(host['system'])}; Python {escape(about['python'])}, {versions}."
    )


def leakage(results: Results) -> str:
    """What the audit of membership found of the files that are recommended; empty without an audit."""
    if results.privacy is None:
        return ""
    rows = []
    for cell, _ in recommended(results):
        audited = where(results.privacy, {**cell, "measure": "auc"})
        for row in audited[audited["attribute"].isna()].to_dict("records"):
            value = with_interval(row["value"], row["low"], row["high"], digits=3)
            rows.append([_of(results, cell)[1], escape(row["attack"]), value, f"{row['models']}"])
    table = markdown.table(["Variant", "Attack", "AUC (0.5 is guessing)", "Attacked models"], rows, 2)
    return f"Membership of training rows was attacked with shadow models:\n\n{table}" if rows else ""


def reasons(results: Results) -> str:
    """Most important inputs of the files that are recommended; empty without explanations."""
    if results.importances is None:
        return ""
    lines = []
    for cell, _ in recommended(results):
        shares = where(results.importances, cell).sort_values("value", ascending=False, kind="stable").head(5)
        names = [f"{escape(row['input'])} {number(row['value'], 0, 100)} %" for row in shares.to_dict("records")]
        if names:
            lines.append(f"- {escape(cell['variant'])}: {', '.join(names)}")
    text = "Share of the most important inputs in the decisions (mean absolute Shapley values of test rows):"
    return f"{text}\n\n{chr(10).join(lines)}" if lines else ""


def warnings(results: Results) -> str:
    """Warnings of the data cards and of the guards."""
    texts = [f"{card['title']}: {text}" for card in results.cards for text in card["warnings"]]
    guarded: pd.Series = results.guards["reason"] if len(results.guards) else pd.Series(dtype=object)
    return "\n".join(f"- {escape(text)}" for text in dict.fromkeys([*texts, *guarded]))
