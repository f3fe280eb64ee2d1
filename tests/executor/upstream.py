"""Runs the workflows of Snakemake's own tests by the local executor and by Dask, and explains each difference.

Usage: upstream.py [--kept FOLDER] [--again] [NAME ...]     (default: all workflows; about an hour on two cores)

The variable SNAKEMAKE_CHECKOUT names a checkout of https://github.com/snakemake/snakemake. A workflow has two outcomes:
the exit status and the content of every file outside `.snakemake`. A difference is explained by controls:

- unstable: a second local run differs from the first in the same files (times, random numbers);
- remote: cluster-generic, if it is installed, ends with the same exit status and differs from the local executor in
  these files as well, so that Snakemake itself makes the difference;
- resources: the workflow asks for more than this machine has, which the executor refuses and the local one ignores;
- order: with one core and `--keep-going` both are equal: jobs that run at the same time write into the same file, or
  chance decides which jobs run before another fails;
- limit: one of both does not end within the time limit;
- ours: everything else.

With `--kept`, outcomes are kept in a folder; those of Dask are made again with `--again`.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psutil

VARIABLE = "SNAKEMAKE_CHECKOUT"
LIMIT_S = 60
CORES = 3
SUBMIT = 'bash "$1" > "$1.out" 2>&1 & echo $!'
EXECUTORS = {
    "local": ["--executor", "local"],
    "again": ["--executor", "local"],
    "local_alone": ["--executor", "local"],
    "dask_alone": ["--executor", "dask", "--jobs", "4"],
    "dask": ["--executor", "dask", "--jobs", "4", "--dask-dashboard", "none"],
    "generic": ["--executor", "cluster-generic", "--jobs", "4", "--cluster-generic-submit-cmd", "./submit.sh"],
}
OUTSIDE = {".snakemake", ".cache", "submit.sh"}
REFUSED = "dask: no worker can run "


def checkout() -> Path | None:
    """Folder of Snakemake's tests; None if the variable names none."""
    folder = Path(os.environ.get(VARIABLE, "")) / "tests"
    return folder if os.environ.get(VARIABLE) and folder.is_dir() else None


def workflows(folder: Path) -> list[str]:
    """Names of all folders with a workflow."""
    places = ("Snakefile", "workflow/Snakefile")
    return sorted(f.name for f in folder.glob("test*") if any((f / place).is_file() for place in places))


def outcome(source: Path, executor: str) -> dict:
    """Run a workflow in a folder of its own.

    Returns:
        `code` (the exit status, or "limit"), `files` (a digest for each path), `wall_s` and the end of the `output`.
    """
    with tempfile.TemporaryDirectory(prefix="upstream-") as scratch:
        folder, home = Path(scratch) / source.name, Path(scratch) / "home"
        shutil.copytree(source, folder, symlinks=True)
        home.mkdir()
        (folder / "submit.sh").write_text(f"#!/bin/bash\n{SUBMIT}\n")
        (folder / "submit.sh").chmod(0o755)
        command = [sys.executable, "-m", "snakemake", *EXECUTORS[executor]]
        command += ["--cores", "1", "--keep-going"] if executor.endswith("_alone") else ["--cores", str(CORES)]
        began = time.monotonic()
        code, output = _finish(command, folder, os.environ | {"HOME": str(home)})
        wall = time.monotonic() - began
        return {"code": code, "files": _digests(folder, scratch), "wall_s": round(wall, 1), "output": output[-6000:]}


def _finish(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int | str, str]:
    log = folder.parent / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            code: int | str = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            code = "limit"
        _end(process.pid, folder)
        process.wait()
    return code, log.read_text(errors="replace")


def _end(pid: int, folder: Path) -> None:
    """End what a run has left behind: processes of its tree, and those that work in its folder."""
    for process in psutil.process_iter(["pid", "cwd"]):
        cwd = process.info["cwd"] or ""
        if process.pid == pid or cwd.startswith(str(folder)):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _digests(folder: Path, scratch: str) -> dict[str, str]:
    """A digest of each file; the name of the scratch folder in it does not count."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if OUTSIDE & set(name.parts):
            continue
        if path.is_symlink():
            digests[str(name)] = str(path.readlink()).replace(scratch, "")
        elif path.is_file():
            content = path.read_bytes().replace(scratch.encode(), b"")
            digests[str(name)] = hashlib.sha256(content).hexdigest()[:16]
    return digests


def differences(first: dict, second: dict) -> set[str]:
    """What differs between two outcomes: names of files, and `exit status`."""
    names = first["files"].keys() | second["files"].keys()
    differing = {name for name in names if first["files"].get(name) != second["files"].get(name)}
    return differing | ({"exit status"} if first["code"] != second["code"] else set())


class Comparison:
    """Outcomes of the workflows, which may be kept in a folder.

    Args:
        folder: folder of Snakemake's tests.
        kept: folder of the outcomes; None keeps none.
        again: whether kept outcomes of Dask are made again.
    """

    def __init__(self, folder: Path, kept: Path | None, *, again: bool = False) -> None:
        self.folder = folder
        self.kept = kept
        self.again = again

    def outcome(self, name: str, executor: str) -> dict:
        """The outcome of a workflow by an executor."""
        path = None if self.kept is None else self.kept / executor / f"{name}.json"
        if path is not None and path.is_file() and not (self.again and "dask" in executor):
            return json.loads(path.read_text())
        made = outcome(self.folder / name, executor)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(made, indent=1))
        return made

    def compare(self, name: str) -> tuple[str, str]:
        """Compare Dask with the local executor.

        Returns:
            The kind (`equal`, or as in the docstring of this module), and what differs.
        """
        local, dask = self.outcome(name, "local"), self.outcome(name, "dask")
        differing = differences(local, dask)
        return self._explain(name, local, dask, differing) if differing else ("equal", "")

    def _explain(self, name: str, local: dict, dask: dict, differing: set[str]) -> tuple[str, str]:
        text = ", ".join(sorted(differing)[:4]) + (" ..." if len(differing) > 4 else "")
        if REFUSED in dask["output"]:
            return "resources", dask["output"].partition(REFUSED)[2].partition(". ")[0].partition("\n")[0]
        if "limit" in (local["code"], dask["code"]):
            return "limit", f"{local['wall_s']} s locally, {dask['wall_s']} s here"
        unstable = differences(local, self.outcome(name, "again"))
        if differing <= unstable:
            return "unstable", text
        if find_spec("snakemake_executor_plugin_cluster_generic"):
            generic = self.outcome(name, "generic")
            if generic["code"] == dask["code"] and differing <= unstable | differences(local, generic):
                return "remote", text
        if not differences(self.outcome(name, "local_alone"), self.outcome(name, "dask_alone")):
            return "order", text
        return "ours", f"{text} (exit status {local['code']} locally, {dask['code']} here)"


def main() -> None:
    """Compare the workflows that the command line names, or all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--kept", type=Path, metavar="FOLDER")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    folder = checkout()
    if folder is None:
        print(f"skipped: {VARIABLE} does not name a checkout of Snakemake")
        return
    comparison = Comparison(folder, options.kept, again=options.again)
    counts: dict[str, int] = {}
    for name in options.names or workflows(folder):
        kind, text = comparison.compare(name)
        counts[kind] = counts.get(kind, 0) + 1
        print(f"{kind:9} {name:50} {text}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
