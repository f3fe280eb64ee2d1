"""Questions about an answer, in a sentence or two each: why, who may lose most, what is not known, what it saves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fairweight.core.formatting import MINUS, TEXT, Writer, count
from fairweight.core.frames import where
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.reporting import goals as goals_in_words
from fairweight.reporting import guards
from fairweight.reporting.answer import RISES, TAGS, WARNING, Answer, Change, Cost, Row, saves
from fairweight.reporting.goals import GOALS
from fairweight.reporting.quality import POINTS, Quality, quality_of
from fairweight.reporting.report.results import Results
from fairweight.reporting.verdict_matrix import attributes_of
from fairweight.statistics.decision import UNDECIDED

MOST_NAMES = 3
LONGEST_REASON = 150  # characters of a reason on the first screen
RATE = measure("accuracy")


def named(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """Names in a sentence: "a, b and c", or "a, b, c and 2 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def change(value: Change, writer: Writer = TEXT, shown: ShownMeasure = POINTS) -> str:
    """A change in points, or in another unit, with its interval."""
    return shown.with_interval(
        *(None if each is None else each / shown.scale for each in (value.value, value.low, value.high)),
        signed=True,
        writer=writer,
    )


def why(answer: Answer) -> str:
    """Why this one ships, or why nothing does."""
    goal, proven = answer.goal, [row.name for row in answer.proven]
    if goal is None:
        return "No file is profiled, so that no saving is known."
    if warning := guards.warning(goal):
        return f"{warning[:1].upper()}{warning[1:]}."
    by = goals_in_words.title(goal["goal"])
    if saves(answer):
        return f"Proven to keep {_all(answer)}; {_ranked(answer, by)}."
    if proven:
        are = "is" if len(proven) == 1 else "are"
        return f"{named(proven)} {are} proven to keep the criteria, but {goal['reason']}, by {by}."
    known = [row for row in answer.rows if row.verdict and (row.guard or row.reason)]
    first = min(known, key=lambda row: row.guard is not None, default=None)
    reason = f": {first.name}, for example, because {first.guard or _brief(str(first.reason))}" if first else ""
    return f"No compressed variant is proven to keep the criteria{reason}."


def _brief(reason: str) -> str:
    """A reason without its numbers where it is long; the folded sentences have all of it."""
    return reason if len(reason) <= LONGEST_REASON else reason.partition(": ")[0]


def _all(answer: Answer) -> str:
    number = len(answer.chosen.tests) if answer.chosen else 0
    return "its criterion" if number == 1 else f"all {len(answer.criteria)} criteria"


def _ranked(answer: Answer, by: str) -> str:
    """Why the goal prefers what ships to the other proven variants."""
    goal, ships = answer.goal, answer.chosen
    own = ships.costs.get(goal["goal"]) if goal is not None and ships is not None else None
    if goal is None or ships is None or own is None:
        return f"it saves most by {by}"
    less = [row.name for row in answer.proven if (cost := row.costs[goal["goal"]]) is not None and cost < own]
    if not less:
        return f"of those proven, it has the lowest {by}"
    verb = "needs" if len(less) == 1 else "need"
    return f"by {by}, {named(less)} {verb} less, but not distinguishably so, and {ships.name} has the smallest file"


def loses(results: Results, answer: Answer) -> str:
    """Which group may lose most: by what ships, or by the proven variant that is closest to shipping."""
    if answer.status == WARNING:
        return "Nobody: nothing is recommended."
    row, before = answer.chosen, ""
    if row is None or row.baseline:
        proven = sorted(answer.proven, key=lambda each: each.costs["transfer_bytes"] or float("inf"))
        before = "Nobody, because the baseline changes nothing. " if row else ""
        if not proven:
            return before.strip() or "Not known: nothing is recommended."
        row = proven[0]
        before += f"With {row.name} instead: " if answer.chosen else f"With {row.name}: "
    parts = [_of_accuracy(row, answer.quality)]
    if row.ships:
        parts += [_of_rates(results, row), _of_untested(results, row)]
    parts = [part for part in parts if part]
    text = before + (f"{'; '.join(parts)}." if parts else "no group is compared.")
    return f"{text[:1].upper()}{text[1:]}"


def _of_accuracy(row: Row, quality: Quality) -> str:
    if row.loses_most is None:
        return ""
    group, attribute, value = row.loses_most
    changed = f"{change(value, shown=quality.change)} {quality.change.unit}".strip()
    return f"{quality.title.lower()} of {group} ({attribute}) {changed}"


def _of_rates(results: Results, row: Row) -> str:
    """The tested rate of a group that changes most for the worse."""
    parts = where(results.parts, {**row.cell, "criterion": "group_rates"}) if len(results.parts) else results.parts
    parts = parts[parts["value"].notna()] if len(parts) else parts
    if parts.empty:
        return ""
    harm = parts["value"].where(parts["rate"].isin(RISES), -parts["value"])
    worst = parts.loc[harm.idxmax()]
    value = change(Change.read(worst, POINTS.scale))
    return f"{worst['rate'].replace('_', ' ')} of {worst['group']} ({worst['attribute']}) {value}"


def _of_untested(results: Results, row: Row) -> str:
    """The rate that is not tested and may change most for the worse."""
    rows = where(results.untested, row.cell) if len(results.untested) else results.untested
    if rows.empty:
        return ""
    quality = quality_of(results, row.cell["dataset"])
    rises = rows["rate"].isin(RISES) | quality.lower
    harm = rows["high"].where(rises, -rows["low"]).astype(float)
    if harm.isna().all():
        return ""
    worst = rows.loc[harm.idxmax()]
    value = change(Change.read(worst, quality.change.scale), shown=quality.change)
    rate = f"{worst['rate'].replace('_', ' ')} of {worst['group']} ({worst['attribute']})"
    return f"not tested: {rate} {value}, {count(int(worst['rows']), 'row')}"


def unknown(results: Results, answer: Answer) -> str:
    """What the study cannot say: groups that are not tested, and variants that are undecided."""
    sentences = []
    dataset = answer.family["dataset"]
    if not results.study["datasets"][dataset]["groups"]:
        sentences.append("nothing is known of groups: the study file declares none")
    elif not attributes_of(results, dataset):
        sentences.append("the criteria are about no group")
    elif answer.untested:
        groups = list(dict.fromkeys(f"{entry['group']} ({entry['attribute']})" for entry in answer.untested))
        least = results.study["fairness"]["smallest_group"]
        rates = count(len(answer.untested), "loss" if answer.quality.numbers else "rate")
        are = "is" if len(answer.untested) == 1 else "are"
        sentences.append(f"{rates} of {named(groups)} {are} not tested (fewer than {count(least, 'row')})")
    else:
        sentences.append(_combinations(attributes_of(results, dataset)))
    if names := [row.name for row in answer.rows if row.verdict == UNDECIDED]:
        sentences.append(f"{named(names)} {'is' if len(names) == 1 else 'are'} undecided")
    seeds = results.decisions["seeds"].dropna()
    if len(seeds) and int(seeds.max()) == 1:
        sentences.append("with one seed, another training run of the recipe may differ")
    text = "; ".join(sentences)
    return f"{text[:1].upper()}{text[1:]}."


def _combinations(attributes: Sequence[str]) -> str:
    """What is not known where every group is tested."""
    if len(attributes) > 1:
        return f"what changes for combinations of {named(list(attributes))}, because each group is tested by itself"
    return f"what changes for groups other than those of {attributes[0]}"


def saving(results: Results, answer: Answer) -> str:
    """What shipping it saves, or what the smallest proven variant would save."""
    goal = answer.goal
    if goal is None or answer.chosen is None:
        return "Nothing: no variant is recommended." if goal else "Not known: no file is profiled."
    use = use_of(results, goal)
    title = goals_in_words.title(goal["goal"])
    if saves(answer):
        shown = GOALS[goal["goal"]]
        saved = goals_in_words.saving(goal, Writer(interval="{value} (95\N{NO-BREAK SPACE}% interval {low} to {high})"))
        return f"{saved} of {shown.with_unit(goal['baseline_cost'])} {title}{use}."
    others = "".join(_by_other_goal(answer, cost) for cost in answer.costs if cost.goal != goal["goal"])
    return f"No saving is shown by {title}{use}.{others}"


def _by_other_goal(answer: Answer, cost: Cost) -> str:
    """What a proven variant would save by another goal, and how to decide by it."""
    winner = next((row for row in answer.rows if TAGS[cost.goal] in row.tags and not row.baseline), None)
    own, base = (row.costs[cost.goal] if row else None for row in (winner, answer.base))
    if winner is None or own is None or base is None:
        return ""
    saved = f"{winner.name} would save {_ratio(own, base)} of the {goals_in_words.title(cost.goal)}"
    return f" {saved}; to decide by it: decision: {{goal: {cost.goal}}}."


def use_of(results: Results, goal: Mapping[str, Any]) -> str:
    """The use that a row of the table `goals` assumes."""
    return goals_in_words.assumed_use(goal["goal"], results.study["decision"])


def _ratio(own: float, base: float) -> str:
    return f"{100 * (1 - own / base):.0f}\N{NO-BREAK SPACE}%" if base else "nothing"


class Tile(NamedTuple):
    """One figure of the first screen: what it is, its value, and lines in small print."""

    title: str
    value: str
    below: tuple[str, ...] = ()


def tiles(answer: Answer) -> list[Tile]:
    """What changes by shipping: costs, accuracy beside the largest class, and the group that loses most.

    Where a guard warns of the baseline, its accuracy alone.
    """
    row = answer.chosen or answer.base
    guarded = answer.status == WARNING
    costs = [cost for cost in answer.costs if row.costs[cost.goal] is not None and not guarded]
    made = [_cost_tile(answer, cost, row) for cost in costs]
    if answer.quality.numbers and row.accuracy is not None:
        made.append(_loss_tile(answer.quality, row))
    elif row.accuracy is not None:
        below = [] if row.change is None else [f"{change(row.change)} points"]
        if answer.majority is not None:
            below.append(f"largest class {RATE.with_unit(answer.majority)}")
        if answer.logistic_regression is not None:
            below.append(f"logistic regression {RATE.with_unit(answer.logistic_regression)}")
        made.append(Tile("Accuracy", RATE.with_unit(row.accuracy), tuple(below)))
    return made if guarded else [*made, _group_tile(row, answer.quality)]


def _loss_tile(quality: Quality, row: Row) -> Tile:
    """The mean loss of what ships, and its change."""
    changed = (
        [] if row.change is None else [f"{change(row.change, shown=quality.change)} {quality.change.unit}".strip()]
    )
    return Tile(quality.title, quality.level.with_unit(row.accuracy), tuple(changed))


def _cost_tile(answer: Answer, cost: Cost, row: Row) -> Tile:
    """A cost of what ships, beside that of the baseline; of the baseline, beside the proven variant with the least."""
    shown, before = cost.shown, answer.base.costs[cost.goal]
    own = row.costs[cost.goal] or 0.0
    title = f"{cost.title}{' (modelled)' if shown.modelled else ''}"
    value = shown.with_unit(own / shown.scale)
    if not row.baseline and before:
        sign = MINUS if own < before else "+"
        percent = f"{sign}{abs(1 - own / before) * 100:.0f} %"
        return Tile(title, value, (f"{percent}, was {shown.with_unit(before / shown.scale)}",))
    lower = [(each.costs[cost.goal] or 0.0, each.name) for each in answer.proven if each.costs[cost.goal] is not None]
    least, name = min(lower, default=(own, ""))
    if least < own:
        return Tile(title, value, (f"{name}: {shown.with_unit(least / shown.scale)}",))
    return Tile(title, value, ("no proven variant has less" if lower else "no variant is proven",))


def _group_tile(row: Row, quality: Quality) -> Tile:
    title = "Group that loses most"
    if row.baseline:
        return Tile(title, "none", ("the baseline changes nothing",))
    if row.loses_most is None:
        return Tile(title, "not known", ("no group is compared",))
    group, attribute, value = row.loses_most
    changed = f"{change(value, shown=quality.change)} {quality.change.unit}".strip()
    return Tile(title, group, (f"by {attribute}", changed))
