"""Figures that the documentation states about the default study."""

import re

import pytest
from runs import Run

from fairweight.core.components import SOURCES, WORKFLOW

pytestmark = pytest.mark.workflow


def test_the_readme_states_how_many_steps_the_default_study_has(tmp_path):
    run = Run(tmp_path)
    output = run.snakemake(WORKFLOW / "config" / "config.yaml", "--dry-run", "--quiet", "rules")
    total = int(re.search(r"^total +(\d+)$", output, re.MULTILINE)[1])
    figures = re.findall(r"(\d[\d,]*) steps", (SOURCES / "README.md").read_text())
    assert figures == [f"{total:,}"]
