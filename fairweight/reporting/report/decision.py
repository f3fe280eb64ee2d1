"""The decision in the report: sentences on what to ship, and the tables behind them."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import (
    DASH,
    NOT_ESTIMABLE,
    TWO_LINES,
    Writer,
    as_stated,
    count,
    missing,
    number,
    p_value,
    points,
)
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, COMPARISON, FAMILY
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.evaluation.criteria import name_of
from fairweight.evaluation.recommend import LIFE_CYCLE
from fairweight.evaluation.shipped import CHOICE_OF_NUMBERS
from fairweight.reporting import goals as goals_in_words
from fairweight.reporting import guards
from fairweight.reporting.answer import Answer
from fairweight.reporting.goals import GOALS, winner_of
from fairweight.reporting.quality import OF_LOSSES, Quality, in_unit, quality_of
from fairweight.reporting.report.answer_cards import answer_cards
from fairweight.reporting.report.columns import INTERVAL, POINTS, Column, in_sentence, p_equals
from fairweight.reporting.report.life_cycle import disturbed_rounds
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import Results, varying
from fairweight.reporting.verdict_matrix import is_ceiling, loss_margin, tests_both
from fairweight.statistics.decision import PROVEN

RATE = measure("accuracy")  # how criteria with a margin are shown: changes of rates, in percentage points
SUPERLATIVES = {
    LIFE_CYCLE: "least energy over its life cycle",
    "transfer_bytes": "smallest",
    "latency": "fastest",
    "energy_per_prediction": "least energy per prediction",
}
OF_CLASSES = (
    "Accuracy may fall by the margin, of all rows and of every group with enough rows; the signed difference of a rate "
    "between any two groups may grow by it."
)
OF_NUMBERS = (
    "The mean loss may rise by the margin, of all rows and of every group with enough rows; the mean error of all rows "
    "and of every group may move away from 0 by it. A margin in percent is a share of the baseline's loss of the same "
    "rows; the column shows it in the unit of the label as well."
)
TESTS_OF_LOSSES = (
    "p is the largest of an exact sign-flip test over seeds (with several seeds), a t-test over seeds and rows, the "
    "same after Hall's transformation for skewed losses, and a test of what rare large losses could add that these "
    "rows do not show."
)
MOST_REASONS = 3  # variants whose reasons the answer gives; the table of criteria has all


def recommendation(results: Results) -> HTML:
    """For each dataset, model, augmentation and baseline: a card with what to ship, and why."""
    cards = answer_cards(results, lambda answer: _sentences(results, answer))
    return cards or HTML(f"<p>{results.nothing_decided}</p>")


def _sentences(results: Results, answer: Answer) -> str:
    """What to ship, what it saves, its verdict, and what the answer rests on, in sentences."""
    family = where(results.decisions, answer.family)
    family = results.ordered(family[family["verdict"].notna()])
    warnings = "; ".join([*answer.warnings, *answer.notes])
    parts = [f"<strong>Warning: {escape(warnings)}.</strong>"] if warnings else []
    if (row := answer.goal) is not None:
        parts.append(_shipped(results, family, row))
        if guards.warning(row) is None:
            rows = where(results.goals, answer.family)
            same = where(rows, {name: row[name] for name in ("engine", "baseline", "baseline_augmentation")})
            parts += [_other_goals(same, row), _crossings(results, row)]
    else:  # no file is measured
        names = escape(", ".join(family.loc[family["verdict"] == PROVEN, "variant"])) or "none"
        parts.append(f"Proven to keep the criteria: <b>{names}</b>. Nothing is profiled, so that no saving is known.")
    first = " ".join(part for part in parts if part)
    evidence = [f'<p class="evidence">{part}</p>' for part in _evidence(results, family) if part]
    return f"<p>{first[:1].upper()}{first[1:]}</p>{''.join(evidence)}"


def _shipped(results: Results, family: pd.DataFrame, row: Mapping[str, Any]) -> str:
    """The variant to ship and what it saves, or why it is the baseline."""
    if warning := guards.warning(row):
        return f"<b>{escape(warning)}</b>."
    proven = family[family["verdict"] == PROVEN]
    use, winner = goals_in_words.assumed_use(row["goal"], results.study["decision"]), escape(winner_of(row))
    if goals_in_words.is_baseline(row):
        why = escape(row["reason"])
        compared = where(results.comparisons, {name: row[name] for name in (*FAMILY, "engine", "baseline")})
        names = [v for v in dict.fromkeys(proven["variant"]) if v in set(compared["variant"])]
        if names:
            verb = "is" if len(names) == 1 else "are"
            why = f"{escape(', '.join(names))} {verb} proven to keep the criteria, but {why}"
        return f"ship <b>{winner}</b>, the baseline: {why}, by {goals_in_words.title(row['goal'])}{use}."
    verdict = where(proven, {"variant": row["winner"], "engine": row["engine"]}).iloc[0]
    shown = GOALS[row["goal"]]
    saved = goals_in_words.saving(row, Writer(interval=f"{{value}} ({INTERVAL} {{low}} to {{high}})"))
    return (
        f"ship <b>{winner}</b>, which saves {saved} of {shown.with_unit(row['baseline_cost'])} "
        f"{goals_in_words.title(row['goal'])}{use}. {_verdict_in_words(results, verdict)}"
    )


def _verdict_in_words(results: Results, row: pd.Series) -> str:
    """The verdict on the recipe, and that on the file which ships."""
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    seeds = int(row["seeds"])
    about = "about this model" if seeds == 1 else f"over {count(seeds, 'seed')}"
    text = (
        f"It is proven to keep the criteria, {about} ({p_equals(row['p_value'])} after Holm's correction over "
        f"{count(int(row['tests']), 'variant')}; error rate {rate} %)."
    )
    files = where(results.shipped, row[CELL])
    if files.empty or seeds == 1:
        return text
    file = files.iloc[0]
    quality = quality_of(results, row["dataset"])
    shown = in_unit(results, row["dataset"], CHOICE_OF_NUMBERS) if quality.numbers else RATE
    own = (
        f"The file that ships is that of seed {int(file['seed'])}, chosen by validation rows: "
        f"{shown.with_unit(file['test'])} {in_sentence(shown.title)} (mean over seeds "
        f"{shown.with_unit(file['mean_test'])})"
    )
    if file["verdict"] == PROVEN:
        return f"{text} {own}; this file alone is proven on its test rows ({p_equals(file['p_value'])})."
    if not isinstance(file["verdict"], str):
        return f"{text} {own}."
    reason = f" ({escape(file['reason'])})" if isinstance(file["reason"], str) else ""
    return f"{text} {own}; of this file alone it is {escape(file['verdict'])}{reason}."


def _other_goals(rows: pd.DataFrame, chosen: Mapping[str, Any]) -> str:
    """The winner by each other goal, in the engine of the chosen one."""
    clauses = []
    for row in rows.to_dict("records"):
        shown, known = GOALS[row["goal"]], not missing(row["cost"])
        figure = shown.with_unit(row["cost"]) if known else NOT_ESTIMABLE
        if known and not missing(row["saving"]):
            figure += f" instead of {shown.with_unit(row['baseline_cost'])}"
        if row["goal"] != chosen["goal"]:
            clauses.append(f"{SUPERLATIVES[row['goal']]}: {escape(winner_of(row))} ({figure})")
    return f"Among those proven and the baseline, {'; '.join(clauses)}."


def _crossings(results: Results, chosen: Mapping[str, Any]) -> str:
    """Numbers of predictions at which the winner by life-cycle energy changes."""
    rows = where(results.crossings, {name: chosen[name] for name in (*FAMILY, "engine")})
    rows = where(rows, {"baseline": goals_in_words.baseline_of(chosen)})
    if rows.empty:
        return ""
    return f"By life-cycle energy, the answer is {escape(goals_in_words.crossings(rows))}."


def _evidence(results: Results, family: pd.DataFrame) -> list[str]:
    """Sentences in small print: changes, reasons, what is not tested, and disturbed measurements."""
    dataset, proven = family.iloc[0]["dataset"], family[family["verdict"] == PROVEN]
    changes = [
        f"Change of {escape(row['variant'])} against {escape(_baseline(results, row))}: {_changes(results, row)}."
        for _, row in proven[proven["recommended"]].iterrows()
    ]
    reasons = [
        f"{escape(row['variant'])} is {row['verdict']}: {escape(str(row['reason']))}"
        for _, row in results.ordered(family[family["verdict"] != PROVEN]).iterrows()
    ]
    more = f"; and {count(len(reasons) - MOST_REASONS, 'more variant')}" if len(reasons) > MOST_REASONS else ""
    not_proven = f"Not proven: {'; '.join(reasons[:MOST_REASONS])}{more}." if reasons else ""
    nobody = ""
    if not results.study["datasets"][dataset]["groups"]:
        nobody = "The study file declares no groups of this dataset: the verdict says nothing of groups."
    return [*changes, not_proven, _untested(results, family), nobody, escape(disturbed_rounds(results, dataset) or "")]


def _untested(results: Results, family: pd.DataFrame) -> str:
    """Rates of groups that are not tested; of one variant with their changes and Bayesian intervals."""
    rows = where(results.untested, family.iloc[0][COMPARISON]) if len(results.untested) else results.untested
    if rows.empty:
        return ""
    quality = quality_of(results, family["dataset"].iloc[0])
    best = family.assign(rank=family["verdict"].eq(PROVEN) + 2 * family["recommended"].astype(bool))
    variant = best.sort_values("rank", kind="stable", ascending=False).iloc[0]["variant"]
    entries = [
        f"{row['rate'].replace('_', ' ')} of {row['group']} by {row['attribute']} ({count(int(row['rows']), 'row')}), "
        + _in_its_unit(quality, row)
        for row in where(rows, {"variant": variant}).to_dict("records")
    ]
    kind = "intervals" if quality.numbers else "Bayesian intervals"
    return (
        f"Not tested, because of too few rows; changes of {escape(variant)} with {kind}: {escape('; '.join(entries))}."
    )


def _in_its_unit(quality: Quality, row: Mapping[str, Any]) -> str:
    """A change with its interval: of rates in points, of losses in their unit."""
    if not quality.numbers:
        return RATE.with_interval(row["value"], row["low"], row["high"], signed=True, writer=POINTS)
    writer = Writer(interval=f"{{value}} {quality.change.unit} ({INTERVAL} {{low}} to {{high}})".replace("  ", " "))
    return quality.change.with_interval(row["value"], row["low"], row["high"], signed=True, writer=writer)


def _baseline(results: Results, row: pd.Series) -> str:
    """Name of the baseline of a variant."""
    return str(where(results.comparisons, row[CELL]).iloc[0]["baseline"])


def _changes(results: Results, row: pd.Series) -> str:
    """Change of each criterion with a margin; of several groups that with the weakest evidence."""
    entries = where(results.criteria, row[CELL])
    entries = entries[~entries.apply(lambda entry: is_ceiling(results, entry["criterion"]), axis=1)]
    return "; ".join(
        f"{escape(name_of(entry))} {_change(results, entry)}"
        for _, entry in entries.iterrows()
        if entry["criterion"] != "worst_group_accuracy" or not tests_both(entries)
    )


def _change(results: Results, entry: Any) -> str:
    if missing(entry["value"]):
        return NOT_ESTIMABLE
    if entry["criterion"] in OF_LOSSES:
        shown = quality_of(results, entry["dataset"]).change
        margin = loss_margin(results, entry["criterion"], shown)
        writer = Writer(interval=f"{{value}} {shown.unit} ({INTERVAL} {{low}} to {{high}}; margin {margin})")
        return shown.with_interval(entry["value"], entry["low"], entry["high"], signed=True, writer=writer)
    margin = as_stated(entry["margin"], RATE.scale)
    writer = Writer(interval=f"{{value}} points ({INTERVAL} {{low}} to {{high}}; margin {margin})")
    return RATE.with_interval(entry["value"], entry["low"], entry["high"], signed=True, writer=writer)


def criteria(results: Results, dataset: str) -> HTML | None:
    """Table of change, interval, margin, p-value and verdict by variant and criterion; None if nothing is tested."""
    entries = results.criteria[results.criteria["dataset"] == dataset]
    if entries.empty:
        return None
    rows: list[list[str]] = []
    breaks: set[int] = set()
    if tests_both(entries):
        entries = entries[entries["criterion"] != "worst_group_accuracy"]
    shown = varying(entries, ("model", "engine", "augmentation"))
    columns = ["model", "engine", "augmentation", "variant"]
    for (*_, variant), part in results.ordered(entries).groupby(columns, sort=False):
        breaks.add(len(rows))
        decided = where(results.decisions, part.iloc[0][[*COMPARISON, "variant"]]).iloc[0]
        first = f"{variant}\n{decided['verdict']}{', recommended' if decided['recommended'] else ''}"
        for position, (_, entry) in enumerate(part.iterrows()):
            names = [first, *(str(entry[key]) for key in shown)] if position == 0 else [""] * (1 + len(shown))
            rows.append([*names, *_criterion(results, entry)])
    header = ["Variant", *map(str.capitalize, shown), "Criterion", "Verdict (this criterion)", "Tests"]
    header += ["Change or value", INTERVAL, "Margin or ceiling", "p"]
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    quality = quality_of(results, dataset)
    allowed = OF_NUMBERS if quality.numbers else OF_CLASSES
    notes = (
        f"Each variant is compared with its baseline on the test rows. {allowed} A "
        "criterion with several tests is proven if all of them reject; the row shows the test with the weakest "
        "evidence. The null hypothesis of p is that the criterion is violated. "
        f"{_test_in_words(entries, quality)} For a ceiling, the interval is the range over seeds. A variant is proven "
        "if all its criteria are, after Holm's "
        f"correction over the variants of its model and augmentation, at an error rate of {rate} %."
    )
    caption = f"{results.title(dataset)}: criteria of the study."
    return table(
        header,
        rows,
        caption,
        notes=notes,
        text_columns=3 + len(shown),
        breaks=breaks,
        repeated=1 + len(shown),
        finding=_proven(results, dataset),
    )


def _proven(results: Results, dataset: str) -> str:
    """How many variants of a dataset are proven, over models and augmentations."""
    verdicts = where(results.decisions, {"dataset": dataset})["verdict"].dropna()
    return f"{int((verdicts == PROVEN).sum())} of {len(verdicts)} verdicts proven"


def _criterion(results: Results, entry: Any) -> list[str]:
    """Cells of one criterion of a variant: name, verdict, value, interval, margin or ceiling, p-value."""
    if entry["criterion"] in OF_LOSSES:
        write = quality_of(results, entry["dataset"]).change
        margin = f"{write.text(entry['margin'])}\n{loss_margin(results, entry['criterion'], write)}"
    elif not is_ceiling(results, entry["criterion"]):
        write, margin = RATE, points(entry["margin"])
    elif "at_most_of_baseline" in results.study["criteria"]["ceilings"][entry["criterion"]]:
        write = ShownMeasure(entry["criterion"], "Ratio to the baseline", "x baseline", 2, "lower")
        margin = f"{as_stated(entry['margin'])} {write.unit}"
    else:
        write = measure(entry["criterion"])
        margin = f"{as_stated(entry['margin'], write.scale)} {write.unit}"
    signed = not is_ceiling(results, entry["criterion"])
    value, low, high = (write.text(entry[key], signed=signed) for key in ("value", "low", "high"))
    verdict = f"{entry['verdict']}\n{entry['reason']}" if isinstance(entry["reason"], str) else str(entry["verdict"])
    interval = DASH if missing(entry["low"]) else f"{low} to {high}"
    return [name_of(entry), verdict, f"{int(entry['parts'])}", value, interval, margin, p_value(entry["p_proven"])]


def _test_in_words(entries: pd.DataFrame, quality: Quality) -> str:
    """What the p-values of margins are computed by: over seeds and rows, or over rows alone."""
    if quality.numbers:
        return TESTS_OF_LOSSES
    single_model = "With one model, p is that of a score test of its test rows (Tango 1998)."
    several = (
        "With several seeds, p is the largest of an exact sign-flip test over seeds, a t-test over seeds and rows, "
        "and a score test with as many rows as the seeds are worth."
    )
    single = entries["seeds"].dropna() == 1
    text = " ".join(([several] if not single.all() else []) + ([single_model] if single.any() else []))
    if entries["catches_up"].astype(bool).any():
        text += (
            " A group that was clearly behind in the baseline may catch up: then its own difference must stay below "
            "the margin, and no group with enough rows may lose more than the margin."
        )
    return text


def goals(results: Results, dataset: str) -> HTML | None:
    """Table of the winner by each goal; None where nothing is profiled."""
    rows = where(results.goals, {"dataset": dataset})
    if rows.empty:
        return None
    keys = varying(rows, ("model", "augmentation", "engine"))
    rows = rows.assign(plain=rows["augmentation"] != "none").sort_values(["model", "plain"], kind="stable")
    cells: list[list[str]] = []
    breaks: set[int] = set()
    for _, part in rows.groupby(["model", "augmentation", "engine"], sort=False):
        breaks.add(len(cells))
        for row in part.to_dict("records"):
            shown = GOALS[row["goal"]]
            title = f"{shown.heading}{' (modelled)' if shown.modelled else ''}{', the goal' if row['chosen'] else ''}"
            saving = DASH
            if not missing(row["saving"]):
                saving = shown.with_interval(row["saving"], row["low"], row["high"], writer=TWO_LINES)
            costs = [shown.text(row[name]) for name in ("cost", "baseline_cost")]
            why = guards.warning(row) or row["reason"]
            cells.append([*(str(row[key]) for key in keys), title, winner_of(row), why, *costs, saving])
    header = [*map(str.capitalize, keys), "Goal", "Winner", "Why", "Its figure", "Baseline", "Saving"]
    notes = (
        "Candidates are the proven variants and the baseline. A variant wins if the 95 % interval of its saving "
        "excludes 0; among variants that cannot be distinguished from the one that saves most, the smallest file wins. "
        "Life-cycle energy is that of making one model, without the search for it, and of its use: "
        f"{goals_in_words.use(results.study['decision'])}, "
        f"with the file stored for {_years(results)}. It counts CPU time and "
        "bytes, and leaves memory out."
    )
    caption = f"{results.title(dataset)}: the winner by each goal."
    return table(header, cells, caption, notes=notes, text_columns=3 + len(keys), breaks=breaks, finding=_winner(rows))


def _winner(rows: pd.DataFrame) -> str:
    """The winners by the goal of the study."""
    names = {winner_of(row) for row in rows[rows["chosen"].astype(bool)].to_dict("records")}
    return f"by the goal of the study: {', '.join(sorted(names))}" if names else ""


def _years(results: Results) -> str:
    years = as_stated(results.study["life_cycle"]["years"])
    return f"{years} year{'' if years == '1' else 's'}"


def untested(results: Results, dataset: str) -> HTML | None:
    """Table of the rates of groups that have too few rows to be tested; None where there is none."""
    rows = where(results.untested, {"dataset": dataset})
    if rows.empty:
        return None
    keys = varying(rows, ("model", "augmentation", "engine"))
    cells: list[list[str]] = []
    breaks: set[int] = set()
    for key, part in results.ordered(rows).groupby(["variant", *keys], sort=False):
        breaks.add(len(cells))
        for position, row in enumerate(part.to_dict("records")):
            name = list(key) if position == 0 else [""] * len(key)
            before, value = (RATE.text(row[column], signed=column == "value") for column in ("before", "value"))
            low, high = (RATE.text(row[bound], signed=True) for bound in ("low", "high"))
            rate = f"{row['rate'].replace('_', ' ')} of {row['group']} ({row['attribute']})"
            cells.append([*name, rate, f"{int(row['rows']):,}", before, value, f"{low} to {high}"])
    least = count(results.study["fairness"]["smallest_group"], "row")
    notes = (
        f"These rates rest on fewer than {least} of a group and are not tested: the verdicts say nothing about them. "
        "The interval is Bayesian (Jeffreys' prior for the shares of rows that change for better and for worse). A "
        "rate that falls to 0 or rises to 1 in every model leaves a variant undecided from 10 rows on."
    )
    header = ["Variant", *map(str.capitalize, keys), "Rate", "Rows", "Baseline, %", "Change, points", INTERVAL]
    caption = f"{results.title(dataset)}: rates of groups that are not tested."
    return table(
        header,
        cells,
        caption,
        notes=notes,
        text_columns=2 + len(keys),
        breaks=breaks,
        repeated=1 + len(keys),
        finding=_groups(rows),
    )


def _groups(rows: pd.DataFrame) -> str:
    rates, groups = (
        len(rows[names].drop_duplicates()) for names in (["attribute", "group", "rate"], ["attribute", "group"])
    )
    return f"{count(rates, 'rate')} of {count(groups, 'group')}"


def front(results: Results, dataset: str) -> HTML | None:
    """Table of the probability of each variant to be on the Pareto front; None where it is not known."""
    known = results.decisions[
        (results.decisions["dataset"] == dataset) & results.decisions["front_probability"].notna()
    ]
    if known.empty:
        return None
    cost = GOALS[results.study["decision"]["goal"]]
    rows: list[list[str]] = []
    breaks: set[int] = set()
    for _, block in results.ordered(known).groupby(["model", "engine", "augmentation"], sort=False):
        breaks.add(len(rows))
        for _, row in block.iterrows():
            verdict = row["verdict"] if isinstance(row["verdict"], str) else DASH
            probability = f"{number(row['front_probability'], 0, 100)} %"
            rows.append(
                [row["variant"], row["model"], row["augmentation"], verdict, cost.text(row["cost"]), probability]
            )
    attributes = list(results.study["datasets"][dataset]["groups"])
    worst = f", {in_sentence(Column('worst_group_accuracy', attributes[0]).title)}" if attributes else ""
    notes = (
        "A variant is on the front if no other variant with the same augmentation is at least as good in accuracy"
        f"{worst} and {in_sentence(cost.title)}, and better in one of them. The probability is the share of 10,000 "
        "bootstrap replicates over seeds x test rows, which are the same for all variants."
    )
    header = ["Variant", "Model", "Augmentation", "Verdict", f"Cost: {in_sentence(cost.heading)}", "On the front"]
    caption = f"{results.title(dataset)}: probability of each variant to be on the Pareto front."
    return table(header, rows, caption, notes=notes, text_columns=4, breaks=breaks)
