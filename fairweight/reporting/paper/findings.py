"""Draft of an article's findings, filled in from the study: what to ship, for whom it is proven, and what it saves."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from fairweight.core.formatting import as_stated, count, missing
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, FAMILY
from fairweight.core.shown_measures import measure
from fairweight.evaluation.criteria import listed, name_of
from fairweight.reporting import goals, guards
from fairweight.reporting.paper.latex import LATEX, escape
from fairweight.reporting.paper.methods import listed as enumerated
from fairweight.reporting.report.columns import in_sentence, p_equals
from fairweight.reporting.report.results import Results
from fairweight.statistics.decision import PROVEN

RATE = measure("accuracy")  # changes of rates, in percentage points


def findings(results: Results) -> str:
    """Content of `findings.tex`: for each dataset, model and augmentation, what to ship and why."""
    decided = results.decisions[results.decisions["verdict"].notna()]
    if decided.empty:
        return "No variant is compared with a baseline, so nothing was decided.\n"
    families = results.ordered(decided).groupby(FAMILY, sort=False)
    return "\n\n".join(" ".join(_finding(results, family)) for _, family in families) + "\n"


def _finding(results: Results, family: pd.DataFrame) -> Iterator[str]:
    """Sentences on one family."""
    first = family.iloc[0]
    chosen = goals.chosen(results.goals, first)
    warnings = guards.of_family(results, first[FAMILY])
    warning = f"Warning: {escape('; '.join(warnings))}. " if warnings else ""
    yield rf"\paragraph{{{_place(results, first)}.}} {warning}{_recommendation(results, family, chosen)}"
    if chosen is not None and guards.warning(chosen) is None:
        yield from _by_goal(results, chosen)
        shipped = where(family, {"variant": chosen["winner"], "engine": chosen["engine"]})
        if len(shipped) and not goals.is_baseline(chosen):
            yield from _evidence(results, shipped.iloc[0])
    yield from _not_proven(family)
    untested = where(results.untested, {key: first[key] for key in FAMILY})
    if len(untested):
        rows: Any = untested.drop_duplicates(["attribute", "group", "rate"]).to_dict("records")
        rates = listed(rows)
        yield f"Not tested, because of too few rows: {escape(rates)}."


def _place(results: Results, first: Any) -> str:
    augmentation = f", augmentation {escape(first['augmentation'])}" if first["augmentation"] != "none" else ""
    return f"{escape(results.title(first['dataset']))}, {escape(first['model'])}{augmentation}"


def _recommendation(results: Results, family: pd.DataFrame, chosen: Any) -> str:
    """What is recommended, and what it saves or why the baseline ships."""
    proven = [escape(name) for name in dict.fromkeys(family.loc[family["verdict"] == PROVEN, "variant"])]
    keep = f"{enumerated(proven)} {'is' if len(proven) == 1 else 'are'} proven to keep the criteria" if proven else ""
    if chosen is None:
        verdict = keep or "No variant is proven to keep the criteria"
        return f"{verdict}; no file is measured, so that none is recommended."
    if warning := guards.warning(chosen):
        return f"{escape(warning[0].upper() + warning[1:])}."
    goal = goals.title(chosen["goal"]) + goals.assumed_use(chosen["goal"], results.study["decision"])
    winner = rf"\textbf{{{escape(goals.winner_of(chosen))}}}"
    if goals.is_baseline(chosen):
        why = f"{keep}, but {escape(chosen['reason'])}" if keep else escape(chosen["reason"])
        return f"{winner}, the baseline, is recommended by {escape(goal)}: {why}."
    whole = escape(goals.GOALS[chosen["goal"]].with_unit(chosen["baseline_cost"]))
    more = [name for name in proven if name != escape(chosen["winner"])]
    others = f"Proven as well: {enumerated(more)}." if more else ""
    saved = f"saves {goals.saving(chosen, LATEX)} of {whole} against {escape(goals.baseline_of(chosen))}"
    return f"{winner} is recommended by {escape(goal)}: it is proven to keep the criteria, and {saved}. {others}"


def _by_goal(results: Results, chosen: Any) -> Iterator[str]:
    """The winner by the other goals, and the number of predictions at which that by life-cycle energy changes."""
    place = {key: chosen[key] for key in (*FAMILY, "engine")}
    others = where(results.goals, place)
    clauses = [
        f"{escape(goals.winner_of(row))} by {in_sentence(goals.GOALS[row['goal']].title)} ({_figures(row)})"
        for row in others[others["goal"] != chosen["goal"]].to_dict("records")
    ]
    if clauses:
        yield f"Winners by the other goals: {'; '.join(clauses)}."
    crossings = where(results.crossings, place)
    if len(crossings):
        yield f"By life-cycle energy, the winner is {escape(goals.crossings(crossings))}."


def _figures(row: Any) -> str:
    """Figure of a winner, and that of the baseline where it is another one."""
    record = goals.GOALS[row["goal"]]
    own, base = (escape(record.with_unit(row[key])) for key in ("cost", "baseline_cost"))
    text = own if goals.is_baseline(row) else f"{own} instead of {base}"
    return f"{text}, modelled" if record.modelled else text


def _evidence(results: Results, row: pd.Series) -> Iterator[str]:
    """Tests of the recommended variant: p-value, weakest test of each criterion, and the file that ships."""
    seeds = "about this model" if row["seeds"] == 1 else f"over {count(int(row['seeds']), 'seed')}"
    yield (
        f"The proof {seeds} has {escape(p_equals(row['p_value']))} after Holm's correction over "
        f"{count(int(row['tests']), 'variant')}. Changes against the baseline with 95\\,\\% intervals, for each "
        f"criterion of the test with the weakest evidence: {'; '.join(_changes(results, row)) or 'none'}."
    )
    files = where(results.shipped, row[CELL])
    if files.empty or row["seeds"] == 1:
        return
    file = files.iloc[0]
    own, mean = (escape(RATE.with_unit(file[key])) for key in ("test", "mean_test"))
    reason = file["reason"] if isinstance(file["reason"], str) else p_equals(file["p_value"])
    yield (
        f"The file that ships is that of seed {int(file['seed'])}: its accuracy is {own}, the mean over seeds {mean}; "
        f"that this file alone keeps the margins is {escape(file['verdict'])} ({escape(reason)})."
    )


def _changes(results: Results, row: pd.Series) -> Iterator[str]:
    """Each criterion with a margin: the change, its interval and the margin."""
    ceilings, margins = results.study["criteria"]["ceilings"], results.study["criteria"]["margins"]
    twice = margins["group_accuracy"] is not None and margins["group_accuracy"] == margins["worst_group_accuracy"]
    for entry in where(results.criteria, row[CELL]).to_dict("records"):
        if entry["criterion"] in ceilings or missing(entry["value"]):
            continue
        if twice and entry["criterion"] == "worst_group_accuracy":  # the same tests as those of every group
            continue
        change = RATE.with_interval(entry["value"], entry["low"], entry["high"], signed=True, writer=LATEX)
        yield f"{escape(name_of(entry))} {change} points (margin {escape(as_stated(entry['margin'], 100))})"


def _not_proven(family: pd.DataFrame) -> Iterator[str]:
    rows = family[family["verdict"] != PROVEN]
    if len(rows):
        clauses = (
            f"{escape(r['variant'])} is {escape(r['verdict'])}: {escape(r['reason'])}" for _, r in rows.iterrows()
        )
        yield f"Not proven: {'; '.join(clauses)}."
