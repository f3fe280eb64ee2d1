"""Studies through the real Snakefile, with real data, in folders of their own."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from fairweight.core.components import WORKFLOW as ROOT

# for a few light steps, whatever runs them: a cluster with its warm process takes fifteen CPU-seconds to start
LOCAL = ("--executor", "local")
CONFIG = ROOT / "tests" / "config"

# the smallest study: nothing is trained
SCORES = """
name: scores
datasets:
  loans:
    title: Loans
    reader: {method: delimited}
    files: {table: {sources: ["file:loans.csv"]}}
    target: {column: repaid, positive: "yes"}
    groups: {sex: {column: sex}}
    split: {test: all}
variants:
  score: {given: {column: score, above: 0.5}}
grid:
  - {dataset: loans, variants: [score]}
"""


def write_scores(folder: Path) -> None:
    """Write `study.yaml`, a study of given scores, and its table."""
    rows = random.Random(0)
    lines = [f"{rows.random():.3f},{rows.choice(['yes', 'no'])},{rows.choice(['f', 'm'])}" for _ in range(400)]
    (folder / "loans.csv").write_text("\n".join(["score,repaid,sex", *lines]) + "\n")
    (folder / "study.yaml").write_text(SCORES)


class Run:
    """A folder in which studies run, with the workflow of a checkout."""

    def __init__(self, folder: Path, checkout: Path = ROOT) -> None:
        self.folder, self.checkout = folder, checkout

    def command(self, study, *arguments):
        # the study file first: that option takes every word that follows, a target too
        command = [sys.executable, "-m", "snakemake", "--configfile", str(study), "--cores", "2"]
        return [*command, "--snakefile", str(self.checkout / "Snakefile"), *arguments]

    def snakemake(self, study, *arguments, ok=True):
        done = subprocess.run(
            self.command(study, *arguments), cwd=self.folder, capture_output=True, text=True, check=False, timeout=500
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, output[-5000:]
        return output

    def jobs(self, study, *arguments):
        """How often each rule would run."""
        output = self.snakemake(study, "--dry-run", *arguments)
        if "Nothing to be done" in output:
            return {}
        lines = output[output.rindex("Job stats") :].splitlines()[3:]
        rows = [line.split() for line in lines[: next(i for i, line in enumerate(lines) if line.startswith("total"))]]
        return {name: int(count) for name, count in rows if name != "all"}

    def copy(self, folder):
        """The same state in another folder, time stamps kept."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, symlinks=True)
        return Run(folder, self.checkout)

    def study(self, file="study.yaml", base="tiny.yaml", **changes):
        """A study file in this folder, changed at paths such as `datasets__adult__drop`."""
        study = yaml.safe_load((CONFIG / base).read_text())
        for path, value in changes.items():
            *parents, last = path.split("__")
            node = study
            for key in parents:
                node = node[key]
            node[last] = value
        path = self.folder / file
        path.write_text(yaml.safe_dump(study, sort_keys=False))
        return path
