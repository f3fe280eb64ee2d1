"""The answer in the terminal: what to ship, and the verdict matrix, as wide as the terminal allows."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairweight.core.formatting import DASH, MINUS, count
from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.core.operations import OPERATIONS
from fairweight.reporting import answer_in_words as words
from fairweight.reporting import guards
from fairweight.reporting.answer import (
    ALONE,
    MOST_ROWS,
    NO_SAVING,
    SYMBOLS,
    TAGS,
    WARNING,
    Answer,
    Cost,
    Criterion,
    Row,
    Test,
    saves,
)
from fairweight.reporting.goals import saving, winner_of
from fairweight.reporting.goals import title as goal_title
from fairweight.reporting.hub.tasks import lineage, replaces_original
from fairweight.reporting.next_step import next_step
from fairweight.reporting.quality import OF_LOSSES, Quality
from fairweight.reporting.report.results import Results
from fairweight.reporting.verdict_matrix import answers
from fairweight.statistics.decision import PROVEN, REFUTED, UNDECIDED

COLOURS = {PROVEN: "green", REFUTED: "red", UNDECIDED: "yellow", ALONE: "cyan", NO_SAVING: "dim", WARNING: "bold red"}
LONGEST = 200  # characters of a reason
WIDTH = 120  # columns where the output is no terminal
MOST_ANSWERS = 4  # from which an overview comes last, and matrices are short
FEW_ROWS = 4  # of a matrix then
LEAST, LARGE = 0.005, 10.0  # points that are shown as 0, and without decimals
GAP = 2  # blanks between columns
# part of a legend -> sentence; a legend has those of what is shown
NOTES = {
    "full": "Changes against the baseline in points with their 95 % interval; of several groups, the weakest evidence.",
    "change": "Changes against the baseline in points; of several groups, the weakest evidence.",
    "full in unit": "Changes against the baseline in the unit of the label with their 95 % interval; of several "
    "groups, the weakest evidence.",
    "change in unit": "Changes against the baseline in the unit of the label; of several groups, the weakest evidence.",
    "alone": "(\N{CHECK MARK}) holds alone, but not after the correction for the variants.",
    "star": "* wins among those proven and the baseline; of those that cannot be distinguished, the smallest file.",
    "modelled": "Energy is modelled from CPU time.",
}
SHIPS = " \N{LEFTWARDS ARROW} ship"
Cell = tuple[str, str]  # text and style


@dataclass(frozen=True)
class Column:
    """A column of the matrix in the terminal: its heading over two lines, and how a row fills it."""

    heading: str
    below: str
    fill: Callable[[Row], Cell]
    right: bool = False
    notes: frozenset[str] = frozenset()  # parts of the legend that it needs

    def width(self, rows: list[Row]) -> int:
        """Columns of the terminal that it takes."""
        return max(map(cell_len, (self.heading, self.below, *(self.fill(row)[0] for row in rows))))


def answer(results: Results, folder: str, console: Console | None = None) -> None:
    """Print the answer of every dataset, model, augmentation and baseline; many end with an overview.

    Args:
        results: the study.
        folder: its folder, in which the files that ship are.
        console: where to print; by default standard output.
    """
    console = console or Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    made = answers(results)
    if not made:
        console.print(results.nothing_decided, markup=False)
        return
    many = len(made) > MOST_ANSWERS
    notes = {note for each in made for note in _print(results, folder, each, console, brief=many)}
    if notes:
        console.print(Text(" ".join(text for note, text in NOTES.items() if note in notes), "dim"))
    if many:
        _overview(made, console)


def _print(results: Results, folder: str, each: Answer, console: Console, brief: bool) -> set[str]:
    """One answer: headline, warnings, matrix, and what stands beside it; a brief one has fewer rows and lines.

    Returns:
        Parts of the legend that it needs.
    """
    console.print()
    console.print(Text.assemble((each.place, "bold"), ": ", headline(results, each)))
    for line in each.warnings:
        console.print(Text.assemble(("! ", "bold red"), line))
    if each.notes_brief:
        console.print(Text(f"{each.notes_brief}{'' if brief else '; see below'}", "yellow"))
    console.print(Text(f"{each.chip} ({each.rests_on}{_rows(results, each)})", COLOURS.get(each.status, "yellow")))
    rows = each.visible(FEW_ROWS if brief else MOST_ROWS)
    notes = _matrix(each, rows, console)
    if left_out := len(each.rows) - len(rows):
        console.print(Text(f"and {count(left_out, 'more variant')}, in the report: {_counted(each, rows)}", "dim"))
    if not brief:
        for line in _comparisons(results, each):
            console.print(Text(line))
    console.print(Text(f"May lose most: {words.loses(results, each)}"))
    console.print(Text(f"Not known: {words.unknown(results, each)}"))
    if each.proven and each.chosen and not saves(each):
        console.print(Text(f"Saves: {words.saving(results, each)}"))
    if step := next_step(results, each):
        console.print(Text.assemble(("To decide: ", "bold"), f"{step}."))
    if each.file:
        console.print(Text(_file(results, folder, each)))
    for line in () if brief else (*reasons(rows), *map(_cut, each.notes)):
        console.print(Text(line, "dim"))
    return notes


def _comparisons(results: Results, each: Answer) -> Iterator[str]:
    """The winner by each cost, and what needs no model of the study."""
    if best := _winners(each):
        yield f"Among those proven and the baseline: {best}."
    if simple := guards.simple_accuracies(results, each.family):
        yield f"For comparison: {simple}."


def headline(results: Results, each: Answer) -> str:
    """What to ship, and what it saves."""
    row = each.goal
    if row is None:
        return f"{each.headline}; nothing is profiled, so that no saving is known."
    if warning := guards.no_reference(row):
        return f"{warning}."
    if not saves(each):
        return f"ship {winner_of(row)}, the baseline: {row['reason']}."
    use = words.use_of(results, row)
    return f"ship {winner_of(row)}, which saves {saving(row)} {goal_title(row['goal'])}{use}."


def _counted(each: Answer, rows: list[Row]) -> str:
    """How many variants that are not shown have which verdict."""
    shown = {id(row) for row in rows}
    verdicts = pd.Series([row.verdict or "not tested" for row in each.rows if id(row) not in shown])
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.value_counts().items())


# ---- the matrix


def _matrix(each: Answer, rows: list[Row], console: Console) -> set[str]:
    """Print the richest matrix that fits the width; return the parts of the legend that it needs."""
    for columns in _layouts(each):
        width = sum(column.width(rows) for column in columns) + GAP * (len(columns) - 1)
        if width <= console.width:
            break
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        heading = f"{column.heading}\n{column.below}"
        table.add_column(heading, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        style = "bold" if row.ships else ""
        table.add_row(*(Text(text, f"{style} {colour}".strip()) for text, colour in (c.fill(row) for c in columns)))
    console.print(table)
    notes = {note for column in columns for note in column.notes}
    shown = "".join(column.fill(row)[0] for column in columns[2:] for row in rows)  # after name and verdict
    marks = {"star": "*", "alone": f"({SYMBOLS[PROVEN]})"}
    return notes | {note for note, mark in marks.items() if mark in shown}


def _layouts(each: Answer) -> Iterator[list[Column]]:
    """Columns of the matrix, from the richest layout to the shortest."""
    name = Column("Variant", "", lambda row: (f"{row.name}{SHIPS if row.ships else ''}", ""))
    verdict = Column("Verdict", "", _verdict)
    quality = each.quality
    title = ("Error", quality.level.unit) if quality.numbers else ("Accuracy", "%")
    accuracy = Column(*title, lambda row: (_accuracy(row, quality), ""), right=True)
    loses = Column("Loses most", quality.change.unit, lambda row: (_loses(row, quality), ""))
    costs = [_cost(cost) for cost in each.costs]
    intervals, changes, symbols = (
        [_criterion(c, kind) for c in each.criteria] for kind in ("full", "change", "symbol")
    )
    yield [name, verdict, *intervals, *costs, accuracy, loses]
    yield [name, verdict, *intervals, *costs, accuracy]
    yield [name, verdict, *intervals, *costs]
    yield [name, verdict, *intervals, *costs[:2]]
    yield [name, verdict, *intervals, *costs[:1]]
    yield [name, verdict, *changes, *costs]
    yield [name, verdict, *changes, *costs[:1]]
    yield [name, verdict, *symbols, *costs[:1]]
    yield [name, verdict, *costs[:1]]


def _verdict(row: Row) -> Cell:
    if row.verdict is None:
        return ("baseline" if row.baseline else "not tested"), "dim"
    return f"{SYMBOLS[row.verdict]} {row.verdict}", COLOURS[row.verdict]


def _accuracy(row: Row, quality: Quality) -> str:
    return DASH if row.accuracy is None else quality.level.text(row.accuracy)


def _loses(row: Row, quality: Quality) -> str:
    if row.loses_most is None:
        return DASH
    group, _, change = row.loses_most
    return f"{group} {words.change(change, shown=quality.change)}"


def _cost(cost: Cost) -> Column:
    """A column of a cost; the winner has a star."""

    def fill(row: Row) -> Cell:
        value = row.costs[cost.goal]
        star = "*" if TAGS[cost.goal] in row.tags else " "
        return (DASH if value is None else f"{cost.shown.text(value / cost.shown.scale)}{star}"), ""

    heading, _, batch = cost.title.partition(", ")
    first, _, second = heading.rpartition(" ")
    unit = f"{cost.shown.unit} "
    below = f"{second if first else batch.replace('batch ', 'b')}, {unit}".strip()
    notes = {"modelled"} if cost.shown.modelled else set()
    return Column(first or second, below, fill, right=True, notes=frozenset(notes))


def _criterion(criterion: Criterion, kind: str) -> Column:
    """A column of a criterion: symbol, change and interval, symbol and change, or the symbol alone."""

    def fill(row: Row) -> Cell:
        test = row.tests.get(criterion.key)
        if test is None:
            return DASH, "dim"
        return f"{test.symbol} {_evidence(criterion, test, kind)}".strip(), COLOURS[test.kind]

    note = f"{kind} in unit" if criterion.key in OF_LOSSES else kind
    return Column(criterion.short, _limit(criterion), fill, notes=frozenset({note} & NOTES.keys()))


def _limit(criterion: Criterion) -> str:
    """What a criterion allows, in a few characters."""
    number = criterion.limit.rsplit(" by ", 1)[-1].replace(" points", "").replace(" point", "")
    sign = {"may fall by": MINUS, "may grow by": "+", "may worsen by": "\N{PLUS-MINUS SIGN}", "may rise by": "+"}
    sign["may leave 0 by"] = "\N{PLUS-MINUS SIGN}"
    for start, mark in sign.items():
        if criterion.limit.startswith(start):
            return f"limit {mark}{number}"
    return criterion.limit.replace("at most ", "\N{LESS-THAN OR EQUAL TO} ")


def _evidence(criterion: Criterion, test: Test, kind: str) -> str:
    if kind == "symbol":
        return ""
    if test.change.value is None:
        return "too few rows" if kind == "full" else ""
    texts = [_number(criterion, each) for each in (test.change.value, test.change.low, test.change.high)]
    return texts[0] if kind == "change" or test.change.low is None else f"{texts[0]} [{texts[1]},{texts[2]}]"


def _number(criterion: Criterion, value: float | None) -> str:
    """A number in short form: fewer decimals of larger ones."""
    if value is None:
        return DASH
    if not criterion.signed or criterion.key in OF_LOSSES:
        return criterion.shown.text(value / criterion.shown.scale, signed=criterion.signed)
    if abs(value) < LEAST:
        return "0"
    text = f"{value:+.0f}" if abs(value) >= LARGE else f"{value:+.1f}" if abs(value) >= 1 else f"{value:+.2f}"
    return text.replace("0.", ".", 1).replace("-", MINUS) if abs(value) < 1 else text.replace("-", MINUS)


# ---- what stands beside the matrix


def _overview(made: list[Answer], console: Console) -> None:
    """One line for each answer."""
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"{len(made)} answers", title_justify="left")
    for heading in ("Dataset, model", "Answer", "Verdict", "Saves"):
        table.add_column(heading, overflow="fold")
    for each in made:
        saved = saving(each.goal) if each.goal is not None and saves(each) else DASH
        chip = Text(each.chip, COLOURS.get(each.status, "yellow"))
        table.add_row(Text(each.place), Text(each.headline, "bold"), chip, Text(saved))
    console.print(table)


def _winners(each: Answer) -> str:
    """The winner by each cost, with its figure."""
    return ", ".join(
        f"{'least ' + cost.title.lower() if cost.shown.modelled else TAGS[cost.goal]} {row.name} "
        f"({cost.shown.with_unit((row.costs[cost.goal] or 0.0) / cost.shown.scale)})"
        for cost in each.costs
        for row in each.rows
        if TAGS[cost.goal] in row.tags
    )


def _file(results: Results, folder: str, each: Answer) -> str:
    """Where the file that ships is, and what it takes if that differs from the imported one."""
    cell: dict[str, Any] = each.chosen.cell if each.chosen else each.base.cell
    path = f"{folder}/{each.file}"
    root = lineage(results, cell["variant"])[-1]
    series = pd.Series({name: cell[name] for name in CELL})
    if OPERATIONS[results.operation(root)].imports and not replaces_original(results, series):
        return f"The file is {path}; its inputs are not those of {root}: the signature in its metadata describes them."
    return f"The file is {path}."


def reasons(rows: list[Row]) -> list[str]:
    """Why variants are not proven; variants with the same reason share a line."""
    variants: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict and row.verdict != PROVEN and row.reason:
            variants.setdefault(str(row.reason), []).append(row.name)
    return [f"{', '.join(names)}: {_cut(text)}" for text, names in variants.items()]


def _cut(text: str) -> str:
    """A text that is cut between words where it is long."""
    return textwrap.shorten(text, LONGEST, placeholder=" \N{HORIZONTAL ELLIPSIS}")


def _rows(results: Results, each: Answer) -> str:
    """Number of test rows that the changes rest on."""
    metric = each.quality.metric
    tested = where(results.comparisons, {**each.family, "engine": each.base.cell["engine"], "metric": metric})
    rows = tested[tested["attribute"].isna()]["n"].dropna() if len(tested) else tested
    return f", {count(int(rows.iloc[0]), 'test row')}" if len(rows) else ""
