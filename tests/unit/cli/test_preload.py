"""A run preloads the modules of its steps, and torch only if one of them uses it."""

import os
import subprocess
import sys

import pytest
import yaml

from fairweight.cli.preload import preload_options, uses_torch
from fairweight.cli.step_modules import step_modules
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.study.schema import resolve
from snakemake_executor_plugin_dask.cluster import _modules

STUDY = """
name: own
seeds: 1
datasets:
  rows:
    reader: {method: delimited}
    files: {all: {sources: ["file:rows.csv"]}}
    inputs: {numeric: [x]}
    target: {column: y}
    split: {test: 0.8, validation: 0.5}
models:
  own: {architecture: onnx, file: own.onnx}
training:
  further: {epochs: 1, learning_rate: 0.001}
variants:
  original: {import_onnx: {training: further}}
  int8: {from: original, quantize: {method: auto}}
  zeros: {from: original, prune_onnx: {method: magnitude, sparsity: 0.5}}
grid:
  - {dataset: rows, models: [own], variants: [original, int8, zeros]}
"""


def study(**variants):
    config = yaml.safe_load(STUDY)
    config["variants"] |= variants
    config["grid"][0]["variants"] += list(variants)
    return resolve(config)


def test_files_of_the_users_own_need_no_torch():
    option, modules = preload_options(study(), ROOT, ["--dry-run"])
    names = modules.split(",")
    assert option == "--dask-preload" and {"onnxruntime", "pandas", "sklearn.metrics"} <= set(names)
    assert not [name for name in names if name.split(".")[0] == "torch"]


def test_the_executor_takes_the_list():
    """It is longer than the name of a file can be."""
    _, modules = preload_options(study(), ROOT, [])
    assert len(modules) > 255 and _modules(modules) == modules.split(",")


def test_what_is_trained_needs_torch():
    student = {"architecture": "mlp", "hidden": [4]}
    recipe = {"method": "soft_labels", "student": student, "finetune": {"epochs": 1, "learning_rate": 0.001}}
    config = study(student={"from": "original", "distill": recipe})
    assert uses_torch(config) and preload_options(config, ROOT, []) == []


def test_the_default_study_needs_torch():
    assert uses_torch(resolve(yaml.safe_load((ROOT / "config" / "config.yaml").read_text())))


def test_engines_of_torch_need_torch():
    config = study()
    assert not uses_torch(config)
    for engine in ("torch_eager", "torch_compile"):
        assert uses_torch(config | {"engines": ["onnxruntime", engine]})


@pytest.mark.parametrize("further", [["--dask-preload", "x"], ["--dask-preload=x"], ["--executor", "local"]])
def test_the_command_line_goes_first(further):
    assert preload_options(study(), ROOT, further) == []


IMPORTED = """import sys
for module in sys.argv[1:]:
    __import__(module)
import fairweight.cli.step_modules
print(*(name for name in sys.modules if name.startswith("fairweight.") or name == "torch"))"""


def imported(*before, checkout):
    environment = os.environ | {"FAIRWEIGHT_CHECKOUT": str(checkout)}
    command = [sys.executable, "-c", IMPORTED, *before]
    return set(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split())


def test_the_modules_of_steps_are_imported_last():
    lines = (ROOT / "profiles" / "default" / "preload.txt").read_text().splitlines()
    assert lines[-1] == "fairweight.cli.step_modules" and "torch" in lines
    _, modules = preload_options(study(), ROOT, [])
    assert modules.split(",")[-1] == "fairweight.cli.step_modules"


def test_every_module_that_a_script_imports_is_imported():
    some = {"fairweight.training.train", "fairweight.evaluation.assess", "fairweight.reporting.report.render"}
    assert some <= set(step_modules(torch=True)) <= imported("torch", checkout=ROOT)


def test_nothing_imports_torch_where_it_is_not_preloaded():
    modules = step_modules(torch=False)
    assert "fairweight.reporting.report.page" in modules and "fairweight.training.train" not in modules
    after = imported(checkout=ROOT)
    assert set(modules) <= after and "torch" not in after


def test_scikit_learn_has_looked_for_plugins():
    looked = (
        IMPORTED + "\nfrom narwhals.plugins import _discover_entrypoints as each\nprint(each.cache_info().currsize)"
    )
    environment = os.environ | {"FAIRWEIGHT_CHECKOUT": str(ROOT)}
    command = [sys.executable, "-c", looked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1"


def test_a_process_of_another_checkout_imports_nothing(tmp_path):
    assert "fairweight.training.train" not in imported("torch", checkout=tmp_path)
