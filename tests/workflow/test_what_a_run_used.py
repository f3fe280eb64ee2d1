"""The ledger of a real run agrees with the operating system, and the run is accounted for."""

import os
import subprocess
import sys

import pytest
import yaml

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.energy.ledger import read_ledger

pytestmark = pytest.mark.workflow


def test_the_sum_over_jobs_and_overhead_is_what_the_operating_system_counts(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    study = ROOT / "tests" / "config" / "tiny.yaml"
    command = [sys.executable, "-c", "from fairweight.cli.main import main; main()"]
    run = subprocess.Popen(
        [*command, "run", str(study), "--seeds", "6"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(run.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    results = tmp_path / "results" / "tiny"
    table = read_ledger(results)
    recorded, counted = table["cpu_s"].sum(), used.ru_utime + used.ru_stime
    assert recorded == pytest.approx(counted, rel=0.05), table.groupby("kind")["cpu_s"].sum().to_dict()
    steps = table[table["kind"] == "step"]
    assert set(steps["recorded_by"]) == {"executor"} and steps["read_bytes"].gt(0).all()
    assert (steps["cpu_user_s"] + steps["cpu_system_s"]).to_list() == pytest.approx(steps["cpu_s"].to_list())
    said = subprocess.run(
        [*command, "energy", str(study)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "together" in said and "Green Algorithms" in said and "after which a variant has saved" in said
    card = yaml.safe_load((results / "summary" / "carbon.yaml").read_text())
    assert card["co2_eq_emissions"]["emissions"] > 0
    assert {"ledger.parquet", "break_even.parquet"} <= {path.name for path in (results / "summary").iterdir()}
