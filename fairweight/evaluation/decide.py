"""Decide from comparisons: which variants are proven to keep the criteria, and which one to recommend."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.frames import where
from fairweight.core.lineage import COMPARISON, FAMILY
from fairweight.core.measures import measure
from fairweight.core.recipes import Criteria, DecisionRecipe, EnergyRecipe, LifeCycleFactors
from fairweight.evaluation import criteria as tests
from fairweight.evaluation import evidence, guards
from fairweight.evaluation.criteria import CriterionRow, name_of
from fairweight.evaluation.recommend import Node, recommend
from fairweight.evaluation.shipped import shipped_table
from fairweight.evaluation.simple_accuracy import OfNumbers, SimpleRow, simple_rows
from fairweight.statistics import comparison, decision
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.decision import PROVEN, REFUTED, Verdict
from fairweight.statistics.significance import benjamini_hochberg

DECIDED = [*COMPARISON, "variant"]
KEY = [*COMPARISON, "baseline", "metric", "attribute", "group"]
COMPARED = ["variant", "baseline", "baseline_augmentation", *comparison.SCHEMA]
DECISION = ["verdict", "p_value", "tests", "seeds", "reason"]
FLOOR = ["value", "low", "high", "sd"]  # of one retraining

Key = tuple[str, ...]  # values of DECIDED


def decide(
    *,
    comparisons: dict[str, dict[str, str]],
    pairs: dict[str, dict[str, str]],
    replicates: dict[str, dict[str, str]],
    slices: dict[str, dict[str, str]],
    models: dict[str, dict[str, str]],
    summary: Mapping[str, str],
    simple: Mapping[str, str],
    criteria: Criteria,
    recipe: DecisionRecipe,
    energy: EnergyRecipe,
    factors: LifeCycleFactors,
    controls: list[str],
    replicated: list[str],
    attributes: dict[str, list[str]],
    destination: dict[str, str],
) -> None:
    """Write the comparisons of the whole study with their corrections, and the decisions.

    Args:
        comparisons, pairs, replicates, slices, models: Parquet file -> dataset, augmentation, model and engine of it.
        summary: tables of `summarize` by name: measures, ratios, profiles, assessments.
        simple: dataset -> Parquet file of the predictions of its simple model.
        criteria: `criteria` of the study file.
        recipe: `decision` of the study file.
        energy: `energy` of the study file.
        factors: `life_cycle` of the study file, with `downloads`.
        controls: variants that differ from their baseline by training alone.
        replicated: variants that differ from their baseline only by initialisation: the noise floor.
        attributes: dataset -> attributes that the criteria look at.
        destination: name of the table -> Parquet file to write: comparisons, criteria (one row per variant, criterion
            and rate), parts (one row per test), untested (rates of groups with too few rows), decisions (one row per
            variant), goals (the winner by each goal), crossings (where the winner changes), shipped (the file that
            ships of each variant), slices, guards (one row per guard that holds), simple_models (one row per dataset:
            what can be reached without a model of the study).
    """
    compared = adjusted(_gathered(comparisons), replicated, criteria["error_rate"])
    paired = _gathered(pairs)
    values = {name: read_frame(path) for name, path in summary.items()}
    left_out = {*replicated, *controls}
    tested = {
        key: _assessed(key, cell, paired, values["measures"], criteria, attributes)
        for key, cell in compared[~compared["variant"].isin(left_out)].groupby(DECIDED, sort=False)
    }
    table = pd.DataFrame(_decided(tested, criteria["error_rate"]), columns=[*DECIDED, *DECISION])
    nodes = _baselines(compared)
    guarded = guards.guard_table(_gathered(models), values["measures"], nodes, criteria)
    guarded = guarded[~guarded["variant"].isin(left_out)]
    table = guards.applied(table, guarded, nodes)
    table = _with_baselines(table, values["measures"], compared, left_out)
    warned = guards.reasons_by_cell(guarded)
    table, goals, crossings = recommend(table, values, nodes, warned, recipe, energy, factors)
    table = table.merge(_front_probabilities(replicates, table, left_out), on=DECIDED, how="left")
    tables = {
        "comparisons": compared,
        "decisions": table,
        "goals": goals,
        "crossings": crossings,
        "shipped": shipped_table(table, compared, paired, values["assessments"], criteria, attributes),
        "slices": _gathered(slices),
        "guards": guarded,
        "simple_models": _simple_models(simple),
    }
    for name, columns in (("criteria", CriterionRow), ("parts", CriterionRow), ("untested", tests.UntestedRow)):
        rows = [
            dict(zip(DECIDED, key, strict=True)) | row for key, entry in tested.items() for row in getattr(entry, name)
        ]
        tables[name] = pd.DataFrame(rows, columns=[*DECIDED, *columns.__annotations__])
    for name, path in destination.items():
        write_frame(path, tables[name])


def _simple_models(paths: Mapping[str, str]) -> pd.DataFrame:
    """What can be reached without a model of the study; of numbers, with further columns."""
    rows = simple_rows(paths)
    further = [name for name in OfNumbers.__annotations__ if any(name in row for row in rows)]
    return pd.DataFrame(rows, columns=[*SimpleRow.__annotations__, *further])


def _gathered(files: dict[str, dict[str, str]]) -> pd.DataFrame:
    frames = [read_frame(path).assign(**about) for path, about in files.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*COMPARISON, *COMPARED])


def adjusted(table: pd.DataFrame, replicated: list[str], error_rate: float) -> pd.DataFrame:
    """Add the noise floor to comparisons, and exploratory p-values adjusted within their family.

    A family is all groups of one attribute under one metric, of one variant in one cell (Benjamini & Hochberg 1995); of
    excess harm, which is one number per attribute, all variants and attributes of one comparison.
    The noise floor is what one retraining changes, from the same comparison of a replicate: `floor_value` is the mean
    over seeds, `floor_sd` the standard deviation, and `floor_low` to `floor_high` the 95 % prediction interval.

    Args:
        table: comparisons of the whole study.
        replicated: variants that differ from their baseline only by initialisation.
        error_rate: of a family of tests; `seeds_note` says where the number of seeds alone keeps the change of a single
            group from being significant.
    """
    floors = _noise_floors(table[table["variant"].isin(replicated)].drop_duplicates(KEY))
    table = table.merge(floors, on=KEY, how="left")
    table["q_value"] = np.nan
    table["seeds_note"] = None
    tested = table[table["p_value"].notna() & (table["status"] == "ok") & table["test"].ne("Welch")]
    harm = tested["metric"] == "excess_harm"
    families = [family for _, family in tested[harm].groupby(COMPARISON, sort=False)]
    families += [
        family for _, family in tested[~harm].groupby([*DECIDED, "metric", "attribute"], dropna=False, sort=False)
    ]
    for family in families:
        q_values = benjamini_hochberg(family["p_value"].to_numpy())
        table.loc[family.index, "q_value"] = q_values
        seeds = int(family["seeds"].iloc[0])
        if seeds > 1:  # a p-value of one model comes from rows alone
            note = reason_for_seeds(seeds, len(family), error_rate)
            table.loc[family.index[q_values > error_rate], "seeds_note"] = note
    return table


def _noise_floors(replicates: pd.DataFrame) -> pd.DataFrame:
    """Columns KEY and `floor_` + FLOOR: spread of single retrainings, with a prediction interval for one more."""
    seeds = replicates["seeds"].astype(float)
    sd = replicates["seed_error"].astype(float) * np.sqrt(seeds)
    half = stats.t.ppf(0.975, np.maximum(seeds - 1, 1)) * sd * np.sqrt(1 + 1 / seeds)
    value = replicates["value"].astype(float)
    low = (value - half).where(replicates["metric"] != "churn", np.maximum(value - half, 0))
    floors = {"value": value, "low": low, "high": value + half, "sd": sd}
    return replicates[KEY].assign(**{f"floor_{name}": floors[name] for name in FLOOR})


def _assessed(
    key: Key,
    cell: pd.DataFrame,
    pairs: pd.DataFrame,
    measures: pd.DataFrame,
    criteria: Criteria,
    attributes: dict[str, list[str]],
) -> tests.Assessed:
    """Evidence on the criteria of one variant, from its comparison, its pairs and its measures."""
    place = dict(zip(DECIDED, key, strict=True))
    changes = evidence.changes(cell.to_dict("records"), where(pairs, place).to_dict("records"))
    base = {"augmentation": cell["baseline_augmentation"].iloc[0], "variant": cell["baseline"].iloc[0]}
    ceilings = {
        name: _ceiling(measures, place, {**place, **base}, name, limit) for name, limit in criteria["ceilings"].items()
    }
    return evidence.assess(changes, ceilings, criteria, attributes[place["dataset"]])


def _ceiling(
    measures: pd.DataFrame, place: dict[str, str], baseline: dict[str, str], name: str, limit: dict[str, float]
) -> tuple[np.ndarray, float, bool]:
    """Values of a measure of a variant (K,), or their ratios to the baseline, the limit, and whether they are exact."""

    def per_seed(cell: dict[str, str]) -> "pd.Series[float]":
        """Values of one variant by seed."""
        rows = where(measures, {**cell, "measure": name})
        sizes = rows["batch_size"]
        rows = rows[sizes == sizes.min()] if sizes.notna().any() else rows
        return rows.set_index("seed")["value"].astype(float).sort_index()

    values, bound = per_seed(place), limit.get("at_most")
    if bound is None:
        bound, values = limit["at_most_of_baseline"], values / per_seed(baseline)
    return values.to_numpy(), bound, measure(name).source == "file"  # a file's bytes are counted, not measured


def _decided(tested: Mapping[Key, tests.Assessed], error_rate: float) -> Iterator[dict[str, Any]]:
    """Verdicts on the variants of each family, with the reason of each that is not proven."""
    families: dict[Key, list[Key]] = {}
    for key in tested:
        place = dict(zip(DECIDED, key, strict=True))
        families.setdefault(tuple(place[name] for name in FAMILY), []).append(key)
    for keys in families.values():
        entries = [tested[key] for key in keys]
        results = decision.verdicts([entry.evidence for entry in entries], error_rate)
        for key, entry, (verdict, p_value) in zip(keys, entries, results, strict=True):
            seeds = max((row["seeds"] or 0 for row in entry.criteria), default=0)
            reason = None if verdict == PROVEN else _why_not(entry, verdict, p_value, len(keys), error_rate)
            row = {"verdict": verdict, "p_value": p_value, "tests": len(keys), "seeds": seeds, "reason": reason}
            yield {**dict(zip(DECIDED, key, strict=True)), **row}


def _why_not(entry: tests.Assessed, verdict: Verdict, p_value: float, variants: int, error_rate: float) -> str:
    """Why a variant is not proven: what is refuted, what cannot be tested, or what is not shown."""
    criteria = entry.criteria
    if verdict == REFUTED:
        refuted = [row for row in criteria if row["p_refuted"] <= error_rate] or [
            min(criteria, key=lambda row: row["p_refuted"])
        ]
        return "; ".join(f"{name_of(row)} is refuted" for row in refuted)
    if not criteria:
        return "the study states no criterion"
    if reasons := [str(row["reason"]) for row in criteria if row["reason"] is not None]:
        return "; ".join(dict.fromkeys(reasons))
    if entry.untested and max(row["p_proven"] for row in criteria) * variants <= error_rate:
        return f"not tested: {tests.listed(entry.untested)}"
    seeds = next((row["seeds"] for row in criteria if row["seeds"]), None)
    if seeds is not None and seeds > 1 and (note := reason_for_seeds(seeds, variants, error_rate, 1)):
        return note
    unshown = [row for row in criteria if row["p_proven"] * variants > error_rate]
    weakest = max(unshown or criteria, key=lambda row: row["p_proven"])
    more = f" (and {len(unshown) - 1} more)" if len(unshown) > 1 else ""
    return _not_shown(f"{name_of(weakest)}{more}", weakest["p_proven"], p_value, variants, error_rate)


def _not_shown(name: str, alone: float, corrected: float, variants: int, error_rate: float) -> str:
    """What is not shown: by its own p-value, or only after the correction for the variants."""
    if alone <= error_rate < corrected:
        p_values = f"p = {alone:.2g}, {corrected:.2g} corrected"
        return f"{name} is shown alone, but not after the correction for {variants} variants: {p_values}"
    return f"{name} is not shown: p = {alone:.2g}" + (
        f" (p = {corrected:.2g} after Holm's correction over {variants} variants)" if variants > 1 else ""
    )


def _baselines(compared: pd.DataFrame) -> dict[Node, Node]:
    """Augmentation and variant -> those of its baseline; a baseline is its own."""
    columns = ["augmentation", "variant", "baseline_augmentation", "baseline"]
    rows = compared[columns].drop_duplicates().itertuples(index=False)
    nodes = {(row.augmentation, row.variant): (row.baseline_augmentation, row.baseline) for row in rows}
    return nodes | {node: node for node in nodes.values() if node not in nodes}


def _with_baselines(
    decided: pd.DataFrame, measures: pd.DataFrame, compared: pd.DataFrame, left_out: set[str]
) -> pd.DataFrame:
    """The decisions, with a row without a verdict for every baseline that was measured with them."""
    cells = measures[DECIDED].drop_duplicates()
    cells = cells.merge(compared[COMPARISON].drop_duplicates(), on=COMPARISON)
    return cells[~cells["variant"].isin(left_out)].merge(decided, on=DECIDED, how="left")


def _front_probabilities(files: dict[str, dict[str, str]], decisions: pd.DataFrame, left_out: set[str]) -> pd.DataFrame:
    """Probability of each variant to be on the Pareto front of accuracy, worst group's accuracy and cost."""
    costs = decisions.set_index(DECIDED)["cost"].dropna()
    rows = []
    for path, about in files.items():
        table = read_frame(path)
        table = table[~table["variant"].isin(left_out)].sort_values(["variant", "replicate"])
        variants = [str(variant) for variant in sorted(table["variant"].unique())]
        keys = [(*(about[key] for key in COMPARISON), variant) for variant in variants]
        if not all(key in costs.index for key in keys):
            continue
        shape = (len(variants), -1)
        signs = {"accuracy": 1, "worst_group_accuracy": 1, "loss": -1, "largest_group_loss": -1}
        objectives = [s * table[name].to_numpy(float).reshape(shape) for name, s in signs.items() if name in table]
        benefits = np.stack([o for o in objectives if not np.isnan(o).any()], axis=1)
        shares = decision.front_probability(benefits, costs.loc[keys].to_numpy())
        rows += [
            {**about, "variant": v, "front_probability": p} for v, p in zip(variants, shares.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=[*DECIDED, "front_probability"])
