"""An installed package runs studies without a checkout."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
from installed import DISTRIBUTIONS, build, environment
from runs import write_scores

from fairweight.core.components import WORKFLOW as ROOT

VERSIONS = """
import json
from fairweight.core import components
from fairweight.core.code_version import code_version
scripts = sorted(components.WORKFLOW.glob("scripts/*/*.py"))
versions = {"/".join(path.parts[-2:]): code_version(path) for path in scripts}
for folder in components.FOLDERS:
    for name in components.names(folder):
        versions[f"{folder}: {name}"] = code_version(components=[(folder, name)])
print(json.dumps({"folder": str(components.PACKAGE), "versions": versions}))
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return environment(tmp_path_factory.mktemp("installed"), *DISTRIBUTIONS)


def ask(python, folder):
    """Where the package is, and the versions of its code; -P: the current folder is not searched."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-P", "-c", VERSIONS], cwd=folder, env=clean, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_steps_of_an_installed_package_have_the_versions_of_a_checkout(commands, tmp_path):
    installed, checkout = ask(commands / "python", tmp_path), ask(sys.executable, tmp_path)
    assert installed["folder"].startswith(str(commands.parent)) and installed["folder"] != checkout["folder"]
    assert installed["versions"] == checkout["versions"] and len(checkout["versions"]) > 80


def test_an_sdist_makes_the_wheel_of_the_checkout(commands, tmp_path):
    folder = commands.parents[1] / "wheels"
    for distribution in DISTRIBUTIONS:
        of_checkout = build("wheel", distribution, tmp_path)
        with zipfile.ZipFile(of_checkout) as theirs, zipfile.ZipFile(folder / of_checkout.name) as ours:
            contents = [{f.filename: f.CRC for f in wheel.infolist()} for wheel in (theirs, ours)]
        assert contents[0] == contents[1], set(contents[0].items()) ^ set(contents[1].items())


def test_every_lock_is_in_the_package(commands):
    names = {path.name for path in ROOT.glob("requirements*.lock")}
    installed = next((commands.parent / "lib").glob("python*/site-packages/fairweight/workflow"))
    assert {path.name for path in installed.glob("requirements*.lock")} == names


def test_an_installed_package_runs_a_study_and_archives_it(commands, tmp_path):
    write_scores(tmp_path)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [commands / "fairweight", "run", "study.yaml", "--", "--cores", "2", "--executor", "local", "all"]
    done = subprocess.run(
        [str(word) for word in [*command, "archive"]],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    provenance = json.loads((tmp_path / "results/scores/summary/provenance.json").read_text())
    assert provenance["commit"] is None
    with zipfile.ZipFile(tmp_path / "results/scores/archive/scores.crate.zip") as archive:
        names = archive.namelist()
    assert {"workflow/Snakefile", "workflow/fairweight/cli/main.py", "workflow/config/study.schema.yaml"} <= set(names)
    assert {"workflow/snakemake_executor_plugin_dask/executor.py", "workflow/requirements.lock"} <= set(names)
    assert not [name for name in names if name.startswith("workflow/fairweight/workflow/")]
