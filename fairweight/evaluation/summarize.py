"""Summarize the files of all seeds in tidy tables, from which report, papers and cards are made."""

from pathlib import Path
from typing import TypedDict

import pandas as pd

from fairweight.core.artifacts import read_frame, read_json, write_frame
from fairweight.core.checksums import rule_of
from fairweight.core.lineage import CELL, COMPARISON, MEASURE, lineage_of
from fairweight.core.measures import MEASURES, keys, measure
from fairweight.core.operations import GIVEN
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.amounts import of_steps
from fairweight.energy.footprint import making
from fairweight.energy.ledger_entries import usage_of_steps
from fairweight.evaluation.summarize_causal import language_table
from fairweight.statistics.ratios import paired_ratio
from fairweight.statistics.spread import paired_changes, spread

# measures of a variant on test rows: of all rows, of each group, and between the groups of an attribute
OVERALL = keys(lambda m: m.source == "metric")
BY_GROUP = keys(lambda m: m.by_group)
COMPARED = keys(lambda m: m.source == "groups")
# measures of a profile, and of a file
PROFILED = keys(lambda m: m.source == "profile" and not m.modelled)
STORED = keys(lambda m: m.source == "file")
CHECKED = (
    "largest_difference",
    "method",
    "verdict",
    "size_ratio",
    "integer_operators",
    "float_operators",
    "coded_bytes",
    "zstd_bytes",
    "calibration_spread",
)
IN_FLOAT = ("float_matrices", "float_matrix_bytes", "float_matrix")
FILE = (
    "parameters",
    "bits_per_weight",
    "nonzero_weights",
    "macs",
    "integer_share",
    "inference_memory_bytes",
    "batch_invariant_share",
)
ENGINE = ("batch_difference", "engine_difference", "engine_agreement", "threads", "precision", "engine_version")
RATIO = [
    *CELL,
    "baseline",
    "batch_size",
    "ratio",
    "low",
    "high",
    "latency_ratio",
    "latency_low",
    "latency_high",
    "seeds",
    "rounds",
    "not_clean",
    "least_cpu_s",
    "other_cores",
]


class InFloat(TypedDict):
    """Matrices that a quantized file keeps in float: their number and bytes, and the name of the largest."""

    float_matrices: int | None
    float_matrix_bytes: int | None
    float_matrix: str | None


def summarize(
    *,
    results: str,
    assessments: list[str],
    profiles: list[str],
    usage: list[str],
    curves: list[str],
    checks: list[str],
    files: list[str],
    rounds: list[str],
    recipe: EnergyRecipe,
    baselines: dict[str, str],
    lineages: dict[str, list[str]],
    destination: dict[str, str],
) -> None:
    """Write the tables of a study.

    Args:
        results: the study's folder; paths below it state the lineage of a file.
        assessments, profiles, usage, curves: files below it.
        checks: reports of export and quantize, and descriptions of pruned models.
        files: reports of the checks of every file in every engine.
        rounds: repeated measurements of the profiles.
        recipe: `energy` of the study file.
        baselines: variant -> the variant that it is compared with.
        lineages: variant -> itself and its ancestors.
        destination: name of the table -> Parquet file to write: assessments, steps, curves, profiles, checks, files
            (one row per file and engine), layers (sparsity of each), language (one row per language model), ratios,
            measures (one row per seed and measure), changes (the same against the baseline), variants (one row per
            measure: spread over seeds of both).
    """
    tables = {
        "assessments": _gathered(assessments, results),
        "steps": step_table(usage, results, recipe),
        "curves": _gathered(curves, results),
        "profiles": _gathered(profiles, results),
        "checks": check_table(checks, results),
        "files": file_table(files, results),
        "layers": layer_table(files, results),
        "ratios": ratio_table(_gathered(rounds, results), baselines),
    }
    tables["language"] = language_table(tables, recipe)
    tables["measures"] = measure_table(tables, recipe, lineages)
    tables["changes"] = paired_changes(tables["measures"], baselines, MEASURE)
    tables["variants"] = variant_table(tables["measures"], tables["changes"], baselines)
    for name, path in destination.items():
        write_frame(path, tables[name])


def _gathered(paths: list[str], results: str) -> pd.DataFrame:
    frames = [read_frame(path) for path in paths]
    kept = [frame.assign(**lineage_of(path, results)) for path, frame in zip(paths, frames, strict=True) if len(frame)]
    if not kept:
        return pd.DataFrame(columns=["seed", *CELL])
    table = pd.concat(kept, ignore_index=True)
    first = [name for name in ["seed", *CELL] if name in table]
    return table[first + [name for name in table if name not in first]]


def check_table(paths: list[str], results: str) -> pd.DataFrame:
    """Make the table of what export, pruning and quantization checked of their files, one row per file."""
    rows = []
    for path in paths:
        about = read_json(path)
        checked = {key: about.get(key) for key in CHECKED}
        checked["sparsity"] = (about.get("sparsity") or {}).get("all")
        checked |= _in_float(about.get("float_matrices") or {})
        rows.append({**dict.fromkeys(["seed", *CELL[:-1]]), **lineage_of(path, results), **checked})
    table = pd.DataFrame(rows, columns=["seed", *CELL[:-1], *CHECKED, "sparsity", *IN_FLOAT])
    numbers = [name for name in ("sparsity", *CHECKED, *IN_FLOAT) if name not in ("method", "verdict", "float_matrix")]
    return table.astype(dict.fromkeys(numbers, float))


def _in_float(matrices: dict[str, int]) -> InFloat:
    """Columns IN_FLOAT from the bytes of each matrix."""
    if not matrices:
        return {"float_matrices": None, "float_matrix_bytes": None, "float_matrix": None}
    return {
        "float_matrices": len(matrices),
        "float_matrix_bytes": sum(matrices.values()),
        "float_matrix": max(matrices, key=matrices.__getitem__),
    }


def file_table(paths: list[str], results: str) -> pd.DataFrame:
    """Make the table of what was checked of every file that ships in every engine, one row each."""
    rows = [{**lineage_of(p, results), **{k: read_json(p).get(k) for k in (*FILE, *ENGINE)}} for p in paths]
    table = pd.DataFrame(rows, columns=["seed", *CELL, *FILE, *ENGINE])
    return table.astype(dict.fromkeys((*FILE, *ENGINE[:3]), float))


def layer_table(paths: list[str], results: str) -> pd.DataFrame:
    """Make the table of the share of zeros of each weight tensor of every file, one row each."""
    rows = [
        {**lineage_of(p, results), "position": n, "layer": layer, "sparsity": share}
        for p in paths
        for n, (layer, share) in enumerate(read_json(p)["layer_sparsity"].items())
    ]
    return pd.DataFrame(rows, columns=["seed", *CELL, "position", "layer", "sparsity"])


def step_table(paths: list[str], results: str, recipe: EnergyRecipe) -> pd.DataFrame:
    """Make the table of the resource usage of each step, and the energy and emissions modelled from it.

    The usage is that of the ledger where it knows the step's attempt, so that it is the same in all tables.
    """
    rows = []
    for path, usage in zip(paths, usage_of_steps(paths, results), strict=True):
        rows.append(
            {"rule": rule_of(Path(path)), **dict.fromkeys(["seed", *CELL]), **lineage_of(path, results), **usage}
        )
    table = pd.DataFrame(rows)
    table["seed"] = table["seed"].astype("Int64")
    held = table["peak_memory_bytes"] / 1e9 * table["wall_s"]
    when = zip(table["started"], table["wall_s"], strict=True)
    return table.assign(**energy_model.modelled(table["cpu_s"], recipe, held, when))


def ratio_table(rounds: pd.DataFrame, baselines: dict[str, str]) -> pd.DataFrame:
    """Make the table of ratios of CPU-seconds per prediction, and of latencies, to the baseline's, one row per cell.

    The ratio of modelled energy is that of CPU-seconds.

    Args:
        rounds: columns of `profile_columns.ROUND` with those of CELL; empty where nothing ships.
        baselines: variant -> the variant that it is compared with.

    Returns:
        Columns RATIO. `not_clean` is the number of rounds of either variant that were disturbed, or shorter than the
        CPU-seconds that were requested; `other_cores` is the number of cores that other processes kept busy in the
        worst round; `least_cpu_s` is the shortest measurement.
    """
    rows = []
    columns = [*COMPARISON, "batch_size"]
    for key, together in rounds.groupby(columns, sort=False) if len(rounds) else []:
        by_variant = {
            variant: own.set_index(["round", "seed"]).sort_index() for variant, own in together.groupby("variant")
        }
        for variant, mine in by_variant.items():
            if baselines[variant] == variant or baselines[variant] not in by_variant:
                continue
            theirs = by_variant[baselines[variant]].loc[mine.index]
            values = [table["cpu_s_per_1000"].unstack("seed").to_numpy() for table in (mine, theirs)]
            latencies = [table["latency_p50_ms"].unstack("seed").to_numpy(float) for table in (mine, theirs)]
            both = pd.concat([mine, theirs])
            rows.append(
                {
                    **dict(zip(columns, key, strict=True)),
                    "variant": variant,
                    "baseline": baselines[variant],
                    **paired_ratio(*values),
                    **{f"latency_{name}": value for name, value in paired_ratio(*latencies).items()},
                    "seeds": values[0].shape[1],
                    "rounds": values[0].shape[0],
                    "not_clean": int((mine["status"].ne("measured") | theirs["status"].ne("measured")).sum()),
                    "least_cpu_s": both["cpu_s"].min(),
                    "other_cores": both["other_cores"].max(),
                }
            )
    return pd.DataFrame(rows, columns=RATIO)


def measure_table(
    tables: dict[str, pd.DataFrame], recipe: EnergyRecipe, lineages: dict[str, list[str]]
) -> pd.DataFrame:
    """Make the table of measures, one row per seed, cell and measure.

    Args:
        tables: summary tables, by name: assessments, profiles and steps.
        recipe: `energy` of the study file.
        lineages: variant -> itself and its ancestors.

    Returns:
        `seed`, MEASURE and the value with its bounds; `status` says whether the value is measured or modelled.
    """
    frames = [
        _from_assessments(tables["assessments"]),
        _from_profiles(tables["profiles"], recipe),
        _making(tables["steps"], tables["assessments"], lineages),
    ]
    table = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    table["batch_size"] = table["batch_size"].astype("Int64")
    return table[["seed", *MEASURE, "value", "low", "high"]]


def _from_assessments(table: pd.DataFrame) -> pd.DataFrame:
    test = table[(table["part"] == "test") & table["class"].isna()]
    overall = test[test["metric"].isin(OVERALL) & test["attribute"].isna()]
    by_group = test[test["metric"].isin(BY_GROUP) & test["group"].notna()]
    # which group is the worst differs between seeds, and is not part of what is compared
    compared = test[test["metric"].isin(COMPARED)].assign(group=None)
    every = pd.concat([overall, by_group, compared]).rename(columns={"metric": "measure"})
    unit = every["measure"].map(lambda key: measure(key).stored_unit)
    return every[["seed", *CELL, "measure", "attribute", "group", "value"]].assign(
        batch_size=pd.NA, unit=unit, status="measured", low=float("nan"), high=float("nan")
    )


def _from_profiles(table: pd.DataFrame, recipe: EnergyRecipe) -> pd.DataFrame:
    if table.empty:
        return table
    cell, frames = ["seed", *CELL], []
    for name in PROFILED:
        if name not in table or table[name].isna().all():
            continue
        unit = MEASURES[name].stored_unit
        frames.append(table[[*cell, "batch_size"]].assign(measure=name, unit=unit, value=table[name]))
    modelled = energy_model.modelled(table["cpu_s_per_1000"], recipe)
    frames.append(
        table[[*cell, "batch_size"]].assign(
            measure="energy_j_per_1000",
            unit=MEASURES["energy_j_per_1000"].stored_unit,
            status="modelled",
            value=modelled["energy_j_central"],
            low=modelled["energy_j_low"],
            high=modelled["energy_j_high"],
        )
    )
    once = table.drop_duplicates(cell)  # a file's bytes do not depend on the batch size
    for name in STORED:
        if once[name].isna().all():
            continue
        frames.append(once[cell].assign(measure=name, unit=MEASURES[name].stored_unit, value=once[name].astype(float)))
    together = pd.concat(frames, ignore_index=True)
    together["status"] = together["status"].fillna("measured")
    together = together[together["value"].notna()]
    return together.assign(attribute=None, group=None)


def _making(usage: pd.DataFrame, assessments: pd.DataFrame, lineages: dict[str, list[str]]) -> pd.DataFrame:
    """CPU-seconds and energy of making each model, one model per seed."""
    rows = []
    for _, cell in assessments[["seed", *CELL]].drop_duplicates().iterrows():
        if cell["engine"] == GIVEN:
            continue
        took = of_steps(making(usage, cell, lineages[cell["variant"]], [cell["seed"]]))
        about = {**cell, "attribute": None, "group": None, "batch_size": pd.NA}
        for name, value, low, high in (
            ("making_cpu_s", took.cpu_s, float("nan"), float("nan")),
            ("making_energy_j", took.energy_j, took.energy_j_low, took.energy_j_high),
        ):
            record = MEASURES[name]
            status = "modelled" if record.modelled else "measured"
            shown = {"measure": name, "unit": record.stored_unit, "status": status}
            rows.append({**about, **shown, "value": value, "low": low, "high": high})
    return pd.DataFrame(rows)


def variant_table(table: pd.DataFrame, changes: pd.DataFrame, baselines: dict[str, str]) -> pd.DataFrame:
    """Make the table of each measure's spread over seeds, and of its changes against the baseline, paired by seed."""
    names = {name: f"change_{name}" for name in ("mean", "sd", "min", "max", "n")}
    joined = spread(table, MEASURE).merge(spread(changes, MEASURE).rename(columns=names), on=MEASURE, how="left")
    joined["baseline"] = joined["variant"].map(baselines)
    return joined
