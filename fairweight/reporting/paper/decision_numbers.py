r"""Numbers of the decision that an article may cite: `\fw{adult/mlp/int8/criterion/accuracy}`.

The key of a criterion is that of its cell, then criterion, attribute and, of a gap or a floor, the rate; the number is
that of the test with the weakest evidence, whose groups are the number `weakest`. Goals and crossings belong to a
family: dataset and model, with the augmentation between them where it is not `none`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fairweight.core.formatting import missing, p_value, significant
from fairweight.core.frames import where
from fairweight.core.lineage import FAMILY
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.reporting import goals, guards
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.keys import Keys, Number
from fairweight.reporting.paper.latex import LATEX, slug
from fairweight.reporting.report.results import Results

RATE = measure("accuracy")  # rates in percent, their changes in percentage points
SEVERAL_RATES = ("fairness_gap", "floor", "group_rates")  # criteria whose rows differ by rate
BOUNDS = {"": "value", "/low": "low", "/high": "high"}


def decision_numbers(results: Results, keys: Keys) -> Iterator[Number]:
    """Verdicts, criteria, untested rates, files that ship, recommendations, goals and crossings."""
    yield from _assumed(results)
    yield from _verdicts(results, keys)
    yield from _criteria(results, keys)
    yield from _untested(results, keys)
    yield from _files(results, keys)
    yield from _goals(results, keys)
    yield from _crossings(results, keys)


def _assumed(results: Results) -> Iterator[Number]:
    """The goal of the study, and the use that it assumes."""
    for name, value in results.study["decision"].items():
        text = goals.title(value) if name == "goal" else f"{value:,}"
        yield Number(f"decision/{name}", latex.escape(text), value, "", "summary/provenance.json")


def _text(key: str, value: Any, table: str) -> Number:
    return Number(key, latex.escape(value), value, "", f"summary/{table}.parquet")


def _p(key: str, value: float, table: str) -> Number:
    return Number(f"{key}/p-value", latex.escape(p_value(value)), value, "", f"summary/{table}.parquet")


def _with_bounds(key: str, row: Mapping[str, Any], record: ShownMeasure, unit: str, table: str) -> Iterator[Number]:
    """A change with the bounds of its interval."""
    for suffix, column in BOUNDS.items():
        text = record.text(row[column], signed=True, writer=LATEX)
        yield Number(key + suffix, text, row[column], unit, f"summary/{table}.parquet")


def _verdicts(results: Results, keys: Keys) -> Iterator[Number]:
    for row in results.decisions[results.decisions["verdict"].notna()].to_dict("records"):
        key = keys.cell_key(row)
        yield _text(f"{key}/verdict", row["verdict"], "decisions")
        yield _p(key, row["p_value"], "decisions")
    for _, family in results.decisions.groupby(FAMILY):
        chosen = goals.chosen(results.goals, family.iloc[0])
        name = "none" if chosen is None or guards.warning(chosen) else goals.winner_of(chosen)
        yield _text(f"{keys.family_key(family.iloc[0])}/recommended", name, "goals")


def _criteria(results: Results, keys: Keys) -> Iterator[Number]:
    ceilings = results.study["criteria"]["ceilings"]
    for row in results.criteria.to_dict("records"):
        place = [slug(row["attribute"])] if isinstance(row["attribute"], str) else []
        if row["criterion"] in SEVERAL_RATES:
            place.append(slug(row["rate"]))
        if row["criterion"] == "floor" and isinstance(row["group"], str):  # the only one with a row for each group
            groups = keys.groups.get((row["dataset"], row["attribute"]), {})  # classes and intersections have none
            place.append(groups.get(row["group"], slug(row["group"])))
        key = "/".join([keys.cell_key(row), "criterion", row["criterion"], *place])
        yield _text(f"{key}/verdict", row["verdict"], "criteria")
        yield _p(key, row["p_proven"], "criteria")
        if row["criterion"] not in ceilings and not missing(row["value"]):
            yield from _with_bounds(key, row, RATE, "points", "criteria")
            whom = [row[name] for name in ("group", "other_group") if isinstance(row[name], str)]
            if whom:
                yield _text(f"{key}/weakest", " over ".join(whom), "criteria")


def _untested(results: Results, keys: Keys) -> Iterator[Number]:
    for row in results.untested.to_dict("records"):
        group = keys.groups[row["dataset"], row["attribute"]][row["group"]]
        key = "/".join([keys.cell_key(row), "untested", row["rate"], slug(row["attribute"]), group])
        yield Number(f"{key}/rows", f"{row['rows']:,}", row["rows"], "", "summary/untested.parquet")
        yield from _with_bounds(key, row, RATE, "points", "untested")


def _files(results: Results, keys: Keys) -> Iterator[Number]:
    """The file that ships: its seed, its accuracy, its change and the verdict on it alone."""
    for row in results.shipped.to_dict("records"):
        key = f"{keys.cell_key(row)}/file"
        yield Number(f"{key}/seed", str(int(row["seed"])), int(row["seed"]), "", "summary/shipped.parquet")
        yield Number(
            f"{key}/accuracy", RATE.text(row["test"], writer=LATEX), row["test"], "%", "summary/shipped.parquet"
        )
        if not missing(row["change"]):
            change = row | {"value": row["change"]}
            yield from _with_bounds(f"{key}/change-accuracy", change, RATE, "points", "shipped")
        if isinstance(row["verdict"], str):
            yield _text(f"{key}/verdict", row["verdict"], "shipped")
            yield _p(key, row["p_value"], "shipped")


def _goals(results: Results, keys: Keys) -> Iterator[Number]:
    for row in results.goals.to_dict("records"):
        record = goals.GOALS[row["goal"]]
        key = "/".join([keys.family_key(row), *keys.engine_key(row), *_baseline(results, row), "goal", row["goal"]])
        yield _text(f"{key}/winner", goals.winner_of(row), "goals")
        figures = {"figure": "cost", "baseline": "baseline_cost"}
        if not goals.is_baseline(row):
            figures |= {"saving": "saving", "saving/low": "low", "saving/high": "high"}
        for name, column in figures.items():
            text = record.text(row[column], writer=LATEX)
            yield Number(f"{key}/{name}", text, row[column], record.unit, "summary/goals.parquet")


def _baseline(results: Results, row: Mapping[str, Any]) -> list[str]:
    """The baseline as part of a key, where a family has several."""
    family = where(results.goals, {name: row[name] for name in FAMILY})
    return [slug(row["baseline"])] if family["baseline"].nunique() > 1 else []


def _crossings(results: Results, keys: Keys) -> Iterator[Number]:
    """The winner by life-cycle energy from a number of predictions on, numbered from 1."""
    for _, rows in results.crossings.groupby([*FAMILY, "engine", "baseline"], sort=False):
        for position, row in enumerate(rows.sort_values("predictions").to_dict("records"), start=1):
            place = [keys.family_key(row), *keys.engine_key(row), *_baseline(results, row)]
            key = "/".join([*place, "crossing", str(position)])
            yield _text(f"{key}/winner", row["winner"], "crossings")
            text = latex.escape(significant(row["predictions"]))
            yield Number(f"{key}/predictions", text, row["predictions"], "", "summary/crossings.parquet")
