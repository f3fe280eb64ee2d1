import os
import signal

import pytest
from harness import Workflow


@pytest.fixture(autouse=True)
def environment():
    """A Dask nanny in this process sets variables that stay; no Snakemake of a later test may inherit them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def workflow(tmp_path):
    """Copies a workflow; whatever its jobs have named is gone when the test ends."""
    made = []

    def make(name, folder="run"):
        made.append(Workflow(name, tmp_path / folder))
        return made[-1]

    yield make
    for each in made:
        for pid in each.pids():
            os.kill(pid, signal.SIGKILL)
