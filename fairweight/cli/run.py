"""What happens before Snakemake starts: the wait for green hours, the lock, hourly intensities, the meter, the budget."""

import errno
import fcntl
import os
import re
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fairweight.core.components import PACKAGE
from fairweight.core.errors import InputError
from fairweight.core.run_lock import LOCK, RUN
from fairweight.energy import carbon_budget
from fairweight.study.schema import resolve

ROOT = PACKAGE.parent
UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}")  # temporary names of `artifacts.atomic`
DRY = {"-n", "--dry-run", "--dryrun"}


@dataclass(frozen=True)
class Options:
    """What the command line says of a run.

    Attributes:
        seeds: number of seeds, in place of the study's own.
        carbon_budget_g: gCO2e, in place of the study's own.
        forecast: CSV file of hourly intensities; the run waits for its greenest start.
        hours: how long the run takes, for that.
        wait: whether to wait at all.
        further: what goes to Snakemake as it is.
    """

    seeds: int | None
    carbon_budget_g: float | None
    forecast: Path | None
    hours: float | None
    wait: bool
    further: list[str]


def run_study(study: Path, options: Options) -> None:
    """Run a study with Snakemake, in the current folder.

    A lock that the operating system takes back when the last process of a run is gone stands in for Snakemake's, which
    a killed run leaves behind: the next run waits for jobs that outlived it, and then resumes.  This process, which
    becomes Snakemake, and every job (see `runlock.hold`) share the lock; a start takes it for itself first.
    """
    stated = parsed(study)
    power = _power(stated)
    results = Path("results") / str(stated.get("name"))
    dry = bool(DRY & set(options.further))
    if not dry:
        _wait_for_green(power, options)
    LOCK.parent.mkdir(exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    _wait_for(descriptor)
    gate = [] if dry else _budget(power, results, options)
    if not dry:
        _remove_unfinished(results)
        _fetch(power, results)
        _start_sampler(results / "meter", power)
    os.environ[RUN] = uuid.uuid4().hex
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, os.environ[RUN].encode(), 0)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)
    # options that take several values go first, so that they do not swallow what follows
    command = [sys.executable, "-m", "snakemake", "--configfile", str(study)]
    if options.seeds is not None:
        command += ["--config", f"seeds={options.seeds}"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--nolock"]
    command += ["--dask-ledger", str(results / "ledger"), *gate]
    os.execv(sys.executable, [*command, *options.further])  # noqa: S606 - no shell, arguments as a list


def _remove_unfinished(results: Path) -> None:
    """Remove what killed jobs were writing (see `artifacts.atomic`): nobody writes while the lock is this run's alone."""
    for path in results.rglob(".*"):
        if UNFINISHED.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _power(stated: dict[str, Any]) -> dict[str, Any]:
    """`energy` of the study file, with its defaults; empty where the file has a mistake, which Snakemake will tell."""
    try:
        found: dict[str, Any] = resolve(stated)["energy"]
    except InputError:
        return {}
    return found


def _wait_for_green(power: dict[str, Any], options: Options) -> None:
    start = power.get("start") or {}
    forecast = options.forecast or (Path(start["forecast"]) if start else None)
    if forecast is None or not options.wait:
        return
    from fairweight.energy.wait_for_green import wait_for_green  # noqa: PLC0415 - few runs wait

    try:
        wait_for_green(forecast, options.hours or start.get("hours", 1.0))
    except KeyboardInterrupt:
        sys.exit("\nfairweight: nothing was started.")


def _fetch(power: dict[str, Any], results: Path) -> None:
    """Tell now what would end the run when all work is done: no file of intensities, no key, no connection."""
    if power.get("hourly") and not Path(power["hourly"]).is_file():
        raise InputError(f"energy: hourly: there is no file {power['hourly']}.")
    if zone := power.get("electricity_maps"):
        from fairweight.energy import electricity_maps  # noqa: PLC0415 - few runs need the network
        from fairweight.energy.gather_intensity import fetched  # noqa: PLC0415

        print(f"fairweight: {electricity_maps.update(zone, fetched(results, zone))}", flush=True)


def _budget(power: dict[str, Any], results: Path, options: Options) -> list[str]:
    """Leave the budget where the executor finds it; returns the options for Snakemake.

    Raises:
        InputError: another executor is asked for, which would not keep it.
    """
    stated = options.carbon_budget_g
    grams = power.get("carbon_budget_g") if stated is None else stated
    if grams is None or not power:
        return []
    other = _executor(options.further)
    if other != "dask":
        raise InputError(f"a carbon budget is kept by the executor dask only, not by {other}; leave one of them out.")
    from fairweight.energy.carbon_intensity import with_hours  # noqa: PLC0415
    from fairweight.energy.gather_intensity import hours_of  # noqa: PLC0415 - few runs have a budget

    carbon_budget.state(grams, results, with_hours(power, hours_of(results, power)))
    return ["--dask-gate", "fairweight.energy.carbon_budget:Gate"]


def _executor(further: list[str]) -> str:
    """Name of the executor that Snakemake's further options choose; that of profiles/default is dask."""
    words = [part for word in further for part in word.split("=", 1)]
    for option in ("--executor", "-e"):
        if option in words[:-1]:
            return words[words.index(option) + 1]
    for option in ("--profile", "--workflow-profile"):
        if option in words[:-1]:
            place = Path(words[words.index(option) + 1])
            for file in (place / "profile.yaml", place / "config.yaml"):
                if file.is_file():
                    return str((yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("executor", "local"))
    return "dask"


def _start_sampler(folder: Path, power: dict[str, Any]) -> None:
    """Start this node's one sampler where a meter can be read, and wait while it measures the idle node.

    It ends by itself when this process, which becomes Snakemake, has ended.
    """
    command, kept = power.get("meter_command") or [], power.get("meter_csv")
    arguments = [
        sys.executable,
        "-m",
        "fairweight.energy.power_sampler",
        str(folder),
        *(["--external"] if kept else []),
        *(["--command", *command] if command and not kept else []),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    sampler = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    told = sampler.stdout.readline().strip() if sampler.stdout else ""
    if told == "ready":
        told = f"the meter's file {kept} is read by `fairweight energy`" if kept else "energy is measured"
        print(f"fairweight: {told}; the samples go to {folder}.", flush=True)
        return
    if sampler.wait() != 0:
        sys.exit(1)  # it has said why
    print(
        f"fairweight: no energy meter can be read, energy will be modelled ({told.removeprefix('none: ')}).", flush=True
    )


def parsed(study: Path) -> dict[str, Any]:
    """The study file as it stands; what is wrong in it, but for YAML itself, is told by the schema."""
    if not study.is_file():
        raise InputError(f"there is no study file {study}.")
    try:
        found = yaml.safe_load(study.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{study}{place}: this is not YAML ({error.problem}).") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{study}: this is not YAML in UTF-8 ({' '.join(str(error).split())}).") from None
    if not isinstance(found, dict):
        raise InputError(f"{study}: a study file has keys at its top level; see config/README.md.")
    return found


def _wait_for(descriptor: int) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if not told:
            print("fairweight: waiting for a run in this folder, or for jobs of a killed one, to end ...", flush=True)
            told = True
        time.sleep(0.5)
