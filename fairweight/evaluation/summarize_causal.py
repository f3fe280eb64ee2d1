"""What is measured of language models, in one table."""

from typing import Any

import pandas as pd

from fairweight.energy import energy_model

LANGUAGE = {
    "weights": object, "method": object, "perplexity": float, "perplexity_low": float, "perplexity_high": float,
    "perplexity_ratio": float, "perplexity_ratio_low": float, "perplexity_ratio_high": float, "bits_per_byte": float,
    "passages": float, "tokens": float, "stereotype_score": float, "stereotype_low": float, "stereotype_high": float,
    "pairs": float, "stereotype_flips": float, "prefill_tokens_per_cpu_s": float, "decode_tokens_per_cpu_s": float,
    "size_bytes": float, "inference_memory_bytes": float, "energy_j_per_1000_low": float,
    "energy_j_per_1000_central": float, "energy_j_per_1000_high": float,
}  # fmt: skip


def language_table(tables: dict[str, pd.DataFrame], recipe: dict[str, Any], keys: list[str]) -> pd.DataFrame:
    """Everything that is measured of a language model, a row a variant and engine; energy is modelled.

    Args:
        tables: summary tables, by name.
        recipe: `energy` of the study file.
        keys: columns of a cell, beside the seed.

    `weights` is what the published weights were, `method` what the variant did to them, if anything.
    """
    cells = tables["assessments"]
    cells = cells[(cells["part"] == "test") & cells["attribute"].isna()] if len(cells) else cells
    rows = []
    for key, found in cells.groupby(["seed", *keys], sort=False) if len(cells) else []:
        metrics = {entry["metric"]: entry for entry in found.to_dict("records")}
        if "perplexity" not in metrics and "stereotype_score" not in metrics:
            continue
        at = dict(zip(["seed", *keys], key, strict=True))
        rows.append({**at, **_of_texts(metrics), **_of_file(tables, at, recipe)})
    table = pd.DataFrame(rows, columns=["seed", *keys, *LANGUAGE])
    return table.astype({name: kind for name, kind in LANGUAGE.items() if kind is float})


def _of_texts(metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for metric, name in (
        ("perplexity", "perplexity"),
        ("perplexity_ratio", "perplexity_ratio"),
        ("stereotype_score", "stereotype"),
    ):
        if metric in metrics:
            entry = metrics[metric]
            named |= {metric: entry["value"], f"{name}_low": entry["low"], f"{name}_high": entry["high"]}
    for metric in ("bits_per_byte", "stereotype_flips"):
        named[metric] = metrics.get(metric, {}).get("value")
    named["passages"], named["tokens"] = (metrics.get("perplexity", {}).get(name) for name in ("n", "denominator"))
    return named | {"pairs": metrics.get("stereotype_score", {}).get("n")}


def _of_file(tables: dict[str, pd.DataFrame], at: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """What was measured of a file, and the labels of its weights."""
    profiles, files, checks = (_at(tables[name], at) for name in ("profiles", "files", "checks"))
    found: dict[str, Any] = {}
    if len(files):
        found["inference_memory_bytes"] = files.iloc[0]["inference_memory_bytes"]
    if len(profiles):
        profile = profiles.iloc[0]
        modelled = energy_model.modelled(profiles["cpu_s_per_1000"], recipe)
        found |= {name: profile[name] for name in ("prefill_tokens_per_cpu_s", "decode_tokens_per_cpu_s", "size_bytes")}
        found |= {f"energy_j_per_1000_{of}": modelled[f"energy_j_{of}"].iloc[0] for of in ("low", "central", "high")}
    if len(checks):
        found["method"] = checks.iloc[0]["method"] if checks.iloc[0]["verdict"] is not None else None
    taken = tables["checks"]
    same = {name: value for name, value in at.items() if name not in ("variant", "engine")}
    for name, value in same.items():
        taken = taken[taken[name] == value]
    taken = taken[taken["verdict"].isna() & taken["method"].notna()]
    return found | ({"weights": taken.iloc[0]["method"]} if len(taken) else {})


def _at(table: pd.DataFrame, at: dict[str, Any]) -> pd.DataFrame:
    """Rows of a table at a cell, as far as the table tells cells apart."""
    for name, value in at.items():
        if name in table:
            table = table[table[name] == value]
    return table
