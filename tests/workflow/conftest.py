"""The tiny study, run once, and what tests take from it."""

import os
import shutil

import pytest
from filelock import FileLock
from runs import CONFIG, Run

from fairweight.core.components import WORKFLOW as ROOT


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The tiny study, run once for all tests (also when they run in several processes)."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "finished"
    run = Run(folder)
    with FileLock(f"{folder}.lock"):
        if not (shared / "finished.done").exists():
            folder.mkdir()
            shutil.copy(CONFIG / "tiny.yaml", folder / "study.yaml")
            (folder / "output.txt").write_text(run.snakemake("study.yaml"))
            (shared / "finished.done").touch()
    return run


@pytest.fixture(scope="session")
def in_folder():
    """What makes a run of a folder in which nothing has run."""
    return Run


@pytest.fixture
def scratch(finished, tmp_path):
    """A copy of the finished study that a test may change."""
    return finished.copy(tmp_path / "run")


@pytest.fixture
def checkout(tmp_path):
    """A copy of the workflow that a test may edit."""
    folder = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv*", "results", ".snakemake", "__pycache__", ".*_cache", "*.egg-info")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder
