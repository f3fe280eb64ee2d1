"""Other Snakefiles import or include the workflow, as `module:`, snakedeploy and the workflow catalog do."""

import subprocess
import sys

import pytest
from runs import LOCAL, Run, write_scores

from fairweight.core.components import WORKFLOW as ROOT

pytestmark = pytest.mark.workflow
IMPORTING = f"""
configfile: "study.yaml"


module fairweight:
    snakefile:
        "{ROOT / "Snakefile"}"
    config:
        config


use rule * from fairweight as fairweight_*


rule publish:
    default_target: True
    input:
        "results/scores/report/report.html",
    output:
        "published.html",
    shell:
        "cp {{input}} {{output}}"
"""


def test_another_workflow_imports_the_rules_and_goes_on_from_the_report(tmp_path):
    write_scores(tmp_path)
    (tmp_path / "Snakefile").write_text(IMPORTING)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *LOCAL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Loans" in (tmp_path / "published.html").read_text(encoding="utf-8")


def test_the_folder_workflow_makes_the_same_files(tmp_path):
    write_scores(tmp_path)
    jobs, checkout = Run(tmp_path, ROOT / "workflow").jobs("study.yaml"), Run(tmp_path).jobs("study.yaml")
    assert jobs.pop("study") == 1 and jobs == checkout
