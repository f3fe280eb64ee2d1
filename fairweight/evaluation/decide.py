"""Decide from comparisons: which variants are proven to keep the criteria, and which one to recommend."""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import numpy as np
import pandas as pd

from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.frames import where
from fairweight.core.lineage import COMPARISON
from fairweight.core.measures import measure
from fairweight.core.recipes import Criteria
from fairweight.statistics import comparison, decision
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.decision import PROVEN, REFUTED, UNDECIDED, Evidence, Verdict
from fairweight.statistics.rates import EQUALIZED_ODDS_DIFFERENCE
from fairweight.statistics.significance import benjamini_hochberg

FAMILY = ["dataset", "model"]
DECIDED = [*COMPARISON, "variant"]
KEY = [*COMPARISON, "baseline", "metric", "attribute", "group"]
CRITERION = ["criterion", "attribute", "group"]
COMPARED = ["variant", "baseline", *comparison.SCHEMA]
EVIDENCE = ["margin", "value", "low", "high", "p_proven", "p_refuted", "verdict", "reason"]
DECISION = ["verdict", "p_value", "tests", "reason"]


class CriterionRow(TypedDict):
    """Evidence on one criterion of one variant."""

    criterion: str
    attribute: str | None
    group: str | None
    margin: float
    p_proven: float
    p_refuted: float
    verdict: Verdict
    reason: str | None
    value: NotRequired[float]  # not where the comparison is undefined
    low: NotRequired[float]
    high: NotRequired[float]
    seeds: NotRequired[int]


Tested = list[tuple[tuple[str, ...], list[CriterionRow]]]  # values of DECIDED, and the evidence on each criterion


def decide(
    *,
    comparisons: dict[str, dict[str, str]],
    replicates: dict[str, dict[str, str]],
    slices: dict[str, dict[str, str]],
    measures: str,
    changes: str,
    criteria: Criteria,
    replicated: list[str],
    attributes: dict[str, list[str]],
    destination: dict[str, str],
) -> None:
    """Write the comparisons of the whole study with their corrections, and the decisions.

    Args:
        comparisons, replicates, slices: Parquet file -> dataset, augmentation, model and engine that it is about.
        measures, changes: summary tables, one row per seed and measure.
        criteria: `criteria` of the study file.
        replicated: variants that differ from their baseline only by initialisation: the noise floor.
        attributes: dataset -> attributes that the criteria look at.
        destination: name of the table -> Parquet file to write: comparisons, criteria (one row per variant and
            criterion), decisions (one row per variant), slices.
    """
    compared = adjusted(_gathered(comparisons), replicated, criteria["error_rate"])
    values = {"measures": read_frame(measures), "changes": read_frame(changes)}
    rows, decisions = [], []
    for _, family in compared[compared["augmentation"] == "none"].groupby(FAMILY, sort=True):
        candidates = family[~family["variant"].isin(replicated)]
        tested: Tested = [
            (key, list(evidence(cell, values, criteria, attributes)))
            for key, cell in candidates.groupby(DECIDED, sort=False)
        ]
        decisions += _decided(tested, criteria["error_rate"])
        rows += [dict(zip(DECIDED, key, strict=True)) | entry for key, entries in tested for entry in entries]
    cheapest_by = criteria["cheapest_by"]
    table = pd.DataFrame(decisions, columns=[*DECIDED, *DECISION])
    table = table.merge(
        _front_probabilities(replicates, values["measures"], replicated, cheapest_by), on=DECIDED, how="outer"
    )
    table = table.merge(_costs(values["measures"], cheapest_by), on=DECIDED, how="left")
    tables = {
        "comparisons": compared,
        "criteria": pd.DataFrame(rows, columns=[*DECIDED, *CRITERION, *EVIDENCE]),
        "decisions": recommended(table),
        "slices": _gathered(slices),
    }
    for name, path in destination.items():
        write_frame(path, tables[name])


def _gathered(files: dict[str, dict[str, str]]) -> pd.DataFrame:
    frames = [read_frame(path).assign(**about) for path, about in files.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*COMPARISON, *COMPARED])


def adjusted(table: pd.DataFrame, replicated: list[str], error_rate: float) -> pd.DataFrame:
    """Add the noise floor to comparisons, and exploratory p-values adjusted within their family.

    A family is all groups of one attribute under one metric, of one variant in one cell (Benjamini & Hochberg 1995).
    The noise floor is the same comparison of a replicate: `floor_value`, `floor_low`, `floor_high`.

    Args:
        table: comparisons of the whole study.
        replicated: variants that differ from their baseline only by initialisation.
        error_rate: of a family of tests; `seeds_note` says where too few seeds cannot reach it.
    """
    floors = table[table["variant"].isin(replicated)].drop_duplicates(KEY)
    renamed = {name: f"floor_{name}" for name in ("value", "low", "high")}
    table = table.merge(floors[[*KEY, *renamed]].rename(columns=renamed), on=KEY, how="left")
    table["q_value"] = np.nan
    table["seeds_note"] = None
    tested = table[table["p_value"].notna() & (table["status"] == "ok") & table["test"].ne("Welch")]
    for _, family in tested.groupby([*DECIDED, "metric", "attribute"], dropna=False, sort=False):
        table.loc[family.index, "q_value"] = benjamini_hochberg(family["p_value"].to_numpy())
        note = reason_for_seeds(int(family["seeds"].iloc[0]), len(family), error_rate)
        table.loc[family.index, "seeds_note"] = note
    return table


def evidence(
    cell: pd.DataFrame, values: dict[str, pd.DataFrame], criteria: Criteria, attributes: dict[str, list[str]]
) -> Iterator[CriterionRow]:
    """Evidence on each criterion of one variant.

    Args:
        cell: comparisons of the variant.
        values: the summary tables `measures` and `changes`.
        criteria: `criteria` of the study file.
        attributes: dataset -> attributes that the criteria look at.
    """
    error_rate = criteria["error_rate"]
    place: dict[str, str] = cell[[*DECIDED, "baseline"]].iloc[0].to_dict()
    for criterion, row, margin in _margins(cell, criteria, attributes[place["dataset"]]):
        attribute, group = (None if pd.isna(row[name]) else row[name] for name in ("attribute", "group"))
        if row["status"] != "ok":
            nothing = Evidence(1.0, 1.0)
            yield _criterion_row(criterion, margin, nothing, error_rate, attribute, group, row["reason"])
            continue
        sign = 1.0 if measure(row["metric"]).better == "higher" else -1.0
        errors = (float(np.nan_to_num(row["seed_error"])), float(row["row_error"]))
        per_seed = sign * _per_seed(values["changes"], place, row)
        tested = decision.noninferiority(per_seed, errors, int(row["denominator"]), margin)
        yield _criterion_row(criterion, margin, tested, error_rate, attribute, group) | {
            "value": row["value"],
            "low": row["low"],
            "high": row["high"],
            "seeds": len(per_seed),
        }
    for name, limit in criteria["ceilings"].items():
        yield _ceiling(place, values["measures"], name, limit, error_rate)


def _criterion_row(
    criterion: str,
    margin: float,
    tested: Evidence,
    error_rate: float,
    attribute: str | None = None,
    group: str | None = None,
    reason: str | None = None,
) -> CriterionRow:
    """Evidence on a criterion, with the verdict on this criterion alone."""
    verdict = PROVEN if tested.proven <= error_rate else UNDECIDED
    return {
        "criterion": criterion,
        "attribute": attribute,
        "group": group,
        "margin": margin,
        "p_proven": tested.proven,
        "p_refuted": tested.refuted,
        "verdict": REFUTED if tested.refuted <= error_rate else verdict,
        "reason": reason,
    }


def _margins(cell: pd.DataFrame, criteria: Criteria, attributes: list[str]) -> Iterator[tuple[str, pd.Series, float]]:
    """(criterion, row of the comparison, margin) of every margin of the study and every attribute."""
    margins = criteria["margins"]
    whole = cell[cell["attribute"].isna()]
    if margins["accuracy"] is not None:
        yield "accuracy", whole[whole["metric"] == "accuracy"].iloc[0], margins["accuracy"]
    gap = criteria["gap"]
    if gap is None:
        gap = EQUALIZED_ODDS_DIFFERENCE if (cell["metric"] == "selection_rate").any() else "accuracy_difference"
    for attribute in attributes:
        rows = cell[cell["attribute"] == attribute]
        if margins["group_accuracy"] is not None:
            groups = rows[rows["group"].notna() & (rows["metric"] == "accuracy") & (rows["status"] == "ok")]
            for _, row in groups.iterrows():
                yield "group_accuracy", row, margins["group_accuracy"]
        for criterion, metric in (("worst_group_accuracy", "worst_group_accuracy"), ("fairness_gap", gap)):
            margin = margins[criterion]
            if margin is None:
                continue
            compared = rows[(rows["metric"] == metric) & rows["group"].isna()]
            if len(compared):
                yield criterion, compared.iloc[0], margin
            elif not rows.empty:  # fewer than two groups are large enough: it cannot be shown
                missing = {"status": "undefined", "attribute": attribute, "group": None}
                reason = f"fewer than two groups of {attribute} have enough rows"
                yield criterion, pd.Series(missing | {"reason": reason}), margin


def _per_seed(changes: pd.DataFrame, place: dict[str, str], row: pd.Series) -> np.ndarray:
    """Changes of the measure of a comparison, one per seed (K,)."""
    same = where(changes, {**{key: place[key] for key in DECIDED}, "measure": row["metric"]})
    for column in ("attribute", "group"):
        same = same[same[column].isna() if pd.isna(row[column]) else same[column] == row[column]]
    values: np.ndarray = same.sort_values("seed")["value"].to_numpy(float)
    if len(values) != row["seeds"] or not np.isclose(values.mean(), row["value"], atol=1e-6):
        raise ValueError(f"{place}, {row['metric']}: summaries and comparisons disagree")
    return values


def _smallest_batch(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the smallest batch size, where there are several."""
    sizes = rows["batch_size"]
    return rows[sizes == sizes.min()] if sizes.notna().any() else rows


def _ceiling(
    place: dict[str, str], measures: pd.DataFrame, name: str, limit: dict[str, float], error_rate: float
) -> CriterionRow:
    """Evidence on a ceiling of a measure."""

    def per_seed(variant: str) -> np.ndarray:
        """Values of one variant (K,)."""
        cell = {**{key: place[key] for key in COMPARISON}, "variant": variant}
        rows = _smallest_batch(where(measures, {**cell, "measure": name}))
        values: np.ndarray = rows.sort_values("seed")["value"].to_numpy(float)
        return values

    values, bound = per_seed(place["variant"]), limit.get("at_most")
    if bound is None:
        bound, values = limit["at_most_of_baseline"], values / per_seed(place["baseline"])
    exact = measure(name).source == "file"  # a file's bytes are counted, not measured
    return _criterion_row(name, bound, decision.ceiling(values, bound, exact=exact), error_rate) | {
        "value": float(np.mean(values)),
        "low": float(np.min(values)),
        "high": float(np.max(values)),
    }


def _decided(tested: Tested, error_rate: float) -> list[dict[str, Any]]:
    """Verdicts on the variants of one family, with the reason of each that is not proven."""
    family = [[Evidence(entry["p_proven"], entry["p_refuted"]) for entry in entries] for _, entries in tested]
    rows: list[dict[str, Any]] = []
    for (key, entries), (verdict, p_value) in zip(tested, decision.verdicts(family, error_rate), strict=True):
        reason = None if verdict == PROVEN else _why_not(entries, verdict, p_value, len(tested), error_rate)
        verdict_row = {"verdict": verdict, "p_value": p_value, "tests": len(tested), "reason": reason}
        rows.append({**dict(zip(DECIDED, key, strict=True)), **verdict_row})
    return rows


def _why_not(entries: list[CriterionRow], verdict: Verdict, p_value: float, tests: int, error_rate: float) -> str:
    if verdict == REFUTED:
        return "; ".join(f"{name_of(e)} is refuted" for e in entries if e["p_refuted"] <= error_rate)
    seeds = next((e["seeds"] for e in entries if e.get("seeds")), None)
    if seeds is not None and (note := reason_for_seeds(seeds, tests, error_rate, 1)):
        return note
    worst = max(entries, key=lambda e: e["p_proven"])
    return worst["reason"] or (
        f"{name_of(worst)} is not shown: p = {worst['p_proven']:.2g}"
        + (f", {p_value:.2g} after Holm's correction over {tests} variants" if tests > 1 else "")
    )


def name_of(entry: Mapping[str, Any]) -> str:
    """A criterion in words, with its group and attribute."""
    group = f" of {entry['group']}" if isinstance(entry["group"], str) else ""
    attribute = f" by {entry['attribute']}" if isinstance(entry["attribute"], str) else ""
    return f"{entry['criterion'].replace('_', ' ')}{group}{attribute}"


def _costs(measures: pd.DataFrame, name: str) -> pd.DataFrame:
    """Mean over seeds of the measure that the recommendation minimises, of each variant."""
    rows = _smallest_batch(measures[measures["measure"] == name])
    return rows.groupby(DECIDED, as_index=False)["value"].mean().rename(columns={"value": "cost"})


def _front_probabilities(
    files: dict[str, dict[str, str]], measures: pd.DataFrame, replicated: list[str], cheapest_by: str
) -> pd.DataFrame:
    """Probability of each variant to be on the Pareto front of accuracy, worst group's accuracy and cost."""
    costs = _costs(measures, cheapest_by).set_index(DECIDED)["cost"]
    rows = []
    for path, about in files.items():
        table = read_frame(path)
        table = table[~table["variant"].isin(replicated)].sort_values(["variant", "replicate"])
        variants = sorted(table["variant"].unique())
        keys = [(*(about[key] for key in COMPARISON), variant) for variant in variants]
        if not all(key in costs.index for key in keys):
            continue
        shape = (len(variants), -1)
        objectives = [table[name].to_numpy(float).reshape(shape) for name in ("accuracy", "worst_group_accuracy")]
        benefits = np.stack([o for o in objectives if not np.isnan(o).any()], axis=1)
        shares = decision.front_probability(benefits, costs.loc[keys].to_numpy())
        rows += [
            {**about, "variant": v, "front_probability": p} for v, p in zip(variants, shares.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=[*DECIDED, "front_probability"])


def recommended(decisions: pd.DataFrame) -> pd.DataFrame:
    """Mark the cheapest proven variant of each dataset and model in column `recommended`."""
    decisions = decisions.assign(recommended=False)
    proven = decisions[(decisions["verdict"] == PROVEN) & decisions["cost"].notna()]
    if len(proven):
        first = proven.sort_values("cost", kind="stable").drop_duplicates(FAMILY)
        decisions.loc[first.index, "recommended"] = True
    return decisions
