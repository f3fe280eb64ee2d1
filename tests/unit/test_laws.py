"""The laws of docs/design.md about imports, over the syntax trees."""

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest

from fairweight.core.code_version import ROOT, imported_files
from fairweight.core.components import FOLDERS, PACKAGE, names
from fairweight.core.operations import MODULES, operation

LIBRARY = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
COMPONENTS = [PACKAGE / folder / f"{name}.py" for folder in FOLDERS for name in names(folder)]
# what Snakemake itself has loaded, or depends on, when it parses
PARSING_MAY_IMPORT = {"yaml", "jsonschema", "fairweight"}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_folder_of_components_is_registered_and_filled():
    folders = {path.parent.name for path in LIBRARY if path.parent != PACKAGE} - {
        "causal",
        "crate",
        "hub",
        "paper",
        "report",
        "statistics",
    }
    assert folders == set(FOLDERS)
    assert all(names(folder) for folder in FOLDERS)


def test_package_files_are_empty():
    assert [p for p in PACKAGE.rglob("__init__.py") if p.read_text()] == []


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_library_imports_neither_snakemake_nor_scripts(path):
    assert not {m for m in imports(path) if m.split(".")[0] in ("snakemake", "scripts")}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_short_and_import_the_library_only(path):
    assert len(path.read_text().splitlines()) <= 25
    roots = {m.split(".")[0] for m in imports(path)}
    assert roots <= {"fairweight", "pathlib"}


def test_every_script_has_its_rule_or_is_shared_by_rules_that_use_one_another():
    rules = "".join(p.read_text() for p in (ROOT / "rules").glob("*.smk"))
    assert set(re.findall(r'"\.\./scripts/(\w+\.py)"', rules)) == {path.name for path in SCRIPTS}
    for path in SCRIPTS:
        if path.stem == "compress":
            first, *others = MODULES
            assert f"rule {first}:" in rules and all(f"use rule {first} as {other} with:" in rules for other in others)
        else:
            assert f"rule {path.stem}:" in rules


def test_operations_on_float_weights_take_the_same_arguments():
    scripted = {"recipe", "finetune", "seed", "variant"}
    taken = {name: set(inspect.signature(operation(name)).parameters) - scripted for name in MODULES}
    files = {"parent", "parent_about", "table", "split", "augmented", "model", "about", "curve"}
    assert taken.pop("encode") == files | {"coded", "report"}
    assert all(found == files for found in taken.values())


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_components_import_no_sibling_no_other_component_and_no_training(path):
    forbidden = {f"fairweight.{folder}" for folder in FOLDERS} | {"fairweight.training.train"}
    assert not {m for m in imports(path) if any(m == f or m.startswith(f"{f}.") for f in forbidden)}


@pytest.mark.parametrize("name", names("metrics"))
def test_metrics_know_no_files_no_torch_no_config(name):
    path = PACKAGE / "metrics" / f"{name}.py"
    roots = {m.split(".")[0] for m in imports(path)}
    assert roots <= {"collections", "dataclasses", "itertools", "typing", "numpy", "sklearn", "fairlearn", "fairweight"}
    library = {m for m in imports(path) if m.startswith("fairweight")}
    assert all(m.startswith(("fairweight.evaluation.metric_rows", "fairweight.statistics.")) for m in library)


@pytest.mark.parametrize("path", sorted((PACKAGE / "statistics").glob("*.py")), ids=lambda p: p.stem)
def test_statistics_know_no_files_no_torch_no_config(path):
    roots = {m.split(".")[0] for m in imports(path)}
    allowed = {
        "collections",
        "dataclasses",
        "functools",
        "itertools",
        "re",
        "typing",
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
    }
    assert roots <= allowed | {"fairweight"}
    assert all(m.startswith("fairweight.statistics") for m in imports(path) if m.startswith("fairweight"))


def test_parsing_a_study_loads_the_standard_library_only():
    pending = [
        PACKAGE / f"{name}.py"
        for name in ("study", "schema", "components", "compressing", "code_version", "errors", "energy")
    ]
    seen: set[Path] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        outside = {m.split(".")[0] for m in imports(path)} - set(sys.stdlib_module_names) - PARSING_MAY_IMPORT
        assert not outside, path
        pending += imported_files(path)


def test_only_artifacts_knows_file_formats_only_cost_reads_meters_and_only_partitions_knows_dask():
    for path in LIBRARY:
        found = imports(path)
        roots = {m.split(".")[0] for m in found}
        if path.name != "artifacts.py" and path.parent.name != "readers":
            assert not roots & {"safetensors"} and "pyarrow.parquet" not in found, path
        if path.name != "cost.py":
            assert "resource" not in roots, path
        if path.name != "partitions.py":
            assert not roots & {"dask", "distributed"}, path


def test_nothing_loads_a_pickle():
    for path in [*LIBRARY, *SCRIPTS]:
        text = path.read_text()
        assert not {m for m in imports(path) if m.split(".")[0] in ("pickle", "joblib", "dill", "cloudpickle")}
        assert "torch.load(" not in text and "allow_pickle=True" not in text and "shell=True" not in text
