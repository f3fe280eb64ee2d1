"""Ledger of a study: every attempt at a step, and what the run itself used."""

from pathlib import Path

import pandas as pd

from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.ledger_entries import read_entries

COLUMNS = {
    "session": "string",
    "kind": "string",
    "rule": "string",
    "output": "string",
    "attempt": "Int64",
    "status": "string",
    "recorded_by": "string",
    "started": "float64",
    "ended": "float64",
    "wall_s": "float64",
    "cpu_s": "float64",
    "cpu_user_s": "float64",
    "cpu_system_s": "float64",
    "peak_memory_bytes": "float64",
    "read_bytes": "float64",
    "written_bytes": "float64",
    "threads": "Int64",
    "host": "string",
    "exit_code": "Int64",
    "complete": "boolean",
}
CLOCK_TOLERANCE_S = 1.0


def read_ledger(results: str | Path) -> pd.DataFrame:
    """Read the ledger of a study: one row per attempt (columns of COLUMNS; times in s, sizes in bytes).

    `kind` is `step`, or `run` for what Snakemake, Dask and the warm process used. `recorded_by` is `executor`, or
    `step` if only the usage file of a step is left, as with the local executor; such rows exist only for attempts that
    succeeded. The CPU-seconds of a lost attempt are missing, not 0. `complete` is known of runs only: False while one
    is under way, and after it was killed. `clock_jumped` marks attempts whose start and end disagree with the time that
    they took. Their seconds come from a clock that does not jump, and stay right.

    Args:
        results: folder of the study.

    Raises:
        InputError: there is nothing to read, or a line of a ledger is not JSON. A truncated last line is skipped.
    """
    table = pd.DataFrame(read_entries(results)).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    spread = (table["ended"] - table["started"] - table["wall_s"]).abs()
    return table.assign(clock_jumped=spread > CLOCK_TOLERANCE_S)


def by_rule(table: pd.DataFrame, recipe: EnergyRecipe) -> pd.DataFrame:
    """Sum attempts, CPU-seconds, wall time, memory x time, modelled energy in J and emissions in g by rule.

    The amounts of a rule are missing, not 0, if no attempt reported its usage. `unknown` counts such attempts.
    `peak_memory_bytes` is the largest of any attempt.

    Args:
        table: a ledger.
        recipe: `energy` of the study file.
    """
    # the memory of the run itself is not known, and is left out
    memory = (table["peak_memory_bytes"] / 1e9 * table["wall_s"]).fillna(0.0)
    when = zip(table["started"], table["wall_s"], strict=True)
    full = table.assign(**energy_model.modelled(table["cpu_s"], recipe, memory, when), failed=table["status"] != "ok")
    full["unknown"], full["memory_gb_s"] = full["cpu_s"].isna(), memory
    grouped = full.groupby(["kind", "rule"], sort=False)
    columns = ["failed", "unknown", "cpu_s", "wall_s", "memory_gb_s"]
    columns += [*(f"energy_j_{b}" for b in energy_model.BOUNDS), "emissions_g"]
    sums = grouped[columns].sum(min_count=1).assign(peak_memory_bytes=grouped["peak_memory_bytes"].max())
    return sums.assign(attempts=grouped.size()).sort_values("energy_j_central", ascending=False).reset_index()
