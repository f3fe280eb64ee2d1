"""Starts a study (`fairweight run`): everything that happens before Snakemake takes over.

In this order: the wait for green hours, the lock, the carbon budget, hourly intensities, and the energy meter.
"""

import errno
import fcntl
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import yaml

from fairweight.core.components import PACKAGE
from fairweight.core.errors import InputError
from fairweight.core.recipes import EnergyRecipe
from fairweight.core.run_lock import LOCK, RUN, UNFINISHED
from fairweight.core.yaml_file import read_yaml
from fairweight.energy import carbon_budget
from fairweight.study.folders import results_folder
from fairweight.study.schema import resolve
from fairweight.study.study import Study
from fairweight.study.sweeps import Config

ROOT = PACKAGE.parent
DRY = {"-n", "--dry-run", "--dryrun"}


@dataclass(frozen=True)
class Options:
    """Options of `fairweight run`.

    Attributes:
        seeds: number of seeds, instead of the study's own.
        carbon_budget_g: carbon budget in gCO2e, instead of the study's own.
        forecast: CSV file of hourly intensities; the run waits for its greenest start.
        hours: duration of the run in hours, to choose that start.
        wait: whether to wait at all.
        further: arguments that are passed to Snakemake unchanged.
    """

    seeds: int | None
    carbon_budget_g: float | None
    forecast: Path | None
    hours: float | None
    wait: bool
    further: list[str]


def run_study(study: Path, options: Options) -> None:
    """Run a study with Snakemake, in the current folder; this process becomes Snakemake.

    Snakemake's own lock is replaced, because a killed run leaves it behind. Here the operating system releases the lock
    when the last process of a run has ended, so that the next run waits for jobs that outlived the killed one, and then
    resumes. This process and every job (see `run_lock.hold`) share the lock; a start first takes it exclusively.

    Args:
        study: the study file.
        options: options of the command line.

    Raises:
        InputError: there is no such study, or the run cannot start.
    """
    config = _validated(read_study(study), options)
    energy: EnergyRecipe = config["energy"]
    results = Path(results_folder(config))
    dry = bool(DRY & set(options.further))
    if not dry:
        _wait_for_green(energy, options)
    LOCK.parent.mkdir(exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    _lock(descriptor)
    gate = [] if dry else _budget_options(energy, results, options)
    if not dry:
        _remove_unfinished(results)
        _fetch_intensities(energy, results)
        _start_sampler(results / "meter", energy)
    os.environ[RUN] = uuid.uuid4().hex
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, os.environ[RUN].encode(), 0)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)
    # options that take several values go first, because they would consume the targets that follow
    # -P: no file in the folder of the run replaces a module of Python or of a package
    command = [sys.executable, "-P", "-m", "snakemake", "--configfile", str(study)]
    if options.seeds is not None:
        command += ["--config", f"seeds={options.seeds}"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--nolock"]
    command += ["--dask-ledger", str(results / "ledger"), *gate]
    os.execv(sys.executable, [*command, *options.further])  # noqa: S606 - no shell, arguments as a list


def _remove_unfinished(results: Path) -> None:
    """Remove the temporary files of killed jobs (see `artifacts.atomic`); no job writes while the lock is exclusive."""
    for path in results.rglob(f".*{UNFINISHED}*"):
        if path.is_file():
            path.unlink(missing_ok=True)


def _validated(config: Config, options: Options) -> Config:
    """The study file with its defaults; nothing is written, removed or started before it is valid.

    Raises:
        InputError: the first mistake, as Snakemake would report it.
    """
    seeds = {} if options.seeds is None else {"seeds": options.seeds}
    try:
        resolved = resolve(config | seeds)
        Study(resolved)
    except InputError as error:
        raise InputError(f"study file: {error}") from None
    return resolved


def _wait_for_green(energy: EnergyRecipe, options: Options) -> None:
    start = energy.get("start")
    forecast = options.forecast or (Path(start["forecast"]) if start else None)
    if forecast is None or not options.wait:
        return
    from fairweight.energy.wait_for_green import wait_for_green  # noqa: PLC0415 - few runs wait

    try:
        wait_for_green(forecast, options.hours or (start["hours"] if start else 1.0))
    except KeyboardInterrupt:
        sys.exit("\nfairweight: nothing was started.")


def _fetch_intensities(energy: EnergyRecipe, results: Path) -> None:
    """Fetch hourly intensities.

    Raises:
        InputError: no file, no key or no connection, which would otherwise end the run after all work is done.
    """
    if (hourly := energy.get("hourly")) and not Path(hourly).is_file():
        raise InputError(f"energy: hourly: there is no file {hourly}.")
    if zone := energy.get("electricity_maps"):
        from fairweight.energy import electricity_maps  # noqa: PLC0415 - few runs need the network
        from fairweight.energy.gather_intensity import fetched  # noqa: PLC0415

        print(f"fairweight: {electricity_maps.update(zone, fetched(results, zone))}", flush=True)


def _budget_options(energy: EnergyRecipe, results: Path, options: Options) -> list[str]:
    """Pass the carbon budget to the executor.

    Returns:
        Options for Snakemake; none without a budget.

    Raises:
        InputError: another executor is chosen, which would not keep the budget.
    """
    grams = energy.get("carbon_budget_g") if options.carbon_budget_g is None else options.carbon_budget_g
    if grams is None:
        return []
    other = _executor(options.further)
    if other != "dask":
        raise InputError(f"only the executor dask keeps a carbon budget, not {other}; remove one of them.")
    from fairweight.energy.carbon_intensity import with_hours  # noqa: PLC0415
    from fairweight.energy.gather_intensity import hours_of  # noqa: PLC0415 - few runs have a budget

    carbon_budget.state(grams, results, with_hours(energy, hours_of(results, energy)))
    return ["--dask-gate", "fairweight.energy.carbon_budget:Gate"]


def _executor(further: list[str]) -> str:
    """Name of the executor that arguments for Snakemake choose; the default, from profiles/default, is dask."""
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


def _start_sampler(folder: Path, energy: EnergyRecipe) -> None:
    """Start the power sampler of this node, if a meter can be read, and wait while it measures the idle node.

    The sampler ends by itself when this process, which becomes Snakemake, has ended.
    """
    command, meter_csv = energy.get("meter_command") or [], energy.get("meter_csv")
    arguments = [
        sys.executable,
        "-P",
        "-m",
        "fairweight.energy.power_sampler",
        str(folder),
        *(["--external"] if meter_csv else []),
        *(["--command", *command] if command and not meter_csv else []),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    sampler = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    answer = sampler.stdout.readline().strip() if sampler.stdout else ""
    if answer == "ready":
        source = f"`fairweight energy` reads the meter's file {meter_csv}" if meter_csv else "energy is measured"
        print(f"fairweight: {source}; the samples go to {folder}.", flush=True)
        return
    if sampler.wait() != 0:
        sys.exit(1)  # the sampler has printed the reason
    reason = answer.removeprefix("none: ")
    print(f"fairweight: no energy meter can be read; energy will be modelled ({reason}).", flush=True)


def read_study(study: Path) -> Config:
    """Read a study file; mistakes other than those of YAML are left to the schema.

    Raises:
        InputError: there is no such file, or it is not a mapping in YAML.
    """
    if not study.is_file():
        raise InputError(f"there is no study file {study}.")
    config = read_yaml(study)
    if not isinstance(config, dict):
        raise InputError(f"{study}: a study file has keys at its top level; see config/README.md.")
    return config


def _lock(descriptor: int) -> None:
    """Take the lock exclusively; waits for a run in this folder, and for jobs of a killed one."""
    announced = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if not announced:
            print("fairweight: waiting for a run in this folder, or for jobs of a killed one, to end ...", flush=True)
            announced = True
        time.sleep(0.5)
