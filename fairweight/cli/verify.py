"""Checks every file of a study (`fairweight verify`): whether it is there, and is the one that its step wrote."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fairweight.cli.purge import purged_files
from fairweight.cli.run import read_study
from fairweight.cli.stored_study import stored_study, warn
from fairweight.core import run_lock
from fairweight.core.checksums import SUFFIX, WrittenFile, read_usage, rule_of
from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError
from fairweight.study.file_sizes import TARGETS
from fairweight.study.folders import results_folder
from fairweight.study.schema import resolve
from fairweight.study.study import Study
from fairweight.study.sweeps import Config

MOST = 5  # files that are listed
INTACT, MISSING, DAMAGED, UNKNOWN = "intact", "missing", "damaged", "without a checksum"
DELETED = "purged"
MEANING = {
    INTACT: "as their steps wrote them",
    MISSING: "not there",
    DAMAGED: "of another size or content, or not readable",
    DELETED: "deleted by `fairweight purge`, because they hold single rows",
    UNKNOWN: "in no usage file: its step is of an older version, or that file is missing or damaged",
}


@dataclass
class Findings:
    """State of every file of a study.

    Attributes:
        states: number of files by state.
        lines: one line for each file that is missing or damaged.
        targets: what brings them back: names of targets.
        leftovers: number of files of steps that are not part of the study.
    """

    states: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    targets: set[str] = field(default_factory=set)
    leftovers: int = 0

    def add(self, path: Path, rule: str, state: str, problem: str = "") -> None:
        """Count a file; `problem` says what is wrong with it."""
        self.states[state] += 1
        if state in (MISSING, DAMAGED):
            self.lines.append(f"{state:8} {path} ({rule}){': ' if problem else ''}{problem}")
            self.targets.add(rule if rule in TARGETS else "all")


def verify_study(study: Path, seeds: int | None) -> None:
    """Check every file of a study in the current folder, and print the result.

    Args:
        study: the study file.
        seeds: number of seeds, instead of the study's own; None takes those that were run, where they are fewer.

    Raises:
        InputError: a file is missing or damaged; a run uses the folder; or there is no such study.
    """
    config = resolve(read_study(study) | ({} if seeds is None else {"seeds": seeds}))
    Study(config)
    results = Path(results_folder(config))
    if not results.is_dir():
        raise InputError(f"there is no folder {results}; run the study first.")
    seeds = _seeds_that_ran(config, results, seeds)
    descriptor = run_lock.open_lock()
    if not run_lock.take(descriptor):
        raise InputError("a run uses this folder; verify the study when it has ended.")
    checked = findings(results, promised_files(study, seeds))
    os.close(descriptor)
    _print(checked)
    if checked.lines:
        number, total = len(checked.lines), checked.states.total()
        again = " ".join(["fairweight run", str(study), *([] if seeds is None else [f"--seeds {seeds}"])])
        targets = "" if checked.targets == {"all"} else f" -- {' '.join(sorted(checked.targets))}"
        raise InputError(
            f"{number:,} of {total:,} files are missing or damaged; delete those that are damaged, or what their lines "
            f"name, then run: {again}{targets}."
        )


def _seeds_that_ran(config: Config, results: Path, seeds: int | None) -> int | None:
    """The number of seeds to check; says where fewer were run than the study has, or another study was run."""
    stored = stored_study(results)
    if stored is None:
        return seeds
    ran = stored.get("seeds")
    if seeds is None and isinstance(ran, int) and ran < config["seeds"]:
        print(f"{ran} of {config['seeds']} seeds were run; checked those.")
        seeds, config = ran, config | {"seeds": ran}
    warn(config, stored, results)
    return seeds


def promised_files(study: Path, seeds: int | None) -> dict[Path, str]:
    """Every file that a finished study has, and the rule that makes it, as Snakemake lists them.

    Raises:
        InputError: Snakemake cannot plan the study.
    """
    command = [sys.executable, "-P", "-m", "snakemake", "--configfile", str(study)]
    command += [] if seeds is None else ["--config", f"seeds={seeds}"]
    command += ["--snakefile", str(WORKFLOW / "Snakefile"), "--cores", "1", "--summary"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["Snakemake has failed"]
        raise InputError(f"{study}: the study cannot be planned: {lines[-1].removeprefix('fairweight: ')}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    header = rows.index(next(row for row in rows if row[0] == "output_file"))
    return {Path(os.path.normpath(row[0])): row[2] for row in rows[header + 1 :] if len(row) == len(rows[header])}


def findings(results: Path, promised: dict[Path, str]) -> Findings:
    """Compare what is there with what the steps of a study have recorded.

    Args:
        results: the study's folder.
        promised: every file that a finished study has -> the rule that makes it.
    """
    checked, seen, deleted = Findings(), set(), purged_files(results)
    for usage in sorted(results.rglob(f"*{SUFFIX}")):
        rule, place = rule_of(usage), Path(os.path.normpath(usage))
        try:
            written = read_usage(usage)[1]
        except (InputError, OSError):
            checked.add(place, rule, DAMAGED, "is not what its step wrote")
            seen.add(place)
            continue
        if place not in promised and rule not in TARGETS:
            checked.leftovers += 1 + len(written)
            continue
        for file in written:
            _add(checked, file, rule, deleted)
        seen.update(file.path for file in written)
        if written:
            checked.add(place, rule, INTACT)
            seen.add(place)
    for path, rule in promised.items():
        if path not in seen:
            checked.add(path, rule, UNKNOWN if path.exists() else MISSING)
    return checked


def _add(checked: Findings, file: WrittenFile, rule: str, deleted: set[Path]) -> None:
    if file.path in deleted and not os.path.lexists(file.path):
        checked.add(file.path, rule, DELETED)
        return
    problem = file.problem()
    if problem is None:
        checked.add(file.path, rule, INTACT)
        return
    remedy = "" if file.declared else f"; delete {file.usage}"
    if not os.path.lexists(file.path):
        checked.add(file.path, rule, MISSING, remedy.removeprefix("; "))
    else:
        checked.add(file.path, rule, DAMAGED, problem + remedy)


def _print(checked: Findings) -> None:
    for state, meaning in MEANING.items():
        if checked.states[state] or state == INTACT:
            print(f"{checked.states[state]:9,} {state:18} {meaning}")
    if checked.leftovers:
        print(f"{checked.leftovers:9,} {'not checked':18} of steps that are not part of this study")
    print(*checked.lines[:MOST], sep="\n", end="\n" if checked.lines else "")
    if len(checked.lines) > MOST:
        print(f"... and {len(checked.lines) - MOST:,} more")
