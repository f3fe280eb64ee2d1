"""Every attempt at a step, from the files that the executor appends to, and what the run used itself."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_json
from fairweight.core.errors import InputError
from fairweight.energy import energy_model

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
}
CLOCK_TOLERANCE_S = 1.0


def read_ledger(results: str | Path) -> pd.DataFrame:
    """The ledger of a study, one row an attempt (columns of COLUMNS; times in s, sizes in bytes).

    `kind` is `step`, or `run` for what Snakemake, Dask and the warm process used. `recorded_by` is `executor`, or `step`
    where only the usage file of a step is left, as with the local executor: such rows exist for attempts that succeeded
    only. A lost attempt has no CPU-seconds: they are missing, not 0. `clock_jumped` says that the wall clock does not
    agree with the time that the attempt took; its seconds come from a clock that does not jump and stay right.

    Args:
        results: folder of the study.

    Raises:
        InputError: there is nothing to read, or a line of a ledger, but for a last one cut short, is not JSON.
    """
    results = Path(results)
    rows = [row for path in sorted((results / "ledger").glob("*.jsonl")) for row in _attempts(path)]
    told = {_lineage(file) for row in rows if row["status"] == "ok" for file in row["outputs"]}
    usage = sorted(results.rglob("*.usage.json"))
    rows += [_from_usage(path) for path in usage if _lineage(path.relative_to(results.parent)) not in told]
    rows += [_overhead(path, rows) for path in sorted((results / "ledger").glob("*.overhead.json"))]
    if not rows:
        raise InputError(f"{results}: there is neither a ledger nor a usage file; run the study first.")
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    spread = (table["ended"] - table["started"] - table["wall_s"]).abs()
    return table.assign(clock_jumped=spread > CLOCK_TOLERANCE_S)


def _lineage(path: str | Path) -> tuple[str, ...]:
    # results of a study may have been moved: what follows the folder of the study tells a step
    parts = Path(path).parts
    return parts[parts.index("results") + 1 :] if "results" in parts else parts


def _attempts(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):  # the machine went down while it was written
                continue
            raise InputError(f"{path}, line {number}: this is not JSON; take the line out.") from None
        files = entry.get("output") or []
        rows.append(
            {**entry, "kind": "step", "recorded_by": "executor", "outputs": files, "output": next(iter(files), None)}
        )
    return rows


def _from_usage(path: Path) -> dict[str, Any]:
    used = read_json(path)
    return {
        **used,
        "kind": "step",
        "rule": path.name.removesuffix(".usage.json").split(".")[-1],
        "output": str(path),
        "status": "ok",
        "recorded_by": "step",
        "exit_code": 0,
        "ended": used["started"] + used["wall_s"],
    }


def _overhead(path: Path, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    found = read_json(path)
    watching = sum(row.get("launch_cpu_s") or 0.0 for row in attempts if row.get("session") == found["session"])
    return {
        "kind": "run", "rule": "(the run itself)", "status": "ok", "recorded_by": "executor", "session": found["session"],
        "host": found["host"], "started": found["started"], "ended": found["ended"], "cpu_s": found["cpu_s"] + watching,
        "wall_s": found["ended"] - found["started"],
    }  # fmt: skip


def by_rule(table: pd.DataFrame, recipe: dict[str, Any]) -> pd.DataFrame:
    """Attempts, CPU-seconds, and modelled energy in J and emissions in g of each rule; `unknown`: attempts without them.

    A rule of which no attempt told what it used has no amounts: they are missing, not 0.

    Args:
        table: a ledger.
        recipe: `energy` of the study file.
    """
    # the memory of the run itself is not known, and is left out
    memory = (table["peak_memory_bytes"] / 1e9 * table["wall_s"]).fillna(0.0)
    when = zip(table["started"], table["wall_s"], strict=True)
    full = table.assign(**energy_model.modelled(table["cpu_s"], recipe, memory, when), failed=table["status"] != "ok")
    full["unknown"] = full["cpu_s"].isna()
    grouped = full.groupby(["kind", "rule"], sort=False)
    sums = grouped[["failed", "unknown", "cpu_s", *(f"energy_j_{b}" for b in energy_model.BOUNDS), "emissions_g"]].sum(
        min_count=1
    )
    return sums.assign(attempts=grouped.size()).sort_values("energy_j_central", ascending=False).reset_index()
