"""What a run imports and executes: nothing that merely lies in its folder, and what the study file names."""

import os
import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from runs import Run

pytestmark = pytest.mark.workflow
AUGMENTATION = """
import dataclasses
from fairweight.api import Augmented

def none(training, rng):
    return Augmented.nothing(training)
"""


@pytest.fixture(scope="module")
def trap(tmp_path_factory):
    """A folder with a module for each name that Python and the installed packages have; each leaves a mark."""
    folder = tmp_path_factory.mktemp("trap")
    marks = folder / "marks"
    names = {name for name in {*sys.stdlib_module_names, *packages_distributions()} if name.isidentifier()}
    for name in names - {"__main__"}:
        # not importlib.util.find_spec: packages imported by other tests leave stand-ins without a __spec__
        if PathFinder.find_spec(name):  # the folder comes last: a module that is nowhere else may be taken from there
            (folder / f"{name}.py").write_text(f"open({str(marks)!r}, 'a').write({name!r} + ' ')\n")
    (folder / "mine.py").write_text(AUGMENTATION)
    return folder


def run(folder, *arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    command = [str(Path(sys.executable).with_name("fairweight")), "run", "study.yaml", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["-n"], ["augmented"], ["--executor", "local", "augmented"]],
)
def test_no_file_in_the_folder_of_a_run_is_imported_unasked(trap, arguments):
    """In the main process, the worker, the fork server, the forks, processes of the local executor, and the sampler."""
    Run(trap).study(seeds=1, energy={"meter_command": ["echo", "20"]}, augmentations={"balanced": "mine:none"})
    target = "results/tiny/seed-0/adult/balanced/augmented.parquet"
    output = run(trap, "--", "--forceall", *(target if word == "augmented" else word for word in arguments))
    assert not (trap / "marks").exists(), (trap / "marks").read_text()
    assert "-n" in arguments or "energy is measured" in output
