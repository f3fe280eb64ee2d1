"""Hourly intensities, Electricity Maps and a carbon budget, through the real Snakefile."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from runs import LOCAL

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.energy.electricity_maps import KEY

sys.path.insert(0, str(ROOT / "tests" / "unit"))
from fake_maps import SECRET, Handler, Server

pytestmark = pytest.mark.workflow
SUMMARY = "results/tiny/summary"
MAIN = [sys.executable, "-c", "from fairweight.cli.main import main; main()"]


def hours(folder):
    """Every hour of yesterday to tomorrow, in the file `hours.csv`; two alternate."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=24)
    lines = [f"{(start + timedelta(hours=h)).isoformat()},{100 + 100 * (h % 2)}" for h in range(49)]
    (folder / "hours.csv").write_text("\n".join(["hour,g_per_kwh", *lines]) + "\n")


def test_steps_emit_by_the_hour_and_other_hours_are_imagined(scratch):
    hours(scratch.folder)
    study = scratch.study(energy={"hourly": "hours.csv", "carbon_budget_g": 5})
    scratch.snakemake(study, *LOCAL, "--", f"{SUMMARY}/what_if.parquet")
    costs = pd.read_parquet(scratch.folder / SUMMARY / "steps.parquet")
    met = costs["emissions_g"] / costs["energy_j_central"] * 3.6e6
    assert met.between(100 - 1e-3, 200 + 1e-3).all()
    what_if = pd.read_parquet(scratch.folder / SUMMARY / "what_if.parquet")
    assert set(what_if["kind"]) == {"here", "country", "region", "hour"} and what_if["source"].notna().all()
    assert (
        what_if["carbon_low_g"].lt(what_if["carbon_g"]).all() and what_if["carbon_g"].lt(what_if["carbon_high_g"]).all()
    )
    # a budget changes no result; a wall meter is read where the table by rule is made, from which places follow
    study = scratch.study(energy={"hourly": "hours.csv", "carbon_budget_g": 7})
    assert scratch.jobs(study, "--", f"{SUMMARY}/what_if.parquet") == {}
    study = scratch.study(energy={"hourly": "hours.csv", "carbon_budget_g": 7, "meter_csv": "wall.csv"})
    assert set(scratch.jobs(study, "--", f"{SUMMARY}/what_if.parquet")) == {"life_cycle", "what_if"}


def fairweight(folder, *arguments, **environment):
    done = subprocess.run(
        [*MAIN, "run", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_budget_stops_before_the_next_step_and_a_larger_one_goes_on(scratch):
    made = scratch.folder / SUMMARY / "provenance.json"
    made.unlink()
    before = {path for path in (scratch.folder / "results").rglob("*") if "ledger" not in path.parts}
    arguments = ["study.yaml", "--carbon-budget"]
    code, said = fairweight(scratch.folder, *arguments, "0.001", "--", f"{SUMMARY}/provenance.json")
    assert code != 0 and not made.exists()
    assert "carbon budget of 0.001 gCO2e" in said and "provenance is expected to add" in said and "an estimate" in said
    assert before <= set((scratch.folder / "results").rglob("*"))  # what was done is kept
    code, said = fairweight(scratch.folder, *arguments, "5", "--", f"{SUMMARY}/provenance.json")
    assert code == 0 and made.exists(), said
    code, said = fairweight(scratch.folder, *arguments, "5", "--", "--executor", "local")
    assert code == 1 and "only the executor dask keeps a carbon budget, not local" in said


def test_electricity_maps_is_asked_and_the_key_stands_in_no_file(scratch):
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        study = scratch.study(energy={"electricity_maps": {"zone": "DE", "url": server.url}})
        code, said = fairweight(scratch.folder, str(study), "--", f"{SUMMARY}/what_if.parquet", **{KEY: SECRET})
        server.shutdown()
    assert code == 0 and "3 hours of zone DE were fetched" in said, said
    assert len(server.seen) == 2  # at the start, and when all steps are done
    what_if = pd.read_parquet(scratch.folder / SUMMARY / "what_if.parquet")
    assert what_if["source"].iloc[0].startswith("Electricity Maps")
    files = [path for path in scratch.folder.rglob("*") if path.is_file()]
    assert len(files) > 100 and not [path for path in files if SECRET.encode() in path.read_bytes()]
    code, said = fairweight(scratch.folder, str(study), "--", f"{SUMMARY}/what_if.parquet", **{KEY: ""})
    assert f"the environment variable {KEY} is not set" in said and "fetched earlier are used" in said
