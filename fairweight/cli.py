"""The command `fairweight`."""

import argparse
import errno
import fcntl
import os
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
    parsed = parser.parse_args(own)
    try:
        parsed.function(parsed)
    except InputError as error:
        sys.exit(f"fairweight: {error}")


def run_study(study: Path, seeds: int | None, further: list[str]) -> None:
    """Run a study with Snakemake, in the current folder.

    A lock that the operating system takes back when the last process of a run is gone stands in for Snakemake's, which
    a killed run leaves behind: the next run waits for jobs that outlived it, and then resumes.  This process, which
    becomes Snakemake, and every job (see `runlock.hold`) share the lock; a start takes it for itself first.
    """
    name = str(_parsed(study).get("name"))
    LOCK.parent.mkdir(exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    _wait_for(descriptor)
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
    command += ["--dask-ledger", str(Path("results") / name / "ledger")]
    os.execv(sys.executable, [*command, *further])  # noqa: S606 - no shell, arguments as a list


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
