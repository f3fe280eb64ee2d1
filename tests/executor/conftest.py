import os
import signal

import pytest
from harness import Workflow


@pytest.fixture(autouse=True)
def environment():
    """Restore the environment: variables that a Dask nanny sets here must not reach the Snakemake of a later test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def workflow(tmp_path):
    """Copy a workflow; processes that its jobs have registered are killed at the end of the test."""
    made = []

    def make(name, folder="run"):
        made.append(Workflow(name, tmp_path / folder))
        return made[-1]

    yield make
    for each in made:
        for pid in each.pids():
            os.kill(pid, signal.SIGKILL)
