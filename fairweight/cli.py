"""The command `fairweight`."""

import argparse
import errno
import fcntl
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import yaml

from fairweight.components import PACKAGE
from fairweight.errors import InputError
from fairweight.runlock import LOCK, RUN

ROOT = PACKAGE.parent
ELSEWHERE = ["NOR", "FRA", "DEU", "USA", "IND", "POL"]  # from clean to dirty


RUN_HELP = (
    "Run a study to its report, in the current folder. A run that was killed is resumed; what is done is not redone."
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in one sentence and exit code 1."""
    own, further = list(sys.argv[1:] if arguments is None else arguments), []
    if "--" in own:
        own, further = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(prog="fairweight", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a study to its report", description=RUN_HELP)
    run.add_argument("study", nargs="?", type=Path, default=ROOT / "config" / "config.yaml", help="the study file")
    run.add_argument("--seeds", type=int, help="number of seeds, instead of the study's own")
    run.epilog = "What follows `--` goes to Snakemake as it is: fairweight run study.yaml -- --dry-run"
    run.set_defaults(function=lambda a: run_study(a.study, a.seeds, further))
    reference = commands.add_parser("reference", help="print config/README.md from the schema and the components")
    reference.set_defaults(function=lambda _: print_reference())
    _add_init(commands)
    _add_archives(commands)
    used = commands.add_parser("energy", help="tell what a run used: its ledger, energy, carbon and break-even")
    used.add_argument("study", nargs="?", type=Path, default=ROOT / "config" / "config.yaml", help="the study file")
    used.add_argument("--in", dest="countries", nargs="+", default=ELSEWHERE, help="countries to compare with")
    used.set_defaults(function=lambda a: print_energy(a.study, a.countries))
    when = commands.add_parser("when", help="propose the hours in which a run would emit least")
    when.add_argument("forecast", type=Path, help="CSV file with the columns hour and g_per_kwh, hour by hour")
    when.add_argument("--hours", type=float, default=1.0, help="how long the run takes (1)")
    when.set_defaults(function=lambda a: print_window(a.forecast, a.hours))
    parsed = parser.parse_args(own)
    try:
        parsed.function(parsed)
    except InputError as error:
        sys.exit(f"fairweight: {error}")


def _add_init(commands: Any) -> None:
    told = "Write a commented study file for a delimited table. What was guessed is marked CHECK; a file that exists is never overwritten."
    init = commands.add_parser("init", help="write a study file for your own table", description=told)
    init.add_argument("data", type=Path, help="the table: CSV or a relative, with a header line")
    init.add_argument("--target", required=True, help="column of the label")
    init.add_argument("--groups", nargs="*", default=[], help="columns of sensitive attributes, such as sex race age")
    init.add_argument("--positive", help="positive class of a label with two (default: the rarer one)")
    init.add_argument("--output", type=Path, help="file to write (default: the name of the table, .yaml)")
    init.set_defaults(function=begin_study)


def _add_archives(commands: Any) -> None:
    told = "Recompute the checksums of an archive, and render its report again without training. This runs the archive's own code."
    verify = commands.add_parser("verify-archive", help="check an archive", description=told)
    verify.add_argument("archive", type=Path, help="zip file, or the folder of an unpacked one")
    verify.add_argument("--into", type=Path, help="new folder to unpack to; without it nothing is left behind")
    verify.set_defaults(function=verify_archive)
    told = "Run an archived study again in a clean folder, with the archive's own code, and tell what differs."
    again = commands.add_parser("reproduce", help="run an archived study again and compare", description=told)
    again.add_argument("archive", type=Path, help="zip file, or the folder of an unpacked one")
    again.add_argument("--into", type=Path, required=True, help="clean folder to run in")
    again.add_argument(
        "--data", type=Path, default=Path(), help="folder from which `file:` sources are read (default: this one)"
    )
    again.add_argument(
        "--tolerance",
        type=float,
        default=0.01,
        help="of means over seeds, where versions or machines differ (default 0.01)",
    )
    again.add_argument(
        "--this-workflow", action="store_true", help="run the workflow installed here, not the archive's own"
    )
    again.set_defaults(function=reproduce_archive)


def begin_study(parsed: argparse.Namespace) -> None:
    """Write a study file for a user's table."""
    from fairweight.beginning import begin  # noqa: PLC0415 - `run` needs none of it

    written = begin(
        parsed.data, target=parsed.target, groups=parsed.groups, positive=parsed.positive, output=parsed.output
    )
    print(f"{written} is written. Look at the lines marked CHECK, then: fairweight run {written}")


def verify_archive(parsed: argparse.Namespace) -> None:
    """Check an archive and render its report again."""
    from fairweight.crate.rerunning import verify  # noqa: PLC0415 - `run` needs none of it

    verify(parsed.archive, parsed.into)


def reproduce_archive(parsed: argparse.Namespace) -> None:
    """Run an archived study again and compare."""
    from fairweight.crate.reproducing import reproduce  # noqa: PLC0415 - `run` needs none of it

    snakefile = ROOT / "Snakefile" if parsed.this_workflow else None
    reproduce(parsed.archive, parsed.into, data=parsed.data, tolerance=parsed.tolerance, snakefile=snakefile)


def run_study(study: Path, seeds: int | None, further: list[str]) -> None:
    """Run a study with Snakemake, in the current folder.

    A lock that the operating system takes back when the last process of a run is gone stands in for Snakemake's, which
    a killed run leaves behind: the next run waits for jobs that outlived it, and then resumes.  This process, which
    becomes Snakemake, and every job (see `runlock.hold`) share the lock; a start takes it for itself first.
    """
    stated = _parsed(study)
    LOCK.parent.mkdir(exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    _wait_for(descriptor)
    folder = Path("results") / str(stated.get("name")) / "ledger"
    if not {"-n", "--dry-run", "--dryrun"} & set(further):
        _start_sampler(folder.with_name("meter"), stated.get("energy"))
    os.environ[RUN] = uuid.uuid4().hex
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, os.environ[RUN].encode(), 0)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)
    # options that take several values go first, so that they do not swallow what follows
    command = [sys.executable, "-m", "snakemake", "--configfile", str(study)]
    if seeds is not None:
        command += ["--config", f"seeds={seeds}"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--nolock"]
    command += ["--dask-ledger", str(folder)]
    os.execv(sys.executable, [*command, *further])  # noqa: S606 - no shell, arguments as a list


def _start_sampler(folder: Path, energy: Any) -> None:
    """Start this node's one sampler where a meter can be read, and wait while it measures the idle node.

    It ends by itself when this process, which becomes Snakemake, has ended.
    """
    command = (energy.get("meter_command") if isinstance(energy, dict) else None) or []
    if not (isinstance(command, list) and all(isinstance(word, str) for word in command)):
        return  # the schema tells it
    arguments = [
        sys.executable,
        "-m",
        "fairweight.sampling",
        str(folder),
        *(["--command", *command] if command else []),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    sampler = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    told = sampler.stdout.readline().strip() if sampler.stdout else ""
    if told == "ready":
        print(f"fairweight: energy is measured; the samples go to {folder}.", flush=True)
        return
    if sampler.wait() != 0:
        sys.exit(1)  # it has said why
    print(
        f"fairweight: no energy meter can be read, energy will be modelled ({told.removeprefix('none: ')}).", flush=True
    )


def _parsed(study: Path) -> dict[str, Any]:
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


def print_reference() -> None:
    """Print the reference of all keys."""
    from fairweight.reference import reference  # noqa: PLC0415 - `run` needs none of it

    print(reference(), end="")


def print_energy(study: Path, countries: list[str]) -> None:
    """Account for what has run of a study, in the current folder."""
    from fairweight.accounting import account  # noqa: PLC0415 - `run` needs no pandas
    from fairweight.schema import resolve  # noqa: PLC0415

    config = resolve(_parsed(study))
    print(account(Path("results") / config["name"], config["energy"], countries))


def print_window(path: Path, hours: float) -> None:
    """Print the greenest start, and what it saves against the first one."""
    from fairweight.start_window import greenest, read_forecast, windows  # noqa: PLC0415

    forecast = read_forecast(path)
    first, best = windows(forecast, hours)[0], greenest(forecast, hours)
    print(f"Start at {best.start:%Y-%m-%d %H:%M} UTC: {best.g_per_kwh:.0f} gCO2e/kWh over {hours:g} h.")
    if first.g_per_kwh > 0:
        saved = 1 - best.g_per_kwh / first.g_per_kwh
        print(f"That is {saved:.0%} less than at {first.start:%Y-%m-%d %H:%M} UTC ({first.g_per_kwh:.0f} gCO2e/kWh).")
