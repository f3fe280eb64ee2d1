"""From the files of all seeds to a handful of tidy tables, which everything that people read is made from."""

from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, read_json, write_frame
from fairweight.core.lineage import CELL, MEASURE, lineage_of
from fairweight.energy import energy_model
from fairweight.energy.footprint import making, of_study
from fairweight.evaluation.summarize_causal import language_table
from fairweight.statistics.ratios import paired_ratio
from fairweight.statistics.spread import paired_changes, spread

# measures of a variant on test rows, by metric: of all rows, of each group, and between the groups of an attribute
BY_GROUP = ("accuracy",)
OVERALL = (
    *("accuracy", "balanced_accuracy", "f1", "log_loss", "auc", "flips", "counterfactual_flips"),
    *("perplexity", "perplexity_ratio", "bits_per_byte", "stereotype_score", "stereotype_flips"),
)
UNITS = {"log_loss": "nats", "perplexity": "tokens", "perplexity_ratio": "ratio", "bits_per_byte": "bits"}
COMPARED = (
    "worst_group_accuracy",
    "accuracy_difference",
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)
PROFILED = {
    "latency_p50_ms": "ms", "latency_p95_ms": "ms", "cpu_s_per_1000": "CPU-s",
    "prefill_tokens_per_cpu_s": "tokens/CPU-s", "decode_tokens_per_cpu_s": "tokens/CPU-s",
}  # fmt: skip
CHECKED = (
    "largest_difference",
    "method",
    "verdict",
    "size_ratio",
    "integer_operators",
    "float_operators",
    "coded_bytes",
    "zstd_bytes",
)
IN_FLOAT = ("float_matrices", "float_matrix_bytes", "float_matrix")
STORED = {"size_bytes": "bytes", "transfer_bytes": "bytes"}


def summarize(
    *, results: str, assessments: list[str], profiles: list[str], usage: list[str], curves: list[str], checks: list[str],
    files: list[str], rounds: list[str],
    recipe: dict[str, Any], baselines: dict[str, str], lineages: dict[str, list[str]], destination: dict[str, str],
) -> None:  # fmt: skip
    """Write the tables of a study.

    Args:
        results: the study's folder; paths below it are lineages.
        assessments, profiles, usage, curves, checks: files below it; checks are the reports of export and quantize and
            the descriptions of pruned models.
        files: what was checked of every file in every engine.
        rounds: the repeated measurements of the profiles.
        recipe: `energy` of the study file.
        baselines: variant -> the variant that it is compared with.
        lineages: variant -> itself and its ancestors.
        destination: name of the table -> Parquet file to write: assessments, usage, curves, profiles, checks, files (a
            row a file and engine), layers (sparsity of each), language (a row a language model), measures
            (a row a seed and measure), changes (the same against the baseline), variants (a row a measure: spread over
            seeds of both).
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
    tables["language"] = language_table(tables, recipe, CELL)
    tables["measures"] = measures(tables, recipe, lineages)
    tables["changes"] = paired_changes(tables["measures"], baselines, MEASURE)
    tables["variants"] = variants(tables["measures"], tables["changes"], baselines)
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
    """What export, pruning and quantization checked of the files that they wrote, one row a file."""
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


def _in_float(matrices: dict[str, int]) -> dict[str, Any]:
    """Matrices that a quantized file keeps in float: how many, their bytes, and the name of the largest."""
    if not matrices:
        return dict.fromkeys(IN_FLOAT)
    return dict(
        zip(IN_FLOAT, (len(matrices), sum(matrices.values()), max(matrices, key=matrices.__getitem__)), strict=True)
    )


FILE = ("parameters", "nonzero_weights", "macs", "integer_share", "inference_memory_bytes", "batch_invariant_share")
ENGINE = ("batch_difference", "engine_difference", "engine_agreement", "threads", "precision", "engine_version")


def file_table(paths: list[str], results: str) -> pd.DataFrame:
    """What was checked of every shipped file in every engine, one row each."""
    rows = [{**lineage_of(p, results), **{k: read_json(p).get(k) for k in (*FILE, *ENGINE)}} for p in paths]
    table = pd.DataFrame(rows, columns=["seed", *CELL, *FILE, *ENGINE])
    return table.astype(dict.fromkeys((*FILE, *ENGINE[:3]), float))


def layer_table(paths: list[str], results: str) -> pd.DataFrame:
    """Share of zeros of each weight tensor of every file, one row each."""
    rows = [
        {**lineage_of(p, results), "position": n, "layer": layer, "sparsity": share}
        for p in paths
        for n, (layer, share) in enumerate(read_json(p)["layer_sparsity"].items())
    ]
    return pd.DataFrame(rows, columns=["seed", *CELL, "position", "layer", "sparsity"])


def step_table(paths: list[str], results: str, recipe: dict[str, Any]) -> pd.DataFrame:
    """What each step used, and the energy and emissions modelled from that."""
    rows = []
    for path in paths:
        rule = Path(path).name.removesuffix(".usage.json").split(".")[-1]
        rows.append({"rule": rule, **dict.fromkeys(["seed", *CELL]), **lineage_of(path, results), **read_json(path)})
    table = pd.DataFrame(rows)
    table["seed"] = table["seed"].astype("Int64")
    held = table["peak_memory_bytes"] / 1e9 * table["wall_s"]
    when = zip(table["started"], table["wall_s"], strict=True)
    return table.assign(**energy_model.modelled(table["cpu_s"], recipe, held, when))


RATIO = [
    *CELL,
    "baseline",
    "batch_size",
    "ratio",
    "low",
    "high",
    "seeds",
    "rounds",
    "not_clean",
    "least_cpu_s",
    "other_cores",
]


def ratio_table(rounds: pd.DataFrame, baselines: dict[str, str]) -> pd.DataFrame:
    """CPU-seconds, and so modelled energy, of a prediction against the baseline's: a ratio with its interval, one row a cell.

    `not_clean` are the rounds of either that were disturbed, or short of the CPU-seconds that were asked for; `other_cores`
    is how many cores other processes kept busy in the worst round; `least_cpu_s` is the shortest measurement.

    Args:
        rounds: columns of `profiling.ROUND` with those of CELL; empty where nothing ships.
        baselines: variant -> the variant that it is compared with.
    """
    rows = []
    keys = ["dataset", "augmentation", "model", "engine", "batch_size"]
    for key, of in rounds.groupby(keys, sort=False) if len(rounds) else []:
        by_variant = {variant: one.set_index(["round", "seed"]).sort_index() for variant, one in of.groupby("variant")}
        for variant, mine in by_variant.items():
            if baselines[variant] == variant or baselines[variant] not in by_variant:
                continue
            theirs = by_variant[baselines[variant]].loc[mine.index]
            values = [table["cpu_s_per_1000"].unstack("seed").to_numpy() for table in (mine, theirs)]
            both = pd.concat([mine, theirs])
            rows.append(
                {
                    **dict(zip(keys, key, strict=True)),
                    "variant": variant,
                    "baseline": baselines[variant],
                    **paired_ratio(*values),
                    "seeds": values[0].shape[1],
                    "rounds": values[0].shape[0],
                    "not_clean": int((mine["status"].ne("measured") | theirs["status"].ne("measured")).sum()),
                    "least_cpu_s": both["cpu_s"].min(),
                    "other_cores": both["other_cores"].max(),
                }
            )
    return pd.DataFrame(rows, columns=RATIO)


def measures(tables: dict[str, pd.DataFrame], recipe: dict[str, Any], lineages: dict[str, list[str]]) -> pd.DataFrame:
    """One row for each seed, cell and measure; `status` says whether the value is measured or modelled."""
    found = [
        _from_assessments(tables["assessments"]),
        _from_profiles(tables["profiles"], recipe),
        _making(tables["steps"], tables["assessments"], lineages),
    ]
    table = pd.concat([frame for frame in found if len(frame)], ignore_index=True)
    table["batch_size"] = table["batch_size"].astype("Int64")
    return table[["seed", *MEASURE, "value", "low", "high"]]


def _from_assessments(table: pd.DataFrame) -> pd.DataFrame:
    test = table[(table["part"] == "test") & table["class"].isna()]
    overall = test[test["metric"].isin(OVERALL) & test["attribute"].isna()]
    by_group = test[test["metric"].isin(BY_GROUP) & test["group"].notna()]
    # which group is the worst differs between seeds, and is not part of what is compared
    compared = test[test["metric"].isin(COMPARED)].assign(group=None)
    every = pd.concat([overall, by_group, compared]).rename(columns={"metric": "measure"})
    unit = every["measure"].map(lambda m: UNITS.get(m, "share"))
    return every[["seed", *CELL, "measure", "attribute", "group", "value"]].assign(
        batch_size=pd.NA, unit=unit, status="measured", low=float("nan"), high=float("nan")
    )


def _from_profiles(table: pd.DataFrame, recipe: dict[str, Any]) -> pd.DataFrame:
    if table.empty:
        return table
    keys, found = ["seed", *CELL], []
    for name, unit in PROFILED.items():
        if name not in table or table[name].isna().all():
            continue
        found.append(table[[*keys, "batch_size"]].assign(measure=name, unit=unit, value=table[name]))
    modelled = energy_model.modelled(table["cpu_s_per_1000"], recipe)
    found.append(
        table[[*keys, "batch_size"]].assign(
            measure="energy_j_per_1000",
            unit="J",
            status="modelled",
            value=modelled["energy_j_central"],
            low=modelled["energy_j_low"],
            high=modelled["energy_j_high"],
        )
    )
    once = table.drop_duplicates(keys)  # a file's bytes do not depend on the batch size
    for name, unit in STORED.items():
        if once[name].isna().all():
            continue
        found.append(once[keys].assign(measure=name, unit=unit, value=once[name].astype(float)))
    together = pd.concat(found, ignore_index=True)
    together["status"] = together["status"].fillna("measured")
    together = together[together["value"].notna()]
    return together.assign(attribute=None, group=None)


def _making(usage: pd.DataFrame, assessments: pd.DataFrame, lineages: dict[str, list[str]]) -> pd.DataFrame:
    """CPU-seconds and energy of making each model, one of a seed."""
    rows = []
    for _, cell in assessments[["seed", *CELL]].drop_duplicates().iterrows():
        if cell["engine"] == "given":
            continue
        took = of_study(making(usage, cell, lineages[cell["variant"]], [cell["seed"]]))
        about = {**cell, "attribute": None, "group": None, "batch_size": pd.NA}
        measured = {"measure": "making_cpu_s", "unit": "CPU-s", "status": "measured", "value": took.cpu_s}
        modelled = {"measure": "making_energy_j", "unit": "J", "status": "modelled", "value": took.energy_j}
        rows.append({**about, **measured, "low": float("nan"), "high": float("nan")})
        rows.append({**about, **modelled, "low": took.energy_j_low, "high": took.energy_j_high})
    return pd.DataFrame(rows)


def variants(table: pd.DataFrame, changes: pd.DataFrame, baselines: dict[str, str]) -> pd.DataFrame:
    """Spread over seeds of each measure, and of its change against the baseline, paired by seed."""
    names = {name: f"change_{name}" for name in ("mean", "sd", "min", "max", "n")}
    joined = spread(table, MEASURE).merge(spread(changes, MEASURE).rename(columns=names), on=MEASURE, how="left")
    joined["baseline"] = joined["variant"].map(baselines)
    return joined
