"""The decision in the report: sentences on what to ship, and the tables behind them."""

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
    significant,
)
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, COMPARISON
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.evaluation.criteria import listed, name_of
from fairweight.evaluation.recommend import FAMILY, LIFE_CYCLE
from fairweight.reporting.report.columns import INTERVAL, Column, in_sentence, p_equals
from fairweight.reporting.report.life_cycle import disturbed_rounds
from fairweight.reporting.report.page import listing, table, tied
from fairweight.reporting.report.results import Results, varying
from fairweight.statistics.decision import PROVEN

RATE = measure("accuracy")  # how criteria with a margin are shown: changes of rates, in percentage points
# goal -> how its figures are shown, and what the winner by it is called
GOALS = {
    LIFE_CYCLE: ShownMeasure(LIFE_CYCLE, "Life-cycle energy", "J", 1, "lower", modelled=True),
    "transfer_bytes": measure("transfer_bytes"),
    "latency": ShownMeasure("latency", "Median latency", "\N{MICRO SIGN}s", 1, "lower", scale=1e3),
    "energy_per_prediction": ShownMeasure(
        "energy_per_prediction", "Energy per prediction", "mJ", 4, "lower", scale=1e3, modelled=True
    ),
}
SUPERLATIVES = {
    LIFE_CYCLE: "least energy over its life cycle",
    "transfer_bytes": "smallest",
    "latency": "fastest",
    "energy_per_prediction": "least energy per prediction",
}
MOST_REASONS = 3  # variants whose reasons the answer gives; the table of criteria has all


def recommendation(results: Results) -> HTML | None:
    """For each dataset, model and augmentation: what to ship, and why."""
    decided = results.decisions[results.decisions["verdict"].notna()]
    if decided.empty:
        return HTML("<p>There is no decision: no variant is compared with a baseline.</p>")
    families = [family for _, family in results.ordered(decided).groupby(FAMILY, sort=False)]
    return listing([tied(_answer(results, family)) for family in families], most=30)


def _answer(results: Results, family: pd.DataFrame) -> str:
    """What to ship of one family, what it saves, its verdict, and what the answer rests on."""
    first = family.iloc[0]
    place = f"<b>{escape(results.title(first['dataset']))}</b>, {escape(first['model'])}"
    if len(set(results.decisions["augmentation"])) > 1:
        place += f", augmentation {escape(first['augmentation'])}"
    goals = where(results.goals, first[FAMILY])
    parts = [
        f"{place}: {_shipped(results, family, goals)}",
        _other_goals(goals),
        _crossings(results, goals),
        *(f'<small class="evidence">{part}</small>' for part in _evidence(results, family) if part),
    ]
    return " ".join(part for part in parts if part)


def _shipped(results: Results, family: pd.DataFrame, goals: pd.DataFrame) -> str:
    """The variant to ship and what it saves, or why it is the baseline."""
    decision = results.study["decision"]
    chosen = goals[goals["chosen"]]
    proven = family[family["verdict"] == PROVEN]
    if chosen.empty:  # no file is measured
        names = escape(", ".join(proven["variant"])) or "none"
        return f"proven to keep the criteria: <b>{names}</b>; nothing is profiled, so that no saving is known."
    row = chosen.iloc[0]
    shown, use = GOALS[row["goal"]], _use(results) if row["goal"] == LIFE_CYCLE else f" at batch {decision['batch']}"
    use = "" if row["goal"] == "transfer_bytes" else use
    if missing(row["saving"]):
        why = row["reason"]
        if len(proven):
            names = escape(", ".join(dict.fromkeys(proven["variant"])))
            why = f"{names} {'is' if len(proven) == 1 else 'are'} proven to keep the criteria, but {escape(why)}"
        return f"ship <b>{escape(row['winner'])}</b>, the baseline: {why}{use}."
    verdict = where(proven, {"variant": row["winner"], "engine": row["engine"]}).iloc[0]
    writer = Writer(interval=f"{{value}} {shown.unit} ({INTERVAL} {{low}} to {{high}})")
    saving = shown.with_interval(row["saving"], row["low"], row["high"], writer=writer)
    if row["goal"] == "transfer_bytes":
        saving = shown.with_unit(row["saving"])
    modelled = ", modelled" if shown.modelled else ""
    return (
        f"ship <b>{escape(row['winner'])}</b>, which saves {saving} of {shown.with_unit(row['baseline_cost'])} "
        f"{in_sentence(shown.title)}{use}{modelled}. {_verdict_in_words(results, verdict)}"
    )


def _use(results: Results) -> str:
    """The use that the life cycle assumes."""
    decision = results.study["decision"]
    return (
        f" over {_large(decision['predictions'])} predictions (batch {decision['batch']}) and "
        f"{_large(decision['downloads'])} download{'' if decision['downloads'] == 1 else 's'}"
    )


def _large(value: float) -> str:
    return f"{float(value):,.0f}" if float(value) < 1e9 else f"{float(value):.3g}"


def _verdict_in_words(results: Results, row: pd.Series) -> str:
    """The verdict on the recipe, and that on the file which ships."""
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    about = "about this model" if row["seeds"] == 1 else f"over {count(int(row['seeds']), 'seed')}"
    text = (
        f"It is proven to keep the criteria, {about} ({p_equals(row['p_value'])} after Holm's correction over "
        f"{count(int(row['tests']), 'variant')}; error rate {rate} %)."
    )
    files = where(results.shipped, row[CELL])
    if files.empty or row["seeds"] == 1:
        return text
    file = files.iloc[0]
    own = (
        f"The file that ships is that of seed {int(file['seed'])}, chosen by validation rows: "
        f"{RATE.with_unit(file['test'])} accuracy (mean over seeds {RATE.with_unit(file['mean_test'])})"
    )
    if file["verdict"] == PROVEN:
        return f"{text} {own}; this file alone is proven on its test rows ({p_equals(file['p_value'])})."
    reason = f" ({escape(file['reason'])})" if isinstance(file["reason"], str) else ""
    return f"{text} {own}; of this file alone it is {escape(str(file['verdict']))}{reason}."


def _other_goals(goals: pd.DataFrame) -> str:
    """The winner by each goal, in the engine of the chosen one."""
    chosen = goals[goals["chosen"]]
    if chosen.empty:
        return ""
    rows = where(goals, {"engine": chosen.iloc[0]["engine"]})
    clauses = []
    for row in rows.to_dict("records"):
        shown, known = GOALS[row["goal"]], not missing(row["cost"])
        figure = shown.with_unit(row["cost"]) if known else NOT_ESTIMABLE
        if known and not missing(row["saving"]):
            figure += f" instead of {shown.with_unit(row['baseline_cost'])}"
        if row["goal"] != LIFE_CYCLE:
            clauses.append(f"{SUPERLATIVES[row['goal']]}: {escape(row['winner'])} ({figure})")
    return f"Among those proven and the baseline, {'; '.join(clauses)}."


def _crossings(results: Results, goals: pd.DataFrame) -> str:
    """Numbers of predictions at which the winner by life-cycle energy changes."""
    chosen = goals[goals["chosen"]]
    if chosen.empty:
        return ""
    rows = where(results.crossings, chosen.iloc[0][[*FAMILY, "engine"]]).sort_values("predictions")
    if len(rows) < 2:
        return "By life-cycle energy, the answer is the same for any number of predictions up to 1e12."
    clauses = [f"{escape(rows.iloc[0]['winner'])} up to {significant(rows.iloc[1]['predictions'])} predictions"]
    for row, after in zip(rows.iloc[1:].to_dict("records"), [*rows.iloc[2:].to_dict("records"), None], strict=True):
        end = f" up to {significant(after['predictions'])}" if after else " beyond"
        clauses.append(f"{escape(row['winner'])}{end}")
    return f"By life-cycle energy: {', '.join(clauses)}."


def _evidence(results: Results, family: pd.DataFrame) -> list[str]:
    """Sentences in small print: changes, reasons, what is not tested, and disturbed measurements."""
    proven = family[family["verdict"] == PROVEN]
    dataset = family.iloc[0]["dataset"]
    recommended = proven[proven["recommended"]]
    changes = [
        f"Change against {escape(_baseline(results, row))}: {_changes(results, row)}."
        for _, row in recommended.iterrows()
    ]
    open_rows = results.ordered(family[family["verdict"] != PROVEN])
    reasons = [
        f"{escape(row['variant'])} is {row['verdict']}: {escape(str(row['reason']))}" for _, row in open_rows.iterrows()
    ]
    more = f"; and {count(len(reasons) - MOST_REASONS, 'more variant')}" if len(reasons) > MOST_REASONS else ""
    not_proven = f"Not proven: {'; '.join(reasons[:MOST_REASONS])}{more}." if reasons else ""
    untested = where(results.untested, family.iloc[0][COMPARISON])
    untested = untested.drop_duplicates(["attribute", "group", "rate"])
    missing_rates = (
        f"Not tested, because of too few rows: {escape(listed(untested.to_dict('records')))}." if len(untested) else ""
    )
    return [*changes, not_proven, missing_rates, escape(disturbed_rounds(results, dataset) or "")]


def _baseline(results: Results, row: pd.Series) -> str:
    """Name of the baseline of a variant."""
    return str(where(results.comparisons, row[CELL]).iloc[0]["baseline"])


def _changes(results: Results, row: pd.Series) -> str:
    """Change of each criterion with a margin; of several groups that with the weakest evidence."""
    entries = where(results.criteria, row[CELL])
    entries = entries[~entries.apply(lambda entry: _is_ceiling(results, entry), axis=1)]
    return "; ".join(
        f"{escape(name_of(entry))} {_change(entry)}"
        for _, entry in entries.iterrows()
        if entry["criterion"] != "worst_group_accuracy" or not _both(entries)
    )


def _both(entries: pd.DataFrame) -> bool:
    """Whether the accuracy of every group is limited by two criteria with the same margin, which test the same."""
    margins = entries[entries["criterion"].isin(["group_accuracy", "worst_group_accuracy"])]
    return margins["criterion"].nunique() == 2 and margins["margin"].nunique() == 1


def _is_ceiling(results: Results, entry: Any) -> bool:
    """Whether a criterion is a ceiling on a resource usage; the others are margins of a change."""
    return entry["criterion"] in results.study["criteria"].get("ceilings", {})


def _change(entry: Any) -> str:
    if missing(entry["value"]):
        return NOT_ESTIMABLE
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
    if _both(entries):
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
    notes = (
        "Each variant is compared with its baseline on the test rows. Accuracy may fall by the margin, of all rows and "
        "of every group with enough rows; the signed difference of a rate between any two groups may grow by it. A "
        "criterion with several tests is proven if all of them reject; the row shows the test with the weakest "
        f"evidence. The null hypothesis of p is that the criterion is violated. {_test_in_words(entries)} For a "
        "ceiling, the interval is the range over seeds. A variant is proven if all its criteria are, after Holm's "
        f"correction over the variants of its model and augmentation, at an error rate of {rate} %."
    )
    caption = f"{results.title(dataset)}: criteria of the study."
    return table(header, rows, caption, notes=notes, text_columns=3 + len(shown), breaks=breaks)


def _criterion(results: Results, entry: Any) -> list[str]:
    """Cells of one criterion of a variant: name, verdict, value, interval, margin or ceiling, p-value."""
    if not _is_ceiling(results, entry):
        write, margin = RATE, points(entry["margin"])
    elif "at_most_of_baseline" in results.study["criteria"]["ceilings"][entry["criterion"]]:
        write = ShownMeasure(entry["criterion"], "Ratio to the baseline", "x baseline", 2, "lower")
        margin = f"{as_stated(entry['margin'])} {write.unit}"
    else:
        write = measure(entry["criterion"])
        margin = f"{as_stated(entry['margin'], write.scale)} {write.unit}"
    signed = not _is_ceiling(results, entry)
    value, low, high = (write.text(entry[key], signed=signed) for key in ("value", "low", "high"))
    verdict = f"{entry['verdict']}\n{entry['reason']}" if isinstance(entry["reason"], str) else str(entry["verdict"])
    interval = DASH if missing(entry["low"]) else f"{low} to {high}"
    return [name_of(entry), verdict, f"{int(entry['parts'])}", value, interval, margin, p_value(entry["p_proven"])]


def _test_in_words(entries: pd.DataFrame) -> str:
    """What the p-values of margins are computed by: over seeds and rows, or over rows alone."""
    if (entries["seeds"].dropna() == 1).all():
        return "There is one model, so that p is that of a score test of its test rows (Tango 1998)."
    return "p is the larger of an exact sign-flip test over seeds and a t-test over seeds and rows."


def goals(results: Results, dataset: str) -> HTML | None:
    """Table of the winner by each goal; None where nothing is profiled."""
    rows = where(results.goals, {"dataset": dataset})
    if rows.empty:
        return None
    keys = varying(rows, ("model", "augmentation", "engine"))
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
            cells.append([*(str(row[key]) for key in keys), title, row["winner"], row["reason"], *costs, saving])
    header = [*map(str.capitalize, keys), "Goal", "Winner", "Why", "Its figure", "Baseline", "Saving"]
    notes = (
        "Candidates are the proven variants and the baseline. A variant wins if the 95 % interval of its saving "
        "excludes 0; among variants that cannot be distinguished from the one that saves most, the smallest file wins. "
        f"Life-cycle energy is that of making one model, without the search for it, and of its use{_use(results)}, "
        f"stored for {as_stated(results.study['life_cycle']['years'])} years."
    )
    caption = f"{results.title(dataset)}: the winner by each goal."
    return table(header, cells, caption, notes=notes, text_columns=3 + len(keys), breaks=breaks)


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
    return table(header, cells, caption, notes=notes, text_columns=2 + len(keys), breaks=breaks)


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
