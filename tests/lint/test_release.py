"""What a release states in several places agrees."""

import json
import re
import tomllib

import pytest
import yaml

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.reporting.archive import layout

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]


def test_the_version_has_a_dated_section_and_is_the_one_to_cite():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == VERSION
    sections = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[:2] == [("Unreleased", ""), (VERSION, str(cited["date-released"]))]


@pytest.mark.parametrize("plugin", ["snakemake_executor_plugin_dask", "snakemake_logger_plugin_live"])
def test_a_plugin_has_a_version_and_a_readme_of_its_own(plugin):
    project = tomllib.loads((ROOT / plugin / "pyproject.toml").read_text())["project"]
    assert project["version"] and (ROOT / plugin / project["readme"]).is_file()


def test_a_wheel_holds_every_file_that_an_archive_takes_from_beside_the_package():
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    files = {path.relative_to(ROOT).parts[0] for pattern in layout.WORKFLOW for path in ROOT.glob(pattern)}
    assert files | {folder.split("/")[0] for folder in layout.FOLDERS} <= set(included)
    assert {source: target for source, target in included.items() if target != f"fairweight/workflow/{source}"} == {}


def test_classifiers_name_the_versions_of_python_on_which_it_is_tested():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    tested = {"3.11", *jobs["unit"]["strategy"]["matrix"]["python"]}
    classified = {c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", c)}
    assert classified == tested


def test_the_development_container_is_json():
    assert json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
