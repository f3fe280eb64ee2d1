"""Starts a study (`fairweight run`): everything that happens before Snakemake takes over.

In this order: the wait for green hours, the lock, the carbon budget, hourly intensities, and the energy meter.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fairweight.cli.foreign_code import announce
from fairweight.cli.preload import preload_options
from fairweight.cli.snakemake_words import check_words
from fairweight.cli.stored_study import note_of_run
from fairweight.cli.study_path import check_study_path
from fairweight.core import run_lock
from fairweight.core.components import SOURCES, WORKFLOW
from fairweight.core.errors import InputError
from fairweight.core.local_files import expanded, is_file, similar_file
from fairweight.core.recipes import EnergyRecipe
from fairweight.core.yaml_file import read_yaml
from fairweight.energy import carbon_budget
from fairweight.study.file_sizes import check_sizes
from fairweight.study.file_times import date_back
from fairweight.study.folders import logs_folder, results_folder
from fairweight.study.schema import resolve
from fairweight.study.study import Study
from fairweight.study.sweeps import Config

DRY = re.compile("-[Fnpqr]*n[Fnpqr]*|--dry.*")  # a dry run, also among other short options (-np), or abbreviated
# as `python -m snakemake`, which would print a traceback when it is interrupted while it starts; a run that Ctrl-C has
# ended (rules/common.smk) has the exit code of one
SNAKEMAKE = """import os, runpy, signal, sys
def hook(kind, *error):
    print("fairweight: cancelled.", file=sys.stderr) if kind is KeyboardInterrupt else sys.__excepthook__(kind, *error)
sys.excepthook = hook
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
try:
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
except SystemExit as end:
    sys.exit(130 if end.code and "FAIRWEIGHT_CANCELLED" in os.environ else end.code)"""


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

    The run takes the lock of the folder (see `run_lock`), waits for jobs that outlived a killed run, and then resumes.

    Args:
        study: the study file.
        options: options of the command line.

    Raises:
        InputError: there is no such study, or the run cannot start.
    """
    config = _validated(read_study(study), options)
    check_words(options.further)
    announce(study, config, known=(Path.cwd(), SOURCES))
    if any(DRY.fullmatch(word) for word in options.further):
        _become_snakemake(study, options, [])
    else:
        _launch(study, options, config)


def _launch(study: Path, options: Options, config: Config) -> None:
    """Prepare the run of a valid study, and start it."""
    energy: EnergyRecipe = config["energy"]
    results = Path(results_folder(config))
    for folder in (results, results / "ledger", results / "meter", Path(logs_folder(config))):
        _check_writable(folder)
    _choose_cache()
    _wait_for_green(energy, options)
    descriptor = run_lock.open_lock()
    _wait_for_lock(descriptor)
    gate = _budget_options(energy, results, options)
    _remove_unfinished(results)
    check_sizes(results)
    if note := note_of_run(config, results):
        print(f"fairweight: {note}", flush=True)
    if dated := date_back(results):
        print(f"fairweight: the clock went back; {dated:,} files of the future were given earlier times.", flush=True)
    _fetch_intensities(energy, results)
    _start_sampler(results / "meter", energy)
    run_lock.begin(descriptor)
    os.set_inheritable(descriptor, True)
    own = ["--nolock", "--dask-ledger", str(results / "ledger"), *gate]
    _become_snakemake(study, options, [*own, *preload_options(config, WORKFLOW, options.further)])


def _become_snakemake(study: Path, options: Options, own: list[str]) -> NoReturn:
    # options that take several values go first, because they would consume the targets that follow
    # -P: no file in the folder of the run replaces a module of Python or of a package
    command = [sys.executable, "-P", "-c", SNAKEMAKE, "--configfile", str(study)]
    if options.seeds is not None:
        command += ["--config", f"seeds={options.seeds}"]
    command += ["--snakefile", str(WORKFLOW / "Snakefile"), *own]
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C waits until its hook is there
    try:
        os.execv(sys.executable, [*command, *options.further])  # noqa: S606 - no shell, arguments as a list
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _check_writable(folder: Path) -> None:
    """Check a folder of the results, or the one in which it will be made, before the run waits for anything.

    Raises:
        InputError: it cannot be written.
    """
    place = folder
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise InputError(f"{place} is not a folder, and results go to {folder}; remove it, or set pathvars: results.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"the folder {place} cannot be written, and results go to {folder}; make it writable.")


def _choose_cache() -> None:
    """Choose another folder for Snakemake's cache where the home folder cannot be written."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache"))
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    if not os.access(cache, os.W_OK | os.X_OK):
        os.environ["XDG_CACHE_HOME"] = str(run_lock.LOCK.parent.absolute() / "cache")


def _remove_unfinished(results: Path) -> None:
    """Remove the temporary files of killed jobs (see `artifacts.atomic`); no job writes while the lock is exclusive."""
    for path in results.rglob(f".*{run_lock.UNFINISHED}*"):
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
        of_option = options.seeds is not None and str(error).startswith("seeds: ")
        raise InputError(f"--{error}" if of_option else f"study file: {error}") from None
    return resolved


def _wait_for_green(energy: EnergyRecipe, options: Options) -> None:
    start = energy.get("start")
    forecast = options.forecast or (Path(start["forecast"]) if start else None)
    if forecast is None or not options.wait:
        return
    from fairweight.energy.wait_for_green import wait_for_green  # noqa: PLC0415 - few runs wait

    hours = options.hours if options.hours is not None else start["hours"] if start else 1.0
    wait_for_green(forecast, hours)


def _fetch_intensities(energy: EnergyRecipe, results: Path) -> None:
    """Fetch hourly intensities.

    Raises:
        InputError: no file, no key or no connection, which would otherwise end the run after all work is done.
    """
    if (hourly := energy.get("hourly")) and not is_file(hourly):
        raise InputError(f"energy: hourly: there is no file {hourly}{similar_file(hourly)}.")
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
                if is_file(file):
                    profile = read_yaml(file)
                    return str(profile.get("executor", "local") if isinstance(profile, dict) else "local")
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
    search_path = os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": search_path}
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
    check_study_path(study)
    config = read_yaml(study)
    if not isinstance(config, dict):
        raise InputError(f"{study}: a study file has keys at its top level; see config/README.md.")
    return config


def _wait_for_lock(descriptor: int) -> None:
    """Take the lock exclusively; waits for a run in this folder, and for jobs of a killed one."""
    announced = False
    while not run_lock.take(descriptor):
        if not announced:
            print("fairweight: waiting for a run in this folder, or for jobs of a killed one, to end ...", flush=True)
            announced = True
        time.sleep(0.5)
