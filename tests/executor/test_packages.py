"""The plugins, installed without fairweight."""

import os
import subprocess

import pytest
from installed import environment

OWN_TESTS = """
import importlib.util

import snakemake.common.tests
import snakemake_executor_plugin_dask
import snakemake_logger_plugin_live


class TestSnakemakesOwn(snakemake.common.tests.TestWorkflowsLocalStorageBase):
    __test__ = True

    def get_executor(self):
        return "dask"

    def get_executor_settings(self):
        return snakemake_executor_plugin_dask.ExecutorSettings(dashboard="none")


def test_the_plugins_are_alone():
    fairweight = importlib.util.find_spec("fairweight")
    assert fairweight is None or fairweight.origin is None  # a folder without a package, as editable installs leave
    places = [module.__file__ for module in (snakemake_executor_plugin_dask, snakemake_logger_plugin_live)]
    assert all("/site-packages/" in place for place in places)
"""
WORKFLOW = """
rule all:
    input: expand("{n}.txt", n=range(3))

rule write:
    output: "{n}.txt"
    shell: "echo {wildcards.n} > {output}"
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return environment(
        tmp_path_factory.mktemp("plugins"), "snakemake_executor_plugin_dask", "snakemake_logger_plugin_live"
    )


@pytest.fixture
def clean(monkeypatch):
    """The environment without folders of the checkout."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return dict(os.environ)


def test_the_executor_passes_snakemakes_own_tests(commands, clean, tmp_path):
    (tmp_path / "test_own.py").write_text(OWN_TESTS)
    command = [commands / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_own.py"]
    done = subprocess.run(
        [str(word) for word in command], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "3 passed" in done.stdout, done.stdout[-5000:]  # two are of Snakemake


def test_a_workflow_of_others_uses_both(commands, clean, tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    command = [commands / "python", "-m", "snakemake", "--executor", "dask", "--jobs", "2", "--cores", "2"]
    command += ["--dask-dashboard", "none", "--logger", "live"]
    done = subprocess.run(
        [str(word) for word in command], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "4 of 4 steps (100%) done" in output and (tmp_path / "2.txt").read_text() == "2\n"
