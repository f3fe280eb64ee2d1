"""Entries of a study's ledger, as its executor and its steps wrote them (standard library only)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypedDict, cast

from fairweight.core.checksums import read_usage, rule_of
from fairweight.core.errors import InputError
from fairweight.energy.json_lines import read_lines, read_object

RUN = "(the run itself)"  # rule of the entry of a run's own usage
SLACK_S = 2.0  # between the clocks by which a step and the executor place the same attempt

Step = tuple[str, ...]  # parts of the path of its usage file, below the folder of the results


class NothingRecordedError(InputError):
    """A study of which no step has run."""


class LedgerEntry(TypedDict, total=False):
    """One attempt at a step, or what a run itself used; times in s, sizes in bytes, a lost attempt without usage.

    The executor appends entries to a JSON Lines file with `output` as a list of files. `read_entries` keeps that list
    in `outputs` and adds `kind` and `recorded_by`; `output` is then the first file. `complete` is that of a run.
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
    complete: bool


def read_entries(results: str | Path) -> list[LedgerEntry]:
    """Read the ledger of a study: one entry per attempt, and one for each run's own usage.

    An attempt that no executor recorded, as with the local one, is known from the usage file of its step; such entries
    exist only for attempts that succeeded.

    Args:
        results: folder of the study.

    Raises:
        NothingRecordedError: there is nothing to read.
        InputError: a file is damaged. A truncated last line of a ledger is skipped.
    """
    results = Path(results)
    entries = list(_recorded(results))
    usage = {path: path.relative_to(results).parts for path in sorted(results.rglob("*.usage.json"))}
    known = _by_step(entries, usage.values())
    entries += [_from_usage(path) for path, step in usage.items() if step not in known]
    entries += [_overhead(path, entries) for path in sorted((results / "ledger").glob("*.overhead.json"))]
    if not entries:
        raise NothingRecordedError(f"{results}: there is neither a ledger nor a usage file; run the study first.")
    return entries


def usage_of_steps(paths: Iterable[str | Path], results: str | Path) -> Iterator[dict[str, Any]]:
    """Resource usage of the attempt that wrote each usage file, as the ledger has it.

    A step writes its usage file before its end. The executor accounts for all of it, the end included, and its figures
    take the place of the step's own, so that every table counts the same.

    Args:
        paths: usage files.
        results: folder of the study, above the files.

    Yields:
        The figures of each file; cpu_s, wall_s, peak_memory_bytes and started are those of its ledger entry, if there
        is one.
    """
    results = Path(results)
    steps = {path: path.relative_to(results).parts for path in map(Path, paths)}
    recorded = _by_step(_recorded(results), steps.values())
    for path, step in steps.items():
        usage, _ = read_usage(path)
        known = recorded.get(step)
        yield usage | (_figures(known) if known and _same_attempt(known, usage) else {})


def _same_attempt(entry: LedgerEntry, usage: dict[str, Any]) -> bool:
    """Whether a usage file was written in this attempt, not in a later one that no executor recorded."""
    began, ended = entry.get("started"), entry.get("ended")
    if began is None or ended is None:
        return False
    return bool(began - SLACK_S <= usage["started"] <= ended + SLACK_S)


def _figures(entry: LedgerEntry) -> dict[str, Any]:
    names = ("cpu_s", "wall_s", "peak_memory_bytes", "started")
    return {name: value for name, value in entry.items() if name in names and value is not None}


def _by_step(entries: Iterable[LedgerEntry], steps: Iterable[Step]) -> dict[Step, LedgerEntry]:
    """The last successful attempt at each of some steps.

    Args:
        entries: attempts, in order of time. Their files are named as they were called then: the folder of the results
            may have any name, and may have been moved since.
        steps: the parts of the path of each step's usage file, below the folder of the results.
    """
    lengths = {len(step) for step in steps}
    attempts: dict[Step, LedgerEntry] = {}
    for entry in entries:
        if entry["status"] == "ok":
            files = (Path(file).parts for file in entry["outputs"] if file.endswith(".usage.json"))
            attempts |= {parts[-length:]: entry for parts in files for length in lengths if length <= len(parts)}
    return attempts


def _recorded(results: Path) -> Iterator[LedgerEntry]:
    """Attempts that an executor recorded, in the order of the runs."""
    for path in sorted((results / "ledger").glob("*.jsonl")):
        yield from _attempts(path)


def _attempts(path: Path) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for line, _ in read_lines(path):
        entry = cast("LedgerEntry", line)
        files = list(entry.get("output") or [])
        first = next(iter(files), None)
        entries.append({**entry, "kind": "step", "recorded_by": "executor", "outputs": files, "output": first})
    return entries


def _from_usage(path: Path) -> LedgerEntry:
    entry = cast("LedgerEntry", read_usage(path)[0])
    return {
        **entry,
        "kind": "step",
        "rule": rule_of(path),
        "output": str(path),
        "outputs": [str(path)],
        "status": "ok",
        "recorded_by": "step",
        "exit_code": 0,
        "ended": (entry["started"] or 0.0) + (entry["wall_s"] or 0.0),
    }


def _overhead(path: Path, attempts: list[LedgerEntry]) -> LedgerEntry:
    """What the run itself used, including its processes that launched and watched the attempts."""
    overhead = read_object(path)
    if not {"session", "host", "started", "ended", "cpu_s"} <= set(overhead):
        raise InputError(f"{path}: this is not what a run wrote; remove the file.")
    watching = sum(row.get("launch_cpu_s") or 0.0 for row in attempts if row.get("session") == overhead["session"])
    return {
        "kind": "run",
        "rule": RUN,
        "status": "ok",
        "recorded_by": "executor",
        "session": overhead["session"],
        "host": overhead["host"],
        "started": overhead["started"],
        "ended": overhead["ended"],
        "cpu_s": overhead["cpu_s"] + watching,
        # of before it was recorded: by the wall clock
        "wall_s": overhead.get("wall_s", overhead["ended"] - overhead["started"]),
        "complete": overhead.get("complete", True),
    }
