"""The workflow as Snakemake's linter and a reader of the repository see it."""

import re
import subprocess
import sys
import tomllib

import nbformat

from fairweight.core.code_version import ROOT

# the environment of every rule is requirements.lock, installed once; Snakemake would like one stated at each rule
ACCEPTED = {"Specify a conda environment or container for each rule."}


def test_snakemake_lint_finds_nothing_but_the_environment():
    command = [sys.executable, "-m", "snakemake", "--lint", "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    titles = re.findall(r"^\s+\* (.+):$", done.stdout + done.stderr, flags=re.M)
    assert titles, "every rule lacks an environment of its own: the linter has not run"
    assert set(titles) <= ACCEPTED


def test_the_snakefile_is_a_table_of_contents():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 60
    assert len((ROOT / "rules/common.smk").read_text().splitlines()) < 200


def test_notebooks_are_committed_without_outputs():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None
        assert "parameters" in path.read_text()


def test_every_locked_version_is_exact_and_every_dependency_locked():
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    locked = {re.split(r"==", line)[0].lower().replace("_", "-") for line in lines}
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[\[><=]", name)[0].lower().replace("_", "-") for name in declared} <= locked


def test_links_and_paths_of_the_documentation_exist():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)
