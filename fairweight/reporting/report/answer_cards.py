"""The first screen of the report: an overview of all answers, and for each a card with tiles and the verdict matrix."""

import re
from collections.abc import Callable, Iterator
from html import escape

from IPython.display import HTML

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, count, missing
from fairweight.core.measures import Measure
from fairweight.reporting import answer_in_words as words
from fairweight.reporting.answer import SYMBOLS, TAGS, Answer, Cost, Criterion, Row, Test, saves
from fairweight.reporting.goals import GOALS, saving
from fairweight.reporting.next_step import next_step
from fairweight.reporting.report.columns import INTERVAL
from fairweight.reporting.report.page import SHOWN_ROWS, fold, tied
from fairweight.reporting.report.results import Results
from fairweight.reporting.verdict_matrix import answers
from fairweight.statistics.decision import PROVEN

WIDTH, HEIGHT = 72, 18  # of the plot of an interval
BAR = 64
NOT_CORRECTED = "not after the correction"
Details = Callable[[Answer], str]  # all sentences on an answer, as HTML


def answer_cards(results: Results, details: Details) -> HTML | None:
    """Cards of all answers: the first is open, the others are folded below an overview; None where nothing is decided.

    Args:
        results: the study.
        details: makes the sentences that are folded in each card.
    """
    made = answers(results)
    if not made:
        return None
    cards = [_card(results, answer, number, details) for number, answer in enumerate(made, start=1)]
    overview = _overview(made) if len(made) > 1 else ""
    return HTML(f'{overview}<div class="cards">{"".join(cards)}</div>')


def _chip(answer: Answer) -> str:
    return f'<span class="chip {answer.status.replace(" ", "-")}">{escape(answer.chip)}</span>'


# ---- overview


def _overview(made: list[Answer]) -> str:
    """One row for each answer."""
    header = ("Dataset", "Answer", "Verdict", "Saves", "May lose most, points", "Not tested")
    head = "".join(f'<th scope="col" class="text">{title}</th>' for title in header)
    body = []
    for number, answer in enumerate(made, start=1):
        dataset, _, rest = answer.place.partition(f", {answer.model}")
        rest = f"{answer.model}{rest}"
        loses = answer.chosen.loses_most if answer.chosen and not answer.chosen.baseline else None
        changed = words.change(loses[2], shown=answer.quality.change) if loses else ""
        group = f"{escape(loses[0])}<small>{escape(changed)}</small>" if loses else DASH
        groups = len({(entry["attribute"], entry["group"]) for entry in answer.untested})
        noun = "loss" if answer.quality.numbers else "rate"
        untested = f"{count(len(answer.untested), noun)}<small>{count(groups, 'group')}</small>"
        body.append(
            f'<tr><th scope="row" class="text"><a href="#answer-{number}">{escape(dataset)}</a><small>{escape(rest)}'
            "</small></th>"
            f'<td class="text"><b>{escape(answer.headline)}</b></td><td class="text">{_chip(answer)}</td>'
            f'<td class="text">{_saved(answer)}</td><td class="text">{group}</td>'
            f'<td class="text">{untested if groups else DASH}</td></tr>'
        )
    region = '<div class="scroll" tabindex="0" role="region" aria-label="Overview of all answers">'
    table = f'<table class="data overview"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return tied(f'<figure class="table">{region}{table}</div></figure>')


def _saved(answer: Answer) -> str:
    if answer.goal is None or not saves(answer):
        return DASH
    shown = GOALS[answer.goal["goal"]]
    interval = saving(answer.goal).partition(" (")[2].rstrip(")")
    saved = f"{shown.with_unit(answer.goal['saving'])} of {shown.with_unit(answer.goal['baseline_cost'])}"
    return f"{saved}<small>{escape(interval)}</small>"


# ---- a card


def _card(results: Results, answer: Answer, number: int, details: Details) -> str:
    """A card: headline and chip, tiles, four short answers, the matrix, and all sentences folded."""
    title = f'<h2 class="headline">{escape(answer.headline)}</h2>{_chip(answer)}'
    where_from = f"{escape(answer.place)}; {escape(answer.rests_on)}"
    warnings = "".join(f"<li>{escape(text)}</li>" for text in answer.warnings)
    parts = [
        f'<ul class="warnings" aria-label="Warnings">{warnings}</ul>' if warnings else "",
        f'<p class="place">{escape(answer.notes_brief)}; all sentences are below.</p>' if answer.notes_brief else "",
        _tiles(answer),
        _questions(results, answer),
        _matrix(answer, number),
        fold("Why, and what is not known: all sentences", details(answer)),
    ]
    inside = tied("".join(parts))
    if number == 1:
        return (
            f'<section class="card" id="answer-1"><header>{title}<p class="place">{where_from}</p></header>'
            f"{inside}</section>"
        )
    return (
        f'<details class="card" id="answer-{number}"><summary>{title}<span class="place">{where_from}</span></summary>'
        f"{inside}</details>"
    )


def _tiles(answer: Answer) -> str:
    """What changes by shipping."""
    tiles = "".join(
        f"<div><dt>{escape(tile.title)}</dt><dd><b>{escape(tile.value)}</b>"
        f"{''.join(f'<small>{escape(line)}</small>' for line in tile.below)}</dd></div>"
        for tile in words.tiles(answer)
    )
    return f'<dl class="tiles">{tiles}</dl>'


def _questions(results: Results, answer: Answer) -> str:
    """Why this one, who may lose most, what is not known, what it saves, and where the file is."""
    rows = [
        ("Why", words.why(answer)),
        ("Saves", words.saving(results, answer)),
        ("May lose most", words.loses(results, answer)),
        ("Not known", words.unknown(results, answer)),
    ]
    if step := next_step(results, answer):
        rows.append(("To decide", f"{step[:1].upper()}{step[1:]}."))
    lines = "".join(f"<div><dt>{title}</dt><dd>{escape(text)}</dd></div>" for title, text in rows)
    if answer.file:
        lines += f"<div><dt>File</dt><dd><code>{escape(answer.file)}</code> in the folder of the study</dd></div>"
    return f'<dl class="questions">{lines}</dl>'


# ---- the matrix


def _matrix(answer: Answer, number: int) -> str:
    """Variants by criteria and costs; the cost of the goal stands beside the variant, where it is always visible."""
    costs = [(c.title, _unit(c.shown)) for c in answer.costs]
    titles = [*costs[:1], *((c.title, c.limit) for c in answer.criteria), *costs[1:]]
    head = ['<th scope="col" class="text">Variant</th>']
    head += [f'<th scope="col" class="text">{escape(t)}<small>{escape(below)}</small></th>' for t, below in titles]
    kept = {id(row) for row in answer.visible(SHOWN_ROWS)}
    body = "".join(_matrix_row(answer, row, keep=id(row) in kept) for row in answer.rows)
    caption = f"<figcaption><b>Verdict matrix.</b> {' '.join(_legend(answer, body))}</figcaption>"
    table = f'<table class="matrix data"><thead><tr>{"".join(head)}</tr></thead><tbody>{body}</tbody></table>'
    label = f"Verdict matrix {number}: {answer.place}"
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label, quote=True)}">'
    return f'<figure class="table">{region}{table}</div>{caption}</figure>'


def _legend(answer: Answer, body: str) -> Iterator[str]:
    """Sentences on what the matrix shows, and on nothing else."""
    tests = [test for row in answer.rows for test in row.tests.values()]
    if any(test.change.value is not None for test in tests):
        bound = "; the dashed line must not be crossed" if any(test.bound is not None for test in tests) else ""
        groups = "; of several groups, the test with the weakest evidence" if len(answer.criteria) > 1 else ""
        yield f"Change against the baseline with its {INTERVAL}{bound}{groups}."
    several = ", corrected for several variants" if sum(row.verdict is not None for row in answer.rows) > 1 else ""
    if tests:
        yield f"Symbols judge one criterion, the verdict all of them{several}."
    if any(test.alone for test in tests):
        yield f"(\N{CHECK MARK}) alone: the criterion holds by itself, but {NOT_CORRECTED}."
    if any(test.verdict == PROVEN and test.bound is not None for test in tests):
        yield "Tests are one-sided, so that a proven interval may just reach over the line."
    if any(row.tags for row in answer.rows):
        winners = "Tags name winners among the proven variants and the baseline"
        yield f"{winners}: of those that cannot be distinguished, the smallest file."
    rates = {"TPR": "true positive rate", "FPR": "false positive rate"}
    if used := [f"{short} is the {rate}" for short, rate in rates.items() if re.search(rf"<small>{short} ", body)]:
        yield f"{' and '.join(used)}."


def _unit(shown: Measure) -> str:
    return f"{shown.unit}{' (modelled)' if shown.modelled else ''}"


def _matrix_row(answer: Answer, row: Row, keep: bool) -> str:
    verdict = f"{SYMBOLS[row.verdict]} {row.verdict}" if row.verdict else "baseline" if row.baseline else "not tested"
    ships = '<span class="tag">ships</span>' if row.ships else ""
    costs = [_cost_cell(column, row) for column in answer.costs]
    tests = [_test_cell(column, row.tests.get(column.key), row.baseline) for column in answer.criteria]
    cells = [*costs[:1], *tests, *costs[1:]]
    name = f'<th scope="row">{escape(row.name)} {ships}<small>{escape(verdict)}</small></th>'
    kind = " ".join(filter(None, ("ships" if row.ships else "", "base" if row.baseline else "")))
    return f'<tr class="{kind}"{" data-keep" if keep else ""}>{name}{"".join(cells)}</tr>'


def _test_cell(column: Criterion, test: Test | None, baseline: bool) -> str:
    """Symbol, value, plot of the interval, and what the test is about."""
    if test is None:
        return f'<td class="test">{DASH if baseline else "not tested"}</td>'
    value = _text(column, test.change.value)
    further = f", {test.further} more" if test.further else ""
    about = (
        ""
        if column.key in ("accuracy", "loss") or not column.signed
        else f"<small>{escape(_short(test.about))}{further}</small>"
    )
    hint = f'<small title="{escape(test.reason or "", quote=True)}">cannot be tested</small>'
    reason = hint if value == NOT_ESTIMABLE else ""
    mark = f'<span class="mark" aria-hidden="true">{test.symbol}</span><span class="vh">{test.kind}</span>'
    alone = f"<small>alone; {escape(NOT_CORRECTED)}</small>" if test.alone else ""
    figure = f'<span class="value">{escape(value)}</span>' if not reason else ""
    return (
        f'<td class="test {test.kind}" data-value="{test.change.value if test.change.value is not None else ""}">'
        f"<div>{mark} {figure}{_plot(column, test)}</div>{reason or about}{alone}</td>"
    )


def _short(about: str) -> str:
    """What a test is about, without the words that the column says: "TPR Black (race)"."""
    text = re.sub(
        r"^(?:group|worst group) (?:accuracy|loss) of |^bias of |^difference of the (?:accuracy of )?", "", about
    )
    text = text.replace("true positive rate of", "TPR").replace("false positive rate of", "FPR")
    return re.sub(r" by ([^ ]+)$", r" (\1)", text)


def _text(column: Criterion, value: float | None) -> str:
    return column.shown.text(None if value is None else value / column.shown.scale, signed=column.signed)


def _plot(column: Criterion, test: Test) -> str:
    """An interval against the bound, on the scale of its column."""
    change = test.change
    if change.value is None:
        return ""

    def x(value: float) -> float:
        return round(1 + (WIDTH - 2) * (value - column.low) / (column.high - column.low), 1)

    middle, marks = HEIGHT / 2, []
    if test.bound is not None:
        at = x(test.bound)
        left, width = (at, WIDTH - at) if test.above else (0, at)
        marks.append(f'<rect class="zone" x="{left}" y="0" width="{width:.1f}" height="{HEIGHT}"/>')
        marks.append(f'<line class="bound" x1="{at}" x2="{at}" y1="0" y2="{HEIGHT}"/>')
    if column.signed:
        marks.append(f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="2" y2="{HEIGHT - 2}"/>')
    interval = ""
    if change.low is not None and change.high is not None:
        marks.append(f'<line class="range" x1="{x(change.low)}" x2="{x(change.high)}" y1="{middle}" y2="{middle}"/>')
        interval = f", {INTERVAL} {_text(column, change.low)} to {_text(column, change.high)}"
    marks.append(f'<circle class="point" cx="{x(change.value)}" cy="{middle}" r="3"/>')
    bound = "" if test.bound is None else f", bound {_text(column, test.bound)}"
    label = f"{_text(column, change.value)} {column.shown.unit}{interval}{bound}; {test.about}: {test.kind}"
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(label, quote=True)}"><title>{escape(label)}</title>{"".join(marks)}</svg>'
    )


def _cost_cell(column: Cost, row: Row) -> str:
    """A value with its bar, and the tag of the winner."""
    value = row.costs[column.goal]
    if value is None or missing(value):
        return f'<td class="cost" data-value="">{NOT_ESTIMABLE}</td>'
    width = round(BAR * value / column.most, 1) if column.most else 0
    tag = f'<span class="tag">{_tag(column.goal)}</span>' if TAGS[column.goal] in row.tags else ""
    bar = (
        f'<svg class="bar" viewBox="0 0 {BAR} 7" width="{BAR}" height="7" aria-hidden="true">'
        f'<rect width="{BAR}" height="7" class="track"/><rect width="{width}" height="7"/></svg>'
    )
    text = escape(column.shown.text(value / column.shown.scale))
    return f'<td class="cost" data-value="{value}"><div>{text}</div>{bar}{tag}</td>'


def _tag(goal: str) -> str:
    return "least" if "energy" in goal else TAGS[goal]
