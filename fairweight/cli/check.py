"""`fairweight check`: which compressed version of a trained model can ship, from the model and a table of rows.

It writes a study file next to the model, as `init` does, runs it, and prints the answer.
"""

import contextlib
import importlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from fairweight.cli.check_inputs import Request
from fairweight.cli.check_study import write_check

WAIT_S = 0.3
NOT_APPLYING = re.compile(r"^  # ([\w.+-]+) does not apply: (.+)$", re.MULTILINE)  # in the study file of `check`
FAIRWEIGHT = "from fairweight.cli.main import main; main()"


def check_model(request: Request, further: list[str]) -> int:
    """Write the study file of a trained model, run it, and print the answer.

    Args:
        request: what the command line asks for.
        further: arguments for Snakemake.

    Returns:
        Exit status of the run.
    """
    started = time.time()
    study = write_check(request)
    print(f"fairweight: wrote {study}; edit it and run it again with: fairweight run {study}", flush=True)
    return _run(study, further, started)


def _run(study: Path, further: list[str], started: float) -> int:
    """Run a study, and print the answer as soon as it is decided, `started` being the start; the report follows."""
    from fairweight.cli.run import read_study  # noqa: PLC0415 - parsing options needs none of it
    from fairweight.study.folders import results_folder  # noqa: PLC0415
    from fairweight.study.schema import resolve  # noqa: PLC0415

    results = Path(results_folder(resolve(read_study(study))))
    report = results / "report" / "report.html"
    # what the answer reads; a step writes its usage last
    steps = [results / "summary" / f"{name}.usage.json" for name in ("decide", "life_cycle", "what_if", "provenance")]
    command = [sys.executable, "-P", "-c", FAIRWEIGHT, "run", str(study), "--", *further]
    shown = False
    with subprocess.Popen(command, env={**os.environ, "FAIRWEIGHT_ANSWERED": "1"}) as child:
        try:
            importlib.import_module("fairweight.reporting.terminal")  # seconds that the run takes to start anyhow
            while child.poll() is None:
                time.sleep(WAIT_S)
                if not shown and all(_is_newer(step, started) for step in steps):
                    shown = _show(study, results)
                    if shown:
                        print(
                            f"fairweight: answered after {time.time() - started:.0f} s; the report follows.", flush=True
                        )
        except KeyboardInterrupt:
            child.wait()
            raise
    if child.returncode == 0:
        if not shown:
            _show(study, results)
        if report.is_file():  # further arguments may ask for less
            print(f"fairweight: the report is {report}", flush=True)
    return child.returncode


def _is_newer(path: Path, moment: float) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime >= moment
    return False


def _show(study: Path, results: Path) -> bool:
    """Print the answer, if all its tables are there."""
    from fairweight.reporting.report.results import TABLES, Results  # noqa: PLC0415
    from fairweight.reporting.terminal import answer  # noqa: PLC0415

    if not all((results / "summary" / f"{name}.parquet").is_file() for name in TABLES):
        return False
    if lines := kept(study):
        print("", *lines, sep="\n", flush=True)
    else:
        answer(Results.read(str(results)), str(results))
    return True


def kept(study: Path) -> list[str]:
    """Why the original is kept where the study file has no other variant, in lines; none where it has one."""
    from fairweight.cli.run import read_study  # noqa: PLC0415

    if len(read_study(study)["variants"]) > 1:
        return []
    reasons = NOT_APPLYING.findall(study.read_text(encoding="utf-8"))
    return ["Keep the original: no method makes it smaller.", *(f"  {name}: {reason}" for name, reason in reasons)]
