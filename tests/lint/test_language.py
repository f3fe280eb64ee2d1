"""Words, identifiers, line lengths and formatting of the repository's own text."""

import ast
import re
import subprocess
from pathlib import Path

from fairweight.core.components import WORKFLOW as ROOT

HISTORY = ("CHANGELOG.md", "LICENSE", "docs/decisions/")  # what was written stays
TEXT = {".py", ".smk", ".md", ".ipynb", ".j2", ".js", ".yaml", ".rst", ".tex", ".toml", ""}
RETIRED = re.compile(r"\b(so many|told|foretells?|foretold|anew|begun|mend(?:s|ed|ing)?)\b|, too\b", re.IGNORECASE)
VAGUE = {"of", "found", "told", "stated", "one", "two", "here", "there"}  # identifiers that do not say what they hold
LONGEST = 120


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [name for name in done.stdout.split("\0") if name and not name.startswith(HISTORY)]
    return [Path(name) for name in files if (ROOT / name).is_file() and Path(name).suffix in TEXT]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
THIS = Path(__file__).resolve().relative_to(ROOT)


def lines(path):
    try:
        return list(enumerate((ROOT / path).read_text(encoding="utf-8").split("\n"), start=1))
    except UnicodeDecodeError:
        return []


def test_retired_words_are_not_used():
    hits = [f"{p}:{n}: {m[0]}" for p in FILES if p != THIS for n, line in lines(p) for m in [RETIRED.search(line)] if m]
    assert hits == []


def assigned(tree):
    """Names that a file gives to variables, parameters, functions and classes, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def test_identifiers_say_what_they_hold():
    hits = [
        f"{path}:{line}: {name}"
        for path in PYTHON
        for name, line in assigned(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if name in VAGUE
    ]
    assert hits == []


def test_identifiers_of_rules_say_what_they_hold():
    """Rules are not Python: assignments, parameters and loop variables are searched for by pattern."""
    names = "|".join(sorted(VAGUE))
    pattern = re.compile(
        rf"^\s*({names})\s*[+|]?=[^=]|\bfor ({names})\b|\bdef \w+\(.*\b({names})\b|\blambda ({names})\b"
    )
    rules = [path for path in FILES if path.suffix == ".smk" or path == Path("Snakefile")]
    assert [f"{path}:{n}" for path in rules for n, line in lines(path) if pattern.search(line)] == []


def test_lines_of_code_have_at_most_120_characters():
    code = [path for path in FILES if path.suffix in (".py", ".smk", ".toml") or path.name == "Snakefile"]
    assert [f"{path}:{n}" for path in code for n, line in lines(path) if len(line) > LONGEST] == []


def test_lines_of_documentation_have_at_most_120_characters():
    """Lines of tables and links cannot be broken; config/README.md is generated."""
    pages = [path for path in FILES if path.suffix == ".md" and path != Path("config/README.md")]
    free = re.compile(r"^\s*\||\]\(|^- `.*: |https?://")
    assert [f"{p}:{n}" for p in pages for n, line in lines(p) if len(line) > LONGEST and not free.search(line)] == []


def test_the_formatter_is_switched_off_for_tables_of_data_only():
    """`# fmt: skip` stands at the end of a statement that holds rows and columns of literals."""
    hits = []
    for path in (path for path in PYTHON if path != THIS):
        text = (ROOT / path).read_text(encoding="utf-8")
        skipped = [n for n, line in enumerate(text.split("\n"), start=1) if "# fmt: skip" in line]
        statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)] if skipped else []
        hits += [f"{path}:{n}" for n in skipped if not any(_is_table(s) for s in statements if s.end_lineno == n)]
    assert hits == []


def _is_table(statement):
    """Whether a simple statement holds a literal container of several lines."""
    compound = ast.FunctionDef | ast.ClassDef | ast.For | ast.If | ast.With | ast.Try
    containers = [n for n in ast.walk(statement) if isinstance(n, ast.Dict | ast.List | ast.Tuple | ast.Set)]
    return not isinstance(statement, compound) and any(n.end_lineno > n.lineno for n in containers)
