"""A code version changes with the code that a step runs, and with nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fairweight.core.components import WORKFLOW as ROOT

ASK = """
import sys; sys.path.insert(0, sys.argv[1])
from fairweight.core.code_version import code_version
from fairweight.core.components import WORKFLOW as ROOT
def of(script, *files, **c): print(code_version(ROOT/'scripts'/f'{script}.py', *files, components=list(c.items())))
pruned = ROOT/'fairweight/compression/prune.py'  # as rules/common.smk names it for rule prune
of('compression/compress', pruned, pruning='global_magnitude', architectures='mlp', objectives='standard')
of('compression/compress', pruned, pruning='other', architectures='mlp', objectives='standard')
of('training/train', architectures='mlp', objectives='standard')
of('evaluation/assess', metrics='quality')
"""


@pytest.fixture
def copy(tmp_path):
    for folder in ("fairweight", "scripts", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    source = tmp_path / "fairweight/compression/pruning/global_magnitude.py"
    (tmp_path / "fairweight/compression/pruning/other.py").write_text(source.read_text())
    return tmp_path


def versions(copy: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", ASK, str(copy)], capture_output=True, text=True, check=True, cwd=copy)
    return done.stdout.split()


def changed(copy: Path, file: str, old: str, new: str) -> list[bool]:
    before, path = versions(copy), copy / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return [a != b for a, b in zip(before, versions(copy), strict=True)]


def test_editing_a_method_changes_the_steps_that_use_it_and_no_others(copy):
    edit = changed(copy, "fairweight/compression/pruning/global_magnitude.py", "w.abs()", "-w.abs()")
    assert edit == [True, False, False, False]


def test_editing_a_module_changes_the_steps_that_import_it_at_any_depth(copy):
    edit = changed(copy, "fairweight/training/training_loop.py", "EVALUATION_ROWS = 4096", "EVALUATION_ROWS = 2048")
    assert edit == [True, True, True, False]


def test_comments_docstrings_and_layout_change_nothing(copy):
    path = "fairweight/compression/pruning/global_magnitude.py"
    assert (
        changed(copy, path, "from torch import Tensor\n", "# a comment\nfrom torch import Tensor\n\n\n") == [False] * 4
    )
    assert changed(copy, path, '"""Masks that keep', '"""Boolean masks that keep') == [False] * 4


def test_a_file_that_is_no_python_counts_by_its_bytes(tmp_path):
    from fairweight.core.code_version import code_version

    first, second = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    first.write_text("{}")
    second.write_text("{ }")
    assert code_version(first) != code_version(second)


def test_a_users_package_is_followed_through_absolute_and_relative_imports(tmp_path, monkeypatch):
    from fairweight.core.code_version import imported_files

    package = tmp_path / "own" / "deep"
    package.mkdir(parents=True)
    for path in (tmp_path / "own" / "__init__.py", package / "__init__.py", tmp_path / "beside.py"):
        path.write_text("")
    (tmp_path / "own" / "other.py").write_text("")
    (package / "helper.py").write_text("")
    module = package / "model.py"
    module.write_text(
        "from own.deep.helper import h\nfrom ..other import o\nfrom . import helper\nimport beside\nimport json\n"
    )
    files = {str(p.relative_to(tmp_path)) for p in imported_files(module.resolve())}
    assert files == {"own/__init__.py", "own/deep/__init__.py", "own/deep/helper.py", "own/other.py", "beside.py"}


def test_types_change_nothing_and_fields_of_a_dataclass_do(copy):
    path = "fairweight/core/recipes.py"
    assert changed(copy, path, "class EnergyRecipe(TypedDict, total=False):", TYPED) == [False] * 4
    path = "fairweight/training/training_data.py"
    assert (
        changed(copy, path, "class TrainingData:", 'class TrainingData:\n    """Rows."""\n\n    more: int')
        != [False] * 4
    )


TYPED = """class More(TypedDict):
    more: int


class EnergyRecipe(TypedDict, total=False):"""


@pytest.mark.parametrize("content", ["", "[]", "{}", "not JSON", '{"0": 1}', "damaged"])
def test_the_cache_of_parsed_files_changes_nothing(copy, tmp_path, monkeypatch, content):
    """Empty, of another form, or with entries that cannot be used: files are parsed then."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(cache))
    expected = versions(copy)
    (file,) = cache.glob("sources-*.json")
    if content == "damaged":
        content = json.dumps({key: ["?"] for key in json.loads(file.read_text())})
    file.write_text(content)
    assert versions(copy) == expected == versions(copy)
    assert len(json.loads(file.read_text())) > 50, "what was parsed is kept"


def test_a_cache_that_cannot_be_written_is_not_needed(copy, tmp_path, monkeypatch):
    expected = versions(copy)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "file"))
    assert versions(copy) == expected
