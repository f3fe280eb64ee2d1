"""The target `all` asks for every missing file that a step of the study writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from studies import tiny

from fairweight.core.components import WORKFLOW as ROOT

SCRIPT = Path(__file__).with_name("written_files.py")
OPERATIONS = {
    "dense": {"train": "standard"},
    "pruned": {"from": "dense", "prune": {"method": "global_magnitude", "sparsity": 0.5, "finetune": {"epochs": 1}}},
    "encoded": {"from": "pruned", "encode": {"method": "zstd"}},
    "int8": {"from": "pruned", "quantize": "dynamic"},
    "adjusted": {"from": "dense", "adjust": {"method": "threshold_optimizer", "attribute": "sex"}},
    "given": {"given": {"column": "age", "above": 50}},
}


def hourly(folder):
    (folder / "hours.csv").write_text("hour,g_per_kwh\n2026-01-01T00:00Z,100\n2026-01-01T01:00Z,100\n")
    return tiny(energy={"hourly": "hours.csv"})


def every_operation(_):
    return tiny(seeds=2, variants=OPERATIONS, grid=[{"dataset": "adult", "models": ["mlp"], "variants": [*OPERATIONS]}])


def engine_left_out(_):
    study = every_operation(_)
    return study | {"engines": ["onnxruntime", "torch_eager"]}


def unused_parts(_):
    """A dataset, a model and a variant that the grid does not use."""
    study = every_operation(_)
    study["datasets"]["other"] = study["datasets"]["adult"]
    study["models"]["other"] = study["models"]["mlp"]
    return study | {"grid": [{"dataset": "adult", "models": ["mlp"], "variants": ["int8"], "seeds": 1}]}


def shipped(name):
    return lambda _: yaml.safe_load((ROOT / name).read_text())


STUDIES = {
    "every operation": every_operation,
    "an engine left out": engine_left_out,
    "unused parts": unused_parts,
    "hourly intensities": hourly,
    "given scores alone": shipped("tests/config/compas.yaml"),
    "a language model": shipped("config/llm.yaml"),
    "texts": shipped("config/text.yaml"),
}


NEEDS = {"a language model": "accelerate", "texts": "nlpaug"}  # packages of extras


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_that_a_step_writes_is_missing_when_a_study_is_done(tmp_path, name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="make setup-llm setup-text")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDIES[name](tmp_path)))
    command = [sys.executable, str(SCRIPT), str(tmp_path / "study.yaml"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files = json.loads(done.stdout.splitlines()[-1])
    assert sorted(files["all"]) == sorted(files["written"])
    # a file that is there needs no asking, nor does one that `summarize`, which has to run, needs
    assert {Path(file).parts[2] for file in files["nothing made"]} == {"summary", "report"}
    assert files["all made"] == []
    assert files["lost"] and sorted(files["some lost"]) == sorted(files["lost"])
    assert files["rules"] and not {"gate", "paper", "cards", "article", "archive"} & set(files["rules"])
