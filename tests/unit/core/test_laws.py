"""The laws of docs/design.md about imports, over the syntax trees."""

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest

from fairweight.core.code_version import imported_files
from fairweight.core.components import FOLDERS, PACKAGE, names, options, path_of
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.operations import OPERATIONS
from fairweight.core.step_function import step_function
from fairweight.study.schema import read_schema

LIBRARY = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*/*.py"))
COMPONENTS = [path_of(folder) / f"{name}.py" for folder in FOLDERS for name in names(folder)]
RULES = {
    path.stem: re.findall(r"^(?:use rule \w+ as|rule) (\w+)", path.read_text(), flags=re.M)
    for path in ROOT.glob("rules/*.smk")
}
STEPS = {f"fairweight.{wing}.{rule}" for wing, rules in RULES.items() for rule in rules}
STEPS |= {"fairweight.training.training_loop", "fairweight.training.training_data"}
# what Snakemake itself has loaded, or depends on, when it parses
PARSING_MAY_IMPORT = {"yaml", "jsonschema", "fairweight"}


def imports(path: Path, *, late: bool = True) -> set[str]:
    """Modules that a file imports, those inside functions included unless `late` is False."""
    names_imported: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            names_imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names_imported |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names_imported


def test_every_folder_of_components_is_registered_and_filled():
    others = {"reporting"}  # its folders hold modules that import one another
    folders = {
        p.parent
        for p in LIBRARY
        if len(p.relative_to(PACKAGE).parts) > 2 and p.relative_to(PACKAGE).parts[0] not in others
    }
    assert folders == {path_of(folder) for folder in FOLDERS}
    assert all(names(folder) for folder in FOLDERS)


def test_package_files_hold_a_docstring_and_nothing_else():
    for path in PACKAGE.rglob("__init__.py"):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        assert len(tree.body) == 1 or path.parent == PACKAGE, path


def test_the_package_itself_only_keeps_other_packages_from_reporting():
    kinds = {type(node) for node in ast.parse((PACKAGE / "__init__.py").read_text()).body}
    assert kinds <= {ast.Expr, ast.Import, ast.Assign} and imports(PACKAGE / "__init__.py") == {"os", "sys"}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_library_imports_neither_snakemake_nor_scripts(path):
    assert not {m for m in imports(path) if m.split(".")[0] in ("snakemake", "scripts")}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_short_and_import_the_library_only(path):
    assert len(path.read_text().splitlines()) <= 25
    roots = {m.split(".")[0] for m in imports(path)}
    assert roots <= {"fairweight", "pathlib"}


def test_rules_scripts_and_modules_have_the_same_names():
    """Rule `split` of `rules/data.smk` runs `scripts/data/split.py`, which calls `fairweight.data.split`."""
    shared = {name: "compress" for name, record in OPERATIONS.items() if record.module}
    used = set()
    for wing, rules in RULES.items():
        text = (ROOT / "rules" / f"{wing}.smk").read_text()
        for rule in rules:
            script = ROOT / "scripts" / wing / f"{shared.get(rule, rule)}.py"
            assert f'"../scripts/{wing}/{script.name}"' in text, rule
            used.add(script)
            calls = {m for m in imports(script) if m.startswith("fairweight.") and not m.startswith("fairweight.core.")}
            module = f"{wing}.{rule}"
            if rule in shared:
                assert OPERATIONS[rule].module == module and (PACKAGE / wing / f"{rule}.py").is_file()
            else:
                steps = {m for m in calls if m.startswith(f"fairweight.{wing}.") and rule in m.split(".")}
                assert steps, (rule, calls)
    assert used == set(SCRIPTS)


def test_operations_on_float_weights_take_the_same_arguments():
    scripted = {"recipe", "finetune", "seed", "variant"}
    on_weights = [name for name, record in OPERATIONS.items() if record.module]
    taken = {
        name: set(inspect.signature(step_function(OPERATIONS[name].module, name)).parameters) - scripted
        for name in on_weights
    }
    files = {"parent", "parent_about", "table", "split", "augmented", "model", "about", "curve"}
    assert taken.pop("encode") == files | {"coded", "report"}
    assert all(arguments == files for arguments in taken.values())


def test_operations_are_those_that_the_schema_and_the_rules_know():
    variant = read_schema()["$defs"]["variant"]["properties"]
    rules = "".join(p.read_text() for p in (ROOT / "rules").glob("*.smk"))
    for name, record in OPERATIONS.items():
        assert name in variant
        assert re.search(rf"(rule|as) {'predict_given' if name == 'given' else name}\b", rules)
        assert set(record.parents) <= set(OPERATIONS)
        assert not record.sweeps or all(
            any(option in options(record.folder, method) for method in names(record.folder)) for option in record.sweeps
        )


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_components_import_no_sibling_no_other_component_and_no_step(path):
    forbidden = {f"fairweight.{f.wing}.{folder}" for folder, f in FOLDERS.items()} | STEPS
    assert not {m for m in imports(path) if any(m == f or m.startswith(f"{f}.") for f in forbidden)}


@pytest.mark.parametrize("name", names("metrics"))
def test_metrics_know_no_files_no_torch_no_config(name):
    path = path_of("metrics") / f"{name}.py"
    roots = {m.split(".")[0] for m in imports(path)}
    assert roots <= {
        "collections",
        "dataclasses",
        "functools",
        "itertools",
        "typing",
        "numpy",
        "sklearn",
        "fairlearn",
        "fairweight",
    }
    library = {m for m in imports(path) if m.startswith("fairweight")}
    known = ("fairweight.evaluation.metric_rows", "fairweight.statistics", "fairweight.core.text_sets")
    assert all(m.startswith(known) for m in library)


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
    names_ = re.findall(r"^from (fairweight[\w.]+) import", (ROOT / "rules/common.smk").read_text(), flags=re.M)
    pending = [
        path.with_suffix(".py")
        for path in (ROOT / Path(*name.split(".")) for name in names_)
        if path.with_suffix(".py").is_file()
    ]
    pending += [PACKAGE / "core/components.py", PACKAGE / "data/counterfactual_terms.py"]
    seen: set[Path] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        outside = (
            {m.split(".")[0] for m in imports(path, late=False)} - set(sys.stdlib_module_names) - PARSING_MAY_IMPORT
        )
        assert not outside, path
        pending += imported_files(path)


def test_only_artifacts_knows_file_formats_only_resource_usage_reads_meters_and_only_partitions_knows_dask():
    for path in LIBRARY:
        modules = imports(path)
        roots = {m.split(".")[0] for m in modules}
        if path.name != "artifacts.py" and path.parent.name != "readers":
            assert not roots & {"safetensors"} and "pyarrow.parquet" not in modules, path
        if path.name != "resource_usage.py":
            assert "resource" not in roots, path
        if path.name != "partitions.py":
            assert not roots & {"dask", "distributed"}, path


def test_nothing_loads_a_pickle():
    for path in [*LIBRARY, *SCRIPTS]:
        text = path.read_text()
        assert not {m for m in imports(path) if m.split(".")[0] in ("pickle", "joblib", "dill", "cloudpickle")}
        called = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
        assert not called & {"torch.load", "torch.jit.load", "torch.export.load"}
        assert "allow_pickle=True" not in text and "shell=True" not in text
