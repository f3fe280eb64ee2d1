"""A variant from its making to its use: what it takes along its lineage, and when it has repaid what it cost more."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core import resource_usage
from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.lineage import CELL, lineage_of
from fairweight.core.operations import STAGES
from fairweight.energy import energy_model, other_estimators
from fairweight.energy.carbon_intensity import intensity_of
from fairweight.energy.footprint import AMOUNTS, making, per_model, seeds_of
from fairweight.energy.ledger import by_rule, read_ledger
from fairweight.energy.metered_ledger import meter
from fairweight.energy.wall_meter import read_wall_meter
from fairweight.statistics.break_even import break_even

FAILED, SEARCH, USE, STORAGE, TRANSFER = "failed attempts", "search", "use", "storage", "transfer"
LIFE = [*CELL, "stage", "per", "batch_size", *AMOUNTS, "seeds", "status"]
REPAID = [*CELL, "batch_size", "scope", "status", "predictions", "low", "high"]
J_PER_KWH = energy_model.J_PER_KWH


def life_cycle(
    *, results: str, summary: Mapping[str, str], recipe: dict[str, Any], factors: dict[str, Any],
    baselines: dict[str, str], lineages: dict[str, list[str]], destination: Mapping[str, str],
) -> None:  # fmt: skip
    """Write the tables rules, life_cycle, break_even and estimators.

    They tell what each rule used, the stages of each variant's life, when it has repaid what it cost more than its baseline,
    and what other estimators say of the same steps.

    The ledger is read as it is when this runs: what ends later, such as the report itself, is not in it.

    Args:
        results: the study's folder.
        summary: tables of `summaries.summarize` by name: profiles, measures, changes.
        recipe: `energy` of the study file.
        factors: `life_cycle` of the study file.
        baselines: variant -> the variant that it is compared with.
        lineages: variant -> itself and its ancestors.
        destination: name of the table -> Parquet file.
    """
    folder = Path(results)
    stated = recipe.get("meter_csv")
    wall = read_wall_meter(Path(stated)) if stated and Path(stated).exists() else None
    ledger, _ = meter(read_ledger(folder), folder / "meter", wall)
    steps = _attempts(ledger, folder, recipe)
    tables = {name: read_frame(path) for name, path in summary.items()}
    cells = tables["profiles"].reindex(columns=CELL).drop_duplicates()
    threads, memory = resource_usage.machine()
    found = {
        "rules": rules_table(ledger, recipe),
        "life_cycle": pd.DataFrame(
            [
                row
                for _, cell in cells.iterrows()
                for row in _life(cell, steps, tables["profiles"], recipe, factors, lineages)
            ],
            columns=LIFE,
        ).astype({"batch_size": "Int64"}),
        "break_even": repayments(tables, searched(steps, cells), recipe, factors, baselines),
        "estimators": other_estimators.compare(ledger, recipe, other_estimators.Machine.of(threads, memory, recipe)),
    }
    for name, path in destination.items():
        write_frame(path, found[name])


def rules_table(ledger: pd.DataFrame, recipe: dict[str, Any]) -> pd.DataFrame:
    """`ledger.by_rule` with what meters counted of each rule in J, and how many attempts are measured, modelled and neither."""
    counts = pd.crosstab([ledger["kind"], ledger["rule"]], ledger["energy_status"]).reset_index()
    for status in ("measured", "modelled", "not attributable"):
        if status not in counts:
            counts[status] = 0
    metered = ledger.groupby(["kind", "rule"])["metered_j"].sum(min_count=1).reset_index()
    joined = by_rule(ledger, recipe).merge(counts, on=["kind", "rule"]).merge(metered, on=["kind", "rule"])
    joined["status"] = [_status(row) for row in joined.to_dict("records")]
    return joined


def _status(row: Mapping[str, Any]) -> str:
    """One word for a rule: what most of its attempts are."""
    return max(("measured", "modelled", "not attributable"), key=lambda status: row[status])


def _attempts(ledger: pd.DataFrame, results: Path, recipe: dict[str, Any]) -> pd.DataFrame:
    """Attempts with the lineage that their output tells, modelled energy and emissions."""
    memory = (ledger["peak_memory_bytes"] / 1e9 * ledger["wall_s"]).fillna(0.0)
    told = [_lineage(output, results) for output in ledger["output"]]
    lineage = pd.DataFrame(told, index=ledger.index).reindex(columns=["seed", *CELL])
    spans = zip(ledger["started"], ledger["wall_s"], strict=True)
    used = energy_model.modelled(ledger["cpu_s"], recipe, memory, spans)
    return pd.concat([ledger[["kind", "rule", "status", "output", "cpu_s"]], lineage], axis=1).assign(**used)


def _lineage(output: Any, results: Path) -> dict[str, Any]:
    parts = Path(output).parts if isinstance(output, str) else ()
    if results.name not in parts:
        return {}
    below = parts[parts.index(results.name) + 1 :]
    known = below and (below[0] in ("data", "profile", "compared") or below[0].startswith("seed-"))
    return lineage_of(str(results.joinpath(*below)), str(results)) if known else {}


def _life(
    cell: Any, steps: pd.DataFrame, profiles: pd.DataFrame, recipe: dict[str, Any], factors: dict[str, Any], lineages: dict[str, list[str]]
) -> Iterator[dict[str, Any]]:  # fmt: skip
    about = {**cell, "batch_size": None, "per": "once", "status": "modelled"}
    lineage, done = lineages[cell["variant"]], steps[steps["status"] == "ok"]
    seeds = seeds_of(done, cell, lineage)
    one = {"seeds": len(seeds)}
    made = making(done, cell, lineage, seeds).drop_duplicates("output", keep="last")
    for stage in dict.fromkeys(STAGES.values()):
        of = made[made["rule"].map(STAGES) == stage]
        if len(of):
            yield {**about, "stage": stage, **per_model(of, len(seeds)), **one}
    failed = making(steps[steps["status"] != "ok"], cell, lineage, seeds)
    lost = per_model(failed, len(seeds))
    unknown = failed["cpu_s"].isna().any()
    yield {**about, "stage": FAILED, **lost, **one, "status": "not attributable" if unknown else "modelled"}
    total, took = _study_of(cell["dataset"], steps), per_model(made, len(seeds))
    yield {**about, "stage": SEARCH, **{name: total[name] - took[name] - lost[name] for name in AMOUNTS}, **one}
    mine = profiles[(profiles[CELL] == [cell[name] for name in CELL]).all(axis=1)]
    for size, of in mine.groupby("batch_size"):
        used = energy_model.modelled(of["cpu_s_per_1000"].mean(), recipe)
        yield {**about, "stage": USE, "per": "1,000 predictions", "batch_size": size, "cpu_s": of["cpu_s_per_1000"].mean(), **used, "seeds": len(of)}  # fmt: skip
    for stage, per, size, factor in _after(mine, factors):
        joules = {f"energy_j_{bound}": size / 1e9 * factor[bound] * J_PER_KWH for bound in energy_model.BOUNDS}
        grams = joules["energy_j_central"] / J_PER_KWH * intensity_of(recipe).g_per_kwh
        yield {**about, "stage": stage, "per": per, "cpu_s": np.nan, **joules, "emissions_g": grams, "seeds": mine["seed"].nunique()}  # fmt: skip


def _study_of(dataset: str, steps: pd.DataFrame) -> dict[str, float]:
    """All that the study used for a dataset; what belongs to none is shared out equally."""
    datasets = max(1, steps["dataset"].nunique())
    mine, nobodys = steps[steps["dataset"] == dataset], steps[steps["dataset"].isna()]
    return dict(mine[AMOUNTS].sum() + nobodys[AMOUNTS].sum() / datasets)


def searched(steps: pd.DataFrame, cells: pd.DataFrame) -> dict[str, float]:
    """CPU-seconds of all that the study used, by dataset."""
    return {dataset: _study_of(dataset, steps)["cpu_s"] for dataset in cells["dataset"].unique()}


def _after(profiles: pd.DataFrame, factors: dict[str, Any]) -> Iterator[tuple[str, str, float, dict[str, float]]]:
    """Stage, what it is told for, mean bytes, and kWh/GB of what follows once a file is made."""
    once = profiles.drop_duplicates(["seed", "variant"])
    yield STORAGE, "a year", float(once["size_bytes"].mean()), factors["storage_kwh_per_gb_year"]
    yield TRANSFER, "a download", float(once["transfer_bytes"].mean()), factors["transfer_kwh_per_gb"]


def repayments(
    tables: Mapping[str, pd.DataFrame], search: Mapping[str, float], recipe: dict[str, Any], factors: dict[str, Any], baselines: dict[str, str]
) -> pd.DataFrame:  # fmt: skip
    """Predictions after which a variant has repaid what it cost more than its baseline, by batch size; columns of REPAID.

    Making and using are CPU-seconds of the same machine, so that the watts of a core cancel; memory is left out. The bytes
    that a smaller file spares in storage and transfer are energy by a stated factor, and are turned into CPU-seconds by the
    watts; they count as often as the study says. Of scope `making` the cost is that of making one model; of scope `making
    and search` it is all that the study used for the dataset, less what making the baseline took: whoever ran the study
    to find the variant has paid that. Making does not depend on the engine, but is told with each.

    Args:
        tables: profiles, measures and changes of `summaries.summarize`.
        search: CPU-seconds that the study used, by dataset.
        recipe, factors: `energy` and `life_cycle` of the study file.
        baselines: variant -> the variant that it is compared with.
    """
    changes, measures = tables["changes"], tables["measures"]
    made, used = (changes[changes["measure"] == name] for name in ("making_cpu_s", "cpu_s_per_1000"))
    took = measures[measures["measure"] == "making_cpu_s"]
    rows = []
    for key, per_use in used.groupby([*CELL, "batch_size"], dropna=False):
        cell = dict(zip([*CELL, "batch_size"], key, strict=True))
        saved = -per_use["value"].to_numpy() / 1000
        besides = _spared(tables["profiles"], cell, baselines[cell["variant"]], recipe, factors)
        extra = _of(made, cell)
        baseline = _of(took, {**cell, "variant": baselines[cell["variant"]]})
        for scope, values in (("making", extra), ("making and search", search[cell["dataset"]] - baseline)):
            rows.append({**cell, "scope": scope, **break_even(values, saved, besides)})
    return pd.DataFrame(rows, columns=[*CELL, "batch_size", "scope", "status", "uses", "low", "high"]).rename(columns={"uses": "predictions"})  # fmt: skip


def _of(table: pd.DataFrame, cell: Mapping[str, Any]) -> Any:
    return table.loc[(table[CELL] == [cell[name] for name in CELL]).all(axis=1), "value"].to_numpy()


def _spared(
    profiles: pd.DataFrame, cell: Mapping[str, Any], baseline: str, recipe: dict[str, Any], factors: dict[str, Any]
) -> tuple[float, float, float]:
    """Storage and transfer that a variant takes more than its baseline, in CPU-seconds of that energy: low, central, high."""
    watts = energy_model.watts_per_core(recipe)
    counts = {STORAGE: factors["years"], TRANSFER: factors["downloads"]}
    joules = dict.fromkeys(energy_model.BOUNDS, 0.0)
    of = {**cell, "batch_size": cell["batch_size"]}
    mine, theirs = (
        profiles[(profiles[CELL] == [{**of, "variant": variant}[name] for name in CELL]).all(axis=1)]
        for variant in (cell["variant"], baseline)
    )
    for (stage, _, own, factor), (_, _, other, _) in zip(_after(mine, factors), _after(theirs, factors), strict=True):
        more = (own - other) / 1e9 * counts[stage] * J_PER_KWH
        joules["central"] += more * factor["central"]
        joules["low"] += min(more * factor["low"], more * factor["high"])
        joules["high"] += max(more * factor["low"], more * factor["high"])
    bounds = [joules[bound] / watts[w] / recipe["pue"] for bound in ("low", "high") for w in ("low", "high")]
    return min(bounds), joules["central"] / watts["central"] / recipe["pue"], max(bounds)


def text(table: pd.DataFrame) -> str:
    """The break-even for a terminal."""
    lines = ["Predictions after which a variant has repaid what it cost more than its baseline (95 %):"]
    for row in table.itertuples():
        number = f"{row.predictions:,.0f} ({row.low:,.0f} to {row.high:,.0f})" if row.status == "after" else row.status
        place = f"{row.dataset}, {row.augmentation}, {row.model}, {row.engine}, batch {row.batch_size}"
        lines.append(f"  {row.variant:<24}{number:<44}{row.scope:<20}{place}")
    return "\n".join(lines)
