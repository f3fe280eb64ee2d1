"""Ledger of a study: every attempt at a step, and what the run itself used."""

import json
from pathlib import Path
from typing import TypedDict

import pandas as pd

from fairweight.core.artifacts import read_json
from fairweight.core.errors import InputError
from fairweight.core.recipes import EnergyRecipe
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


class LedgerEntry(TypedDict, total=False):
    """One attempt at a step, or what a run itself used; times in s, sizes in bytes, a lost attempt without usage.

    The executor appends entries to a JSON Lines file with `output` as a list of files. `read_ledger` keeps that list in
    `outputs` and adds `kind` and `recorded_by`; `output` is then the first file.
    """

    session: str
    kind: str
    rule: str
    output: list[str] | str | None
    outputs: list[str]
    attempt: int
    status: str
    recorded_by: str
    started: float | None
    ended: float | None
    wall_s: float | None
    cpu_s: float | None
    cpu_user_s: float | None
    cpu_system_s: float | None
    launch_cpu_s: float | None
    peak_memory_bytes: float | None
    read_bytes: float | None
    written_bytes: float | None
    threads: int | None
    host: str | None
    exit_code: int | None


def read_ledger(results: str | Path) -> pd.DataFrame:
    """Read the ledger of a study: one row per attempt (columns of COLUMNS; times in s, sizes in bytes).

    `kind` is `step`, or `run` for what Snakemake, Dask and the warm process used. `recorded_by` is `executor`, or
    `step` if only the usage file of a step is left, as with the local executor; such rows exist only for attempts that
    succeeded. The CPU-seconds of a lost attempt are missing, not 0. `clock_jumped` marks attempts whose start and end
    disagree with the time that they took. Their seconds come from a clock that does not jump, and stay right.

    Args:
        results: folder of the study.

    Raises:
        InputError: there is nothing to read, or a line of a ledger is not JSON. A truncated last line is skipped.
    """
    results = Path(results)
    entries = [entry for path in sorted((results / "ledger").glob("*.jsonl")) for entry in _attempts(path)]
    recorded = {_lineage(file) for entry in entries if entry["status"] == "ok" for file in entry["outputs"]}
    usage = sorted(results.rglob("*.usage.json"))
    entries += [_from_usage(path) for path in usage if _lineage(path.relative_to(results.parent)) not in recorded]
    entries += [_overhead(path, entries) for path in sorted((results / "ledger").glob("*.overhead.json"))]
    if not entries:
        raise InputError(f"{results}: there is neither a ledger nor a usage file; run the study first.")
    table = pd.DataFrame(entries).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    spread = (table["ended"] - table["started"] - table["wall_s"]).abs()
    return table.assign(clock_jumped=spread > CLOCK_TOLERANCE_S)


def _lineage(path: str | Path) -> tuple[str, ...]:
    # the results of a study may have been moved: the path below the folder of results identifies a step
    parts = Path(path).parts
    return parts[parts.index("results") + 1 :] if "results" in parts else parts


def _attempts(path: Path) -> list[LedgerEntry]:
    lines = path.read_text(encoding="utf-8").splitlines()
    entries: list[LedgerEntry] = []
    for number, line in enumerate(lines, 1):
        try:
            entry: LedgerEntry = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):  # the machine went down while it was written
                continue
            raise InputError(f"{path}, line {number}: this is not JSON; remove the line.") from None
        files = list(entry.get("output") or [])
        first = next(iter(files), None)
        entries.append({**entry, "kind": "step", "recorded_by": "executor", "outputs": files, "output": first})
    return entries


def _from_usage(path: Path) -> LedgerEntry:
    usage = read_json(path)
    entry: LedgerEntry = usage
    return {
        **entry,
        "kind": "step",
        "rule": path.name.removesuffix(".usage.json").split(".")[-1],
        "output": str(path),
        "status": "ok",
        "recorded_by": "step",
        "exit_code": 0,
        "ended": usage["started"] + usage["wall_s"],
    }


def _overhead(path: Path, attempts: list[LedgerEntry]) -> LedgerEntry:
    """What the run itself used, including its processes that launched and watched the attempts."""
    overhead = read_json(path)
    watching = sum(row.get("launch_cpu_s") or 0.0 for row in attempts if row.get("session") == overhead["session"])
    return {
        "kind": "run",
        "rule": "(the run itself)",
        "status": "ok",
        "recorded_by": "executor",
        "session": overhead["session"],
        "host": overhead["host"],
        "started": overhead["started"],
        "ended": overhead["ended"],
        "cpu_s": overhead["cpu_s"] + watching,
        "wall_s": overhead["ended"] - overhead["started"],
    }


def by_rule(table: pd.DataFrame, recipe: EnergyRecipe) -> pd.DataFrame:
    """Sum attempts, CPU-seconds, modelled energy in J and emissions in g by rule.

    The amounts of a rule are missing, not 0, if no attempt reported its usage. `unknown` counts such attempts.

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
    columns = ["failed", "unknown", "cpu_s", *(f"energy_j_{b}" for b in energy_model.BOUNDS), "emissions_g"]
    sums = grouped[columns].sum(min_count=1)
    return sums.assign(attempts=grouped.size()).sort_values("energy_j_central", ascending=False).reset_index()
