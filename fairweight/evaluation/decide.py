"""From comparisons to decisions: which variants are proven to keep the criteria, and which one to ship."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.frames import where
from fairweight.statistics import comparison, decision
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.decision import PROVEN, Evidence
from fairweight.statistics.significance import benjamini_hochberg

FAMILY = ["dataset", "model"]
CELL = ["dataset", "augmentation", "model", "engine"]
KEY = [*CELL, "baseline", "metric", "attribute", "group"]
LARGER_IS_BETTER = ("accuracy", "group_accuracy", "worst_group_accuracy")
EXACT = ("size_bytes", "transfer_bytes")  # a file's bytes are counted, not measured
CRITERION = ["criterion", "attribute", "group"]


def decide(
    *, comparisons: dict[str, dict[str, str]], replicates: dict[str, dict[str, str]], slices: dict[str, dict[str, str]],
    measures: str, changes: str, criteria: dict[str, Any], replicated: list[str], attributes: dict[str, list[str]],
    destination: dict[str, str],
) -> None:  # fmt: skip
    """Write the comparisons of the whole study with their corrections, and the decisions.

    Args:
        comparisons, replicates, slices: Parquet file -> dataset, augmentation, model and engine that it is about.
        measures, changes: summary tables, a row a seed and measure.
        criteria: `criteria` of the study file.
        replicated: variants that differ from their baseline by initialisation alone: the noise floor.
        attributes: dataset -> attributes that the criteria look at.
        destination: name of the table -> Parquet file to write: comparisons, criteria (a row a variant and criterion),
            decisions (a row a variant), slices.
    """
    table = adjusted(_gathered(comparisons), replicated, criteria["error_rate"])
    values = {"measures": read_frame(measures), "changes": read_frame(changes)}
    found, decisions = [], []
    for _, family in table[table["augmentation"] == "none"].groupby(FAMILY, sort=True):
        candidates = family[~family["variant"].isin(replicated)]
        tested = [
            (key, list(evidence(cell, values, criteria, attributes)))
            for key, cell in candidates.groupby([*CELL, "variant"], sort=False)
        ]
        decisions += _decided(tested, criteria)
        found += [
            dict(zip([*CELL, "variant"], key, strict=True)) | entry for key, entries in tested for entry in entries
        ]
    made = pd.DataFrame(found, columns=[*CELL, "variant", *CRITERION, *EVIDENCE])
    table_of_decisions = pd.DataFrame(decisions, columns=[*CELL, "variant", *DECISION])
    probabilities = _front(replicates, values["measures"], replicated, criteria["cheapest_by"])
    table_of_decisions = table_of_decisions.merge(probabilities, on=[*CELL, "variant"], how="outer")
    costs = _means(values["measures"], criteria["cheapest_by"])
    table_of_decisions = table_of_decisions.merge(costs, on=[*CELL, "variant"], how="left")
    tables = {"comparisons": table, "criteria": made, "decisions": recommended(table_of_decisions)}
    tables["slices"] = _gathered(slices)
    for name, path in destination.items():
        write_frame(path, tables[name])


COMPARED = ["variant", "baseline", *comparison.SCHEMA]
EVIDENCE = ["margin", "value", "low", "high", "p_proven", "p_refuted", "verdict", "reason"]
DECISION = ["verdict", "p_value", "tests", "reason"]


def _gathered(files: dict[str, dict[str, str]]) -> pd.DataFrame:
    frames = [read_frame(path).assign(**about) for path, about in files.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*CELL, *COMPARED])


def adjusted(table: pd.DataFrame, replicated: list[str], error_rate: float) -> pd.DataFrame:
    """Comparisons with the noise floor beside them, and exploratory p-values adjusted within their family.

    A family is all groups of one attribute under one metric, of one variant in one cell (Benjamini & Hochberg 1995).
    The floor is the same comparison of a replicate: `floor_value`, `floor_low`, `floor_high`.
    """
    floors = table[table["variant"].isin(replicated)].drop_duplicates(KEY)
    renamed = {name: f"floor_{name}" for name in ("value", "low", "high")}
    table = table.merge(floors[[*KEY, *renamed]].rename(columns=renamed), on=KEY, how="left")
    table["q_value"] = np.nan
    table["seeds_note"] = None
    tested = table[table["p_value"].notna() & (table["status"] == "ok") & table["test"].ne("Welch")]
    for _, family in tested.groupby([*CELL, "variant", "metric", "attribute"], dropna=False, sort=False):
        table.loc[family.index, "q_value"] = benjamini_hochberg(family["p_value"].to_numpy())
        note = reason_for_seeds(int(family["seeds"].iloc[0]), len(family), error_rate)
        table.loc[family.index, "seeds_note"] = note
    return table


def evidence(
    cell: pd.DataFrame, values: dict[str, pd.DataFrame], criteria: dict[str, Any], attributes: dict[str, list[str]]
) -> Iterator[dict[str, Any]]:
    """One entry for each criterion of one variant (columns of CRITERION and EVIDENCE)."""
    about = cell[[*CELL, "variant", "baseline"]].iloc[0].to_dict()
    for criterion, row, margin in _margins(cell, criteria, attributes[about["dataset"]]):
        about_row = {name: None if pd.isna(row[name]) else row[name] for name in ("attribute", "group")}
        entry = {"criterion": criterion, **about_row, "margin": margin}
        if row["status"] != "ok":
            yield entry | {"p_proven": 1.0, "p_refuted": 1.0, "verdict": decision.UNDECIDED, "reason": row["reason"]}
            continue
        sign = 1.0 if criterion in LARGER_IS_BETTER else -1.0
        errors = (float(np.nan_to_num(row["seed_error"])), float(row["row_error"]))
        per_seed = sign * _per_seed(values["changes"], about, row)
        found = decision.noninferiority(per_seed, errors, int(row["denominator"]), margin)
        entry |= _said(found, criteria["error_rate"]) | {name: row[name] for name in ("value", "low", "high")}
        yield entry | {"seeds": len(per_seed)}
    for measure, limit in criteria["ceilings"].items():
        yield _ceiling(about, values["measures"], measure, limit, criteria["error_rate"])


def _said(found: Evidence, error_rate: float) -> dict[str, Any]:
    verdict = decision.PROVEN if found.proven <= error_rate else decision.UNDECIDED
    verdict = decision.REFUTED if found.refuted <= error_rate else verdict
    return {"p_proven": found.proven, "p_refuted": found.refuted, "verdict": verdict, "reason": None}


def _margins(
    cell: pd.DataFrame, criteria: dict[str, Any], attributes: list[str]
) -> Iterator[tuple[str, pd.Series, float]]:
    """(criterion, row of the comparison, margin) of every margin of the study and every attribute."""
    margins = criteria["margins"]
    whole = cell[cell["attribute"].isna()]
    if margins["accuracy"] is not None:
        yield "accuracy", whole[whole["metric"] == "accuracy"].iloc[0], margins["accuracy"]
    gap = criteria["gap"]
    if gap is None:
        gap = "equalized_odds_difference" if (cell["metric"] == "selection_rate").any() else "accuracy_difference"
    for attribute in attributes:
        of = cell[cell["attribute"] == attribute]
        groups = of[of["group"].notna() & (of["metric"] == "accuracy") & (of["status"] == "ok")]
        if margins["group_accuracy"] is not None:
            for _, row in groups.iterrows():
                yield "group_accuracy", row, margins["group_accuracy"]
        for criterion, metric in (("worst_group_accuracy", "worst_group_accuracy"), ("fairness_gap", gap)):
            if margins[criterion] is None:
                continue
            rows = of[(of["metric"] == metric) & of["group"].isna()]
            if len(rows):
                yield criterion, rows.iloc[0], margins[criterion]
            elif not of.empty:  # fewer than two groups are large enough: it cannot be shown
                missing = {"status": "undefined", "attribute": attribute, "group": None}
                reason = f"fewer than two groups of {attribute} have enough rows"
                yield criterion, pd.Series(missing | {"reason": reason}), margins[criterion]


def _per_seed(changes: pd.DataFrame, about: dict[str, Any], row: pd.Series) -> np.ndarray:
    same = where(changes, {**{key: about[key] for key in [*CELL, "variant"]}, "measure": row["metric"]})
    for column in ("attribute", "group"):
        same = same[same[column].isna() if pd.isna(row[column]) else same[column] == row[column]]
    values: np.ndarray = same.sort_values("seed")["value"].to_numpy(float)
    if len(values) != row["seeds"] or not np.isclose(values.mean(), row["value"], atol=1e-6):
        raise ValueError(f"{about}, {row['metric']}: summaries and comparisons disagree")
    return values


def _ceiling(
    about: dict[str, Any], measures: pd.DataFrame, measure: str, limit: dict[str, float], error_rate: float
) -> dict[str, Any]:
    def per_seed(variant: str) -> np.ndarray:
        """Values of one variant; of the smallest batch, where there are several."""
        found = where(measures, {**{key: about[key] for key in CELL}, "variant": variant, "measure": measure})
        if found["batch_size"].notna().any():
            found = found[found["batch_size"] == found["batch_size"].min()]
        values: np.ndarray = found.sort_values("seed")["value"].to_numpy(float)
        return values

    values = per_seed(about["variant"])
    bound, shown = limit.get("at_most"), values
    if bound is None:
        base = per_seed(about["baseline"])
        bound, values = limit["at_most_of_baseline"], values / base
        shown = values
    found = decision.ceiling(values, bound, exact=measure in EXACT)
    return {"criterion": measure, "attribute": None, "group": None, "margin": bound} | _said(found, error_rate) | {
        "value": float(np.mean(shown)), "low": float(np.min(shown)), "high": float(np.max(shown)),
    }  # fmt: skip


def _decided(tested: list[Any], criteria: dict[str, Any]) -> list[dict[str, Any]]:
    """Verdicts on the variants of one family, with the reason of each that is not proven."""
    family = [[Evidence(entry["p_proven"], entry["p_refuted"]) for entry in entries] for _, entries in tested]
    rows = []
    for (key, entries), (verdict, p_value) in zip(
        tested, decision.verdicts(family, criteria["error_rate"]), strict=True
    ):
        reason = None if verdict == PROVEN else _why_not(entries, verdict, p_value, len(tested), criteria["error_rate"])
        rows.append(
            dict(zip([*CELL, "variant"], key, strict=True))
            | {"verdict": verdict, "p_value": p_value, "tests": len(tested), "reason": reason}
        )
    return rows


def _why_not(entries: list[dict[str, Any]], verdict: str, p_value: float, tests: int, error_rate: float) -> str:
    if verdict == decision.REFUTED:
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
    of = f" of {entry['group']}" if isinstance(entry["group"], str) else ""
    by = f" by {entry['attribute']}" if isinstance(entry["attribute"], str) else ""
    return f"{entry['criterion'].replace('_', ' ')}{of}{by}"


def _means(measures: pd.DataFrame, measure: str) -> pd.DataFrame:
    found = measures[measures["measure"] == measure]
    if found["batch_size"].notna().any():
        found = found[found["batch_size"] == found["batch_size"].min()]
    return found.groupby([*CELL, "variant"], as_index=False)["value"].mean().rename(columns={"value": "cost"})


def _front(files: dict[str, dict[str, str]], measures: pd.DataFrame, replicated: list[str], by: str) -> pd.DataFrame:
    """Probability of each variant to be on the Pareto front of accuracy, worst group's accuracy and cost."""
    costs = _means(measures, by).set_index([*CELL, "variant"])["cost"]
    rows = []
    for path, about in files.items():
        table = read_frame(path)
        table = table[~table["variant"].isin(replicated)].sort_values(["variant", "replicate"])
        variants = sorted(table["variant"].unique())
        keys = [(*(about[key] for key in CELL), variant) for variant in variants]
        if not all(key in costs.index for key in keys):
            continue
        shape = (len(variants), -1)
        objectives = [table[name].to_numpy(float).reshape(shape) for name in ("accuracy", "worst_group_accuracy")]
        benefits = np.stack([o for o in objectives if not np.isnan(o).any()], axis=1)
        chances = decision.front_probability(benefits, costs.loc[keys].to_numpy())
        rows += [
            {**about, "variant": v, "front_probability": p} for v, p in zip(variants, chances.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=[*CELL, "variant", "front_probability"])


def recommended(decisions: pd.DataFrame) -> pd.DataFrame:
    """Decisions with the cheapest proven variant of each dataset and model marked."""
    decisions = decisions.assign(recommended=False)
    proven = decisions[(decisions["verdict"] == PROVEN) & decisions["cost"].notna()]
    if len(proven):
        first = proven.sort_values("cost", kind="stable").drop_duplicates(FAMILY)
        decisions.loc[first.index, "recommended"] = True
    return decisions
