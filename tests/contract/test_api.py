"""The public names for users' own components: documented, loaded one by one, and all that shipped examples need."""

import ast
import re
import subprocess
import sys

import pytest

from fairweight import api
from fairweight.core.code_version import code_version, imported_files
from fairweight.core.components import WORKFLOW as ROOT

# a name leaves this list, or changes its meaning, with a deprecation and a line in CHANGELOG.md
PROMISED = {
    *("Assessed", "Augmented", "Coded", "Columns", "InputError", "Network", "Table", "block_rows", "check_rows"),
    *("copies", "everything_stays", "gemm_to_matmul", "keep_largest", "keep_largest_of_each", "layer_sparsities"),
    *("metric_row", "quantize_file", "subsets", "weighted_nodes", "wilson"),
}


def test_no_promised_name_is_gone():
    assert set(dir(api)) == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_public_name_is_documented_and_typed_where_it_is_defined(name):
    value = getattr(api, name)
    assert value.__doc__
    typed = ast.unparse(ast.parse((ROOT / "fairweight/api.py").read_text()))
    assert f"from fairweight.{api.PUBLIC[name]} import {name} as {name}" in typed


def test_other_names_are_refused_with_what_there_is():
    with pytest.raises(AttributeError, match=r"'prune'.*keep_largest"):
        api.prune  # noqa: B018


def test_importing_it_loads_nothing():
    code = "import sys, fairweight.api; print({'torch', 'onnx', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_a_users_step_depends_on_the_modules_behind_the_names_it_imports(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("from fairweight.api import keep_largest\n")
    files = {str(p.relative_to(ROOT)) for p in imported_files(mine) if p.is_relative_to(ROOT)}
    assert "fairweight/compression/masks.py" in files and "fairweight/api.py" not in files
    assert not any("static_int8" in file or "metric_rows" in file for file in files)
    for name, line in {
        "module": "import fairweight.api",
        "alias": "from fairweight import api as fw",
        "star": "from fairweight.api import *",
    }.items():
        every = tmp_path / f"{name}.py"
        every.write_text(f"{line}\n")
        assert files < {str(p.relative_to(ROOT)) for p in imported_files(every) if p.is_relative_to(ROOT)}
        assert code_version(mine) != code_version(every)


def test_a_star_imports_the_public_names():
    names: dict[str, object] = {}
    exec("from fairweight.api import *", names)
    assert set(api.PUBLIC) <= set(names)


@pytest.mark.parametrize(
    "file",
    [
        "docs/tutorial.md",
        "README.md",
        "CONTRIBUTING.md",
        "tests/contract/cheats.py",
        "tests/workflow/test_own_components.py",
    ],
)
def test_examples_for_users_import_the_public_names_only(file):
    text = (ROOT / file).read_text()
    modules = set(re.findall(r"^\s*(?:from|import) (fairweight[\w.]*)", text, flags=re.M))
    assert modules <= {"fairweight.api"}
