"""Summarize what is measured of language models in one table."""

from typing import Any

import pandas as pd

from fairweight.core.lineage import CELL
from fairweight.core.measures import RECORDS
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model

LANGUAGE = {
    "weights": object,
    "method": object,
    "perplexity": float,
    "perplexity_low": float,
    "perplexity_high": float,
    "perplexity_ratio": float,
    "perplexity_ratio_low": float,
    "perplexity_ratio_high": float,
    "bits_per_byte": float,
    "passages": float,
    "tokens": float,
    "stereotype_score": float,
    "stereotype_low": float,
    "stereotype_high": float,
    "pairs": float,
    "stereotype_flips": float,
    "choice_accuracy": float,
    "choice_low": float,
    "choice_high": float,
    "questions": float,
    "choice_flips": float,
    "prefill_tokens_per_cpu_s": float,
    "decode_tokens_per_cpu_s": float,
    "size_bytes": float,
    "bits_per_weight": float,
    "inference_memory_bytes": float,
    "energy_j_per_1000_low": float,
    "energy_j_per_1000_central": float,
    "energy_j_per_1000_high": float,
}

Columns = dict[str, Any]  # values of some columns of LANGUAGE


def language_table(tables: dict[str, pd.DataFrame], recipe: EnergyRecipe) -> pd.DataFrame:
    """Make the table of language models, one row per seed and cell; energy is modelled.

    Args:
        tables: summary tables, by name: assessments, profiles, files and checks.
        recipe: `energy` of the study file.

    Returns:
        `seed`, CELL and the columns of LANGUAGE. `weights` is the number format of the published weights, `method` what
        the variant did to them, if anything.
    """
    cells = tables["assessments"]
    cells = cells[(cells["part"] == "test") & cells["attribute"].isna()] if len(cells) else cells
    rows = []
    for key, cell in cells.groupby(["seed", *CELL], sort=False) if len(cells) else []:
        metrics: dict[str, Columns] = {row["metric"]: row for row in cell.to_dict("records")}
        if not metrics.keys() & {"perplexity", "stereotype_score", "choice_accuracy"}:
            continue
        place = dict(zip(["seed", *CELL], key, strict=True))
        rows.append({**place, **_of_texts(metrics), **_of_file(tables, place, recipe)})
    table = pd.DataFrame(rows, columns=["seed", *CELL, *LANGUAGE])
    return table.astype({name: kind for name, kind in LANGUAGE.items() if kind is float})


def _of_texts(metrics: dict[str, Columns]) -> Columns:
    """What was measured on texts and pairs, from metric rows by metric."""
    columns: Columns = {}
    for record in RECORDS:
        if record.interval and record.key in metrics:
            row = metrics[record.key]
            columns |= {record.key: row["value"]}
            columns |= {f"{record.interval}_{bound}": row[bound] for bound in ("low", "high")}
    for metric in ("bits_per_byte", "stereotype_flips", "choice_flips"):
        columns[metric] = metrics.get(metric, {}).get("value")
    perplexity = metrics.get("perplexity", {})
    columns["passages"], columns["tokens"] = perplexity.get("n"), perplexity.get("denominator")
    columns["questions"] = metrics.get("choice_accuracy", {}).get("n")
    columns["pairs"] = metrics.get("stereotype_score", {}).get("n")
    return columns


def _of_file(tables: dict[str, pd.DataFrame], place: Columns, recipe: EnergyRecipe) -> Columns:
    """What was measured of a file, and what its weights are."""
    profiles, files, checks = (_at(tables[name], place) for name in ("profiles", "files", "checks"))
    columns: Columns = {}
    if len(files):
        for name in ("inference_memory_bytes", "bits_per_weight"):
            columns[name] = files.iloc[0][name]
    if len(profiles):
        profile = profiles.iloc[0]
        modelled = energy_model.modelled(profiles["cpu_s_per_1000"], recipe)
        for name in ("prefill_tokens_per_cpu_s", "decode_tokens_per_cpu_s", "size_bytes"):
            columns[name] = profile[name]
        for bound in energy_model.BOUNDS:
            columns[f"energy_j_per_1000_{bound}"] = modelled[f"energy_j_{bound}"].iloc[0]
    if len(checks):
        columns["method"] = checks.iloc[0]["method"] if checks.iloc[0]["verdict"] is not None else None
    # the published weights are described by the report that has a method without a verdict
    published = tables["checks"]
    for name, value in place.items():
        if name not in ("variant", "engine"):
            published = published[published[name] == value]
    published = published[published["verdict"].isna() & published["method"].notna()]
    return columns | ({"weights": published.iloc[0]["method"]} if len(published) else {})


def _at(table: pd.DataFrame, place: Columns) -> pd.DataFrame:
    """Rows of a table at a cell, by the columns of the cell that the table has."""
    for name, value in place.items():
        if name in table:
            table = table[table[name] == value]
    return table
