"""Life-cycle energy of a variant and its break-even point against the baseline."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core import resource_usage
from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.lineage import CELL, lineage_of
from fairweight.core.operations import STAGES
from fairweight.core.recipes import EnergyRecipe, LifeCycleFactors
from fairweight.energy import energy_model, other_estimators
from fairweight.energy.amounts import AMOUNTS
from fairweight.energy.carbon_intensity import intensity_of
from fairweight.energy.footprint import making, per_model, seeds_of
from fairweight.energy.ledger import by_rule, read_ledger
from fairweight.energy.metered_ledger import meter
from fairweight.energy.savings import (
    MAKING_CPU_S,
    Cell,
    after_making,
    extra_of_file,
    extra_of_making,
    rows_of,
    saving_of_prediction,
    values_of,
)
from fairweight.energy.wall_meter import read_wall_meter
from fairweight.statistics.break_even import Interval, break_even, mean_interval

FAILED, SEARCH, USE = "failed attempts", "search", "use"
LIFE = [*CELL, "stage", "per", "batch_size", *AMOUNTS, "seeds", "status"]
REPAID = [*CELL, "batch_size", "scope", "status", "predictions", "low", "high"]
STATUSES = ("measured", "modelled", "not attributable")
SEED = re.compile(r"seed-\d+")

StageRow = dict[str, Any]  # a row of the table of stages; its keys are columns of LIFE


def life_cycle(
    *,
    results: str,
    summary: Mapping[str, str],
    recipe: EnergyRecipe,
    factors: LifeCycleFactors,
    baselines: dict[str, str],
    lineages: dict[str, list[str]],
    destination: Mapping[str, str],
) -> None:
    """Write the tables rules, life_cycle, break_even and estimators.

    They hold what each rule used, the stages of each variant's life cycle, its break-even point against its baseline,
    and the energy of the same steps by other estimators.

    The ledger is read as it is when this step runs: steps that end later, such as the report, are not included.

    Args:
        results: the study's folder.
        summary: tables of `summarize` by name: steps, profiles, ratios, measures, changes.
        recipe: `energy` of the study file.
        factors: `life_cycle` of the study file.
        baselines: variant -> the variant that it is compared with.
        lineages: variant -> itself and its ancestors.
        destination: name of the table -> Parquet file.
    """
    folder = Path(results)
    meter_csv = recipe.get("meter_csv")
    wall = read_wall_meter(Path(meter_csv)) if meter_csv and Path(meter_csv).exists() else None
    ledger, _ = meter(read_ledger(folder), folder / "meter", wall)
    attempts = _attempts(ledger, folder, recipe)
    tables = {name: read_frame(path) for name, path in summary.items()}
    cells = tables["profiles"].reindex(columns=CELL).drop_duplicates()
    stages = [
        row
        for _, cell in cells.iterrows()
        for row in _stages(cell, attempts, tables, recipe, factors, lineages[cell["variant"]])
    ]
    threads, memory = resource_usage.machine()
    machine = other_estimators.Machine.from_recipe(threads, memory, recipe)
    written = {
        "rules": rules_table(ledger, recipe),
        "life_cycle": pd.DataFrame(stages, columns=LIFE).astype({"batch_size": "Int64"}),
        "break_even": repayments(tables, searched(attempts, cells), recipe, factors, baselines),
        "estimators": other_estimators.compare(ledger, recipe, machine),
    }
    for name, path in destination.items():
        write_frame(path, written[name])


def rules_table(ledger: pd.DataFrame, recipe: EnergyRecipe) -> pd.DataFrame:
    """Extend `ledger.by_rule` by metered energy and counts of attempts by status.

    Args:
        ledger: see `metered_ledger.meter`.
        recipe: `energy` of the study file.

    Returns:
        One row per rule, with `metered_j` (J), the number of attempts of each of STATUSES, and `status`, the most
        frequent of them.
    """
    counts = pd.crosstab([ledger["kind"], ledger["rule"]], ledger["energy_status"]).reset_index()
    for status in STATUSES:
        if status not in counts:
            counts[status] = 0
    metered = ledger.groupby(["kind", "rule"])["metered_j"].sum(min_count=1).reset_index()
    joined = by_rule(ledger, recipe).merge(counts, on=["kind", "rule"]).merge(metered, on=["kind", "rule"])
    joined["status"] = [max(STATUSES, key=lambda status: row[status]) for row in joined.to_dict("records")]
    return joined


def _attempts(ledger: pd.DataFrame, results: Path, recipe: EnergyRecipe) -> pd.DataFrame:
    """Attempts with the lineage that follows from their output, modelled energy and emissions."""
    memory = (ledger["peak_memory_bytes"] / 1e9 * ledger["wall_s"]).fillna(0.0)
    lineages = [_lineage(output, results) for output in ledger["output"]]
    lineage = pd.DataFrame(lineages, index=ledger.index).reindex(columns=["seed", *CELL])
    spans = zip(ledger["started"], ledger["wall_s"], strict=True)
    used = energy_model.modelled(ledger["cpu_s"], recipe, memory, spans)
    return pd.concat([ledger[["kind", "rule", "status", "output", "cpu_s"]], lineage], axis=1).assign(**used)


def _lineage(output: object, results: Path) -> dict[str, Any]:
    # the folder of the results may have any name, and may have been moved since
    parts = Path(output).parts if isinstance(output, str) else ()
    tops = [i for i, part in enumerate(parts) if part in ("data", "profile", "compared") or SEED.fullmatch(part)]
    files = [results.joinpath(*parts[top:]) for top in tops]
    file = next((file for file in files if file.parent.is_dir()), None)
    return {} if file is None else lineage_of(str(file), str(results))


def _stages(
    cell: Cell,
    attempts: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    recipe: EnergyRecipe,
    factors: LifeCycleFactors,
    lineage: list[str],
) -> Iterator[StageRow]:
    """Rows of the life cycle of a cell's variant, in order: making, failed attempts, search, use, storage, transfer."""
    shared = {**cell, "batch_size": None, "per": "once", "status": "modelled"}
    yield from ({**shared, **row} for row in _making_stages(cell, attempts, tables["steps"], lineage))
    mine = rows_of(tables["profiles"], cell)
    for size, group in mine.groupby("batch_size"):
        cpu_s = group["cpu_s_per_1000"].mean()
        used = {"cpu_s": cpu_s, **energy_model.modelled(cpu_s, recipe), "seeds": len(group)}
        yield {**shared, "stage": USE, "per": "1,000 predictions", "batch_size": size, **used}
    for stage, per, size, factor in after_making(mine, factors):
        joules = {
            f"energy_j_{bound}": size / 1e9 * factor[bound] * energy_model.J_PER_KWH for bound in energy_model.BOUNDS
        }
        grams = joules["energy_j_central"] / energy_model.J_PER_KWH * intensity_of(recipe).g_per_kwh
        used = {"cpu_s": np.nan, **joules, "emissions_g": grams, "seeds": mine["seed"].nunique()}
        yield {**shared, "stage": stage, "per": per, **used}


def _making_stages(cell: Cell, attempts: pd.DataFrame, steps: pd.DataFrame, lineage: list[str]) -> Iterator[StageRow]:
    """Rows of what making one model takes, of the failed attempts at it, and of the search, the rest of the study.

    Making is counted from the table of steps, from which the measures are made, so that all tables say the same.
    """
    seeds = seeds_of(steps, cell, lineage)
    made = making(steps, cell, lineage, seeds)
    for stage in dict.fromkeys(STAGES.values()):
        part = made[made["rule"].map(STAGES) == stage]
        if len(part):
            yield {"stage": stage, **per_model(part, len(seeds)), "seeds": len(seeds)}
    failed = making(attempts[attempts["status"] != "ok"], cell, lineage, seeds)
    lost = per_model(failed, len(seeds))
    status = "not attributable" if failed["cpu_s"].isna().any() else "modelled"
    yield {"stage": FAILED, **lost, "seeds": len(seeds), "status": status}
    total, took = _study_total(cell["dataset"], attempts), per_model(made, len(seeds))
    yield {"stage": SEARCH, **{name: total[name] - took[name] - lost[name] for name in AMOUNTS}, "seeds": len(seeds)}


def _study_total(dataset: str, attempts: pd.DataFrame) -> dict[str, float]:
    """All that the study used for a dataset; what belongs to no dataset is divided equally among them.

    That is Snakemake and Dask themselves, and steps such as the summaries.
    """
    datasets = max(1, attempts["dataset"].nunique())
    mine, nobodys = attempts[attempts["dataset"] == dataset], attempts[attempts["dataset"].isna()]
    return dict(mine[AMOUNTS].sum() + nobodys[AMOUNTS].sum() / datasets)


def searched(attempts: pd.DataFrame, cells: pd.DataFrame) -> dict[str, float]:
    """CPU-seconds of all that the study used, by dataset."""
    return {dataset: _study_total(dataset, attempts)["cpu_s"] for dataset in cells["dataset"].unique()}


def repayments(
    tables: Mapping[str, pd.DataFrame],
    search: Mapping[str, float],
    recipe: EnergyRecipe,
    factors: LifeCycleFactors,
    baselines: Mapping[str, str],
) -> pd.DataFrame:
    """Predictions after which a variant has repaid the extra energy of making it, by batch size; columns of REPAID.

    Making and using are CPU-seconds of the same machine, so the watts of a core cancel; memory is left out. The bytes
    that a smaller file saves in storage and transfer become energy by the factors of the study file, and CPU-seconds by
    the watts. They count for the years and downloads that the study file states. Scope `making` counts the making of
    one model. Scope `making and search` counts all that the study used for the dataset, less the making of the
    baseline, because finding the variant took the whole study. Making does not depend on the engine, but is listed with
    each. The interval holds with at least 90 % (see `statistics.break_even`).

    Args:
        tables: profiles, ratios, measures and changes of `summarize`.
        search: CPU-seconds that the study used, by dataset.
        recipe: `energy` of the study file.
        factors: `life_cycle` of the study file.
        baselines: variant -> the variant that it is compared with.
    """
    measures = tables["measures"]
    took = measures[measures["measure"] == MAKING_CPU_S]
    rows = []
    for key in tables["ratios"].reindex(columns=[*CELL, "batch_size"]).to_dict("records"):
        cell: Cell = {str(name): value for name, value in key.items()}
        baseline = {**cell, "variant": baselines[cell["variant"]]}
        saved = saving_of_prediction(tables["ratios"], tables["profiles"], cell, baseline)
        of_file = extra_of_file(tables["profiles"], cell, baseline, recipe, factors)
        costs = {
            "making": extra_of_making(tables["changes"], cell),
            "making and search": mean_interval(search[cell["dataset"]] - values_of(took, baseline)),
        }
        for scope, cost in costs.items():
            repaid = break_even(_sum(cost, of_file), saved)
            rows.append({**cell, "scope": scope, **repaid, "predictions": repaid["uses"]})
    return pd.DataFrame(rows, columns=REPAID)


def _sum(first: Interval, second: Interval) -> Interval:
    """Interval of a sum: the bounds of both add up, whatever their correlation."""
    return first[0] + second[0], first[1] + second[1], first[2] + second[2]
