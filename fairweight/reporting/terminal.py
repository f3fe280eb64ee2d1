"""The answer in the terminal: what to ship, and one line for each variant with what it costs and whom it changes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairweight.core.formatting import DASH, count, missing
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, FAMILY
from fairweight.core.operations import OPERATIONS
from fairweight.core.shown_measures import measure
from fairweight.reporting import goals as goals_in_words
from fairweight.reporting import guards
from fairweight.reporting.goals import GOALS
from fairweight.reporting.hub.tasks import lineage, replaces_original
from fairweight.reporting.report.results import Results
from fairweight.statistics.decision import PROVEN, REFUTED

SYMBOLS: dict[str, tuple[str, str]] = {
    PROVEN: ("\N{CHECK MARK} proven", "green"),
    REFUTED: ("\N{BALLOT X} refuted", "red"),
}
OPEN = ("? undecided", "yellow")
BASELINE = (DASH + " baseline", "dim")
POINTS = measure("accuracy")
LONGEST = 200  # characters of a reason
WIDTH = 120  # columns where the output is no terminal


def answer(results: Results, folder: str, console: Console | None = None) -> None:
    """Print the answer of every dataset, model and augmentation.

    Args:
        results: the study.
        folder: its folder, in which the files that ship are.
        console: where to print; by default standard output.
    """
    console = console or Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    decided = results.decisions
    if decided.empty:
        console.print("There is no decision: no variant is compared with a baseline.", markup=False)
        return
    for _, family in results.ordered(decided).groupby([*FAMILY, "engine"], sort=False):
        if family["verdict"].notna().any():
            _family(results, folder, family, console)


def _family(results: Results, folder: str, family: pd.DataFrame, console: Console) -> None:
    first = family.iloc[0]
    place = ", ".join([results.title(first["dataset"]), first["model"]])
    several = [name for name in ("augmentation", "engine") if results.decisions[name].nunique() > 1]
    place += "".join(f", {name} {first[name]}" for name in several)
    console.print()
    console.print(Text.assemble((place, "bold"), ": ", headline(results, family)))
    for line in guards.of_family(results, first[[*FAMILY, "engine"]]):
        console.print(Text.assemble(("! ", "bold red"), line))
    table = Table(box=None, pad_edge=False, header_style="bold")
    cost = GOALS["life_cycle_energy"]
    for heading, right in (
        ("Variant", False),
        ("Size", True),
        ("Latency", True),
        ("J per 1,000", True),
        ("Accuracy", True),
        ("Change, points", False),
        ("Who loses most, points", False),
        ("Verdict", False),
    ):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for _, row in family.iterrows():
        table.add_row(*_cells(results, row))
    console.print(table)
    for _, row in family[family["recommended"].astype(bool)].iterrows():
        console.print(Text(_file(results, folder, row[CELL])))
    for line in reasons(family):
        console.print(Text(line, "dim"))
    modelled = " Energy is modelled from CPU time." if cost.modelled else ""
    rows = _rows(results, first)
    console.print(Text(f"{rows}{modelled}", "dim"))


def headline(results: Results, family: pd.DataFrame) -> str:
    """What to ship of one family, and what it saves."""
    first = family.iloc[0]
    rows = where(results.goals, {**first[FAMILY], "engine": first["engine"]})
    chosen = rows[rows["chosen"].astype(bool)].to_dict("records")
    if not chosen:
        names = ", ".join(family.loc[family["verdict"] == PROVEN, "variant"]) or "none"
        return f"proven to keep the criteria: {names}; nothing is profiled, so that no saving is known."
    row = chosen[0]
    name = goals_in_words.winner_of(row)
    if warning := guards.warning(row):
        return f"{warning}."
    if goals_in_words.is_baseline(row):
        return f"ship {name}, the baseline: {row['reason']}."
    saved = goals_in_words.saving(row)
    return f"ship {name}, which saves {saved} {goals_in_words.title(row['goal'])}{_use(results, row)}."


def _use(results: Results, row: Mapping[str, Any]) -> str:
    return goals_in_words.assumed_use(row["goal"], results.study["decision"])


def _cells(results: Results, row: pd.Series) -> list[Text]:
    cell = row[CELL]
    symbol, colour = SYMBOLS.get(row["verdict"], OPEN) if isinstance(row["verdict"], str) else BASELINE
    batch = results.study["decision"]["batch"]
    compared = where(results.comparisons, cell)
    changes = where(compared, {"metric": "accuracy"})
    whole = changes[changes["attribute"].isna()]
    texts = [
        str(row["variant"]) + (" \N{LEFTWARDS ARROW} ship" if row["recommended"] else ""),
        _value(results, cell, "size_bytes"),
        _value(results, cell, "latency_p50_ms", batch),
        _value(results, cell, "energy_j_per_1000", batch).removesuffix(" J"),
        _value(results, cell, "accuracy"),
        _change(whole.iloc[0]) if len(whole) else DASH,
        _loses_most(
            changes[changes["attribute"].isin(_attributes(results, row["dataset"])) & _tested(results, changes)]
        ),
    ]
    style = "bold" if row["recommended"] else ""
    return [*(Text(text, style) for text in texts), Text(symbol, colour)]


def _value(results: Results, cell: pd.Series, key: str, batch: int | None = None) -> str:
    rows = where(results.measured(key, batch_size=batch), cell)
    return measure(key).with_unit(rows.iloc[0]["mean"]) if len(rows) else DASH


def _change(row: pd.Series) -> str:
    return POINTS.with_interval(row["value"], row["low"], row["high"], signed=True)


def _tested(results: Results, changes: pd.DataFrame) -> pd.Series:
    """Whether a group has enough rows to be tested."""
    return changes["n"] >= results.study["fairness"]["smallest_group"]


def _attributes(results: Results, dataset: str) -> list[str]:
    """Attributes that the criteria are about."""
    return list(results.study["criteria"]["attributes"] or results.study["datasets"][dataset]["groups"])


def _loses_most(changes: pd.DataFrame) -> str:
    """The group whose accuracy falls most; of several, the one that may fall most."""
    known = changes[changes["low"].notna()]
    if known.empty:
        return DASH
    row = known.sort_values(["value", "low"], kind="stable").iloc[0]
    return f"{row['group']} {_change(row)}"


def _file(results: Results, folder: str, cell: pd.Series) -> str:
    """Where the file that ships is, and what it takes if that differs from the imported one."""
    rows = where(results.shipped, cell)
    seed = int(rows.iloc[0]["seed"]) if len(rows) else 0
    path = "/".join([folder, f"seed-{seed}", *(cell[name] for name in CELL[:-1]), "model.onnx"])
    root = lineage(results, cell["variant"])[-1]
    if OPERATIONS[results.operation(root)].imports and not replaces_original(results, cell):
        return f"The file is {path}; its inputs are not those of {root}: the signature in its metadata describes them."
    return f"The file is {path}."


def reasons(family: pd.DataFrame) -> list[str]:
    """Why variants are not proven; variants with the same reason share a line."""
    variants: dict[str, list[str]] = {}
    for _, row in family.iterrows():
        if isinstance(row["verdict"], str) and row["verdict"] != PROVEN and not missing(row["reason"]):
            variants.setdefault(str(row["reason"]), []).append(row["variant"])
    return [
        f"{', '.join(names)}: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"
        for text, names in variants.items()
    ]


def _rows(results: Results, first: pd.Series) -> str:
    """What the changes rest on, and what the columns hold."""
    tested = where(results.comparisons, {**first[FAMILY], "engine": first["engine"], "metric": "accuracy"})
    tested = tested[tested["attribute"].isna()]
    if tested.empty:
        return ""
    rows, seeds = int(tested.iloc[0]["n"]), int(tested.iloc[0]["seeds"])
    about = "this model" if seeds == 1 else f"{count(seeds, 'seed')} of the recipe"
    batch = results.study["decision"]["batch"]
    return (
        f"Changes of {about} on {count(rows, 'test row')}, with 95 % intervals, against the baseline. Latency is the "
        f"median of a call of {count(batch, 'row')}."
    )
