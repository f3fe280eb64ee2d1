"""Commands, study files and code on the pages of the documentation site are legal."""

import re
import shlex

import jsonschema
import pytest
import yaml
from torch import tensor

from fairweight.cli.main import command_parser
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.study.schema import read_schema

PAGES = [ROOT / "docs" / "index.md", *sorted(ROOT.glob("docs/how-to/*.md")), *sorted(ROOT.glob("docs/concepts/*.md"))]
PAGES.append(ROOT / "docs" / "gallery" / "index.md")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [text for _, word, text in BLOCK.findall(page.read_text(encoding="utf-8")) if word == language]


def commands(page, program):
    """Words of each command line of a page that starts a program."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words[1:] for words in lines if words[:1] == [program]]


def refused(words):
    """What the parser of the command says of words that it does not take."""
    parser, _ = command_parser([])
    try:
        parser.parse_args(words[: words.index("--")] if "--" in words else words)
    except SystemExit as end:
        return end.code
    return None


def test_commands_are_those_of_the_command_line():
    entries = [(page.name, words) for page in PAGES for words in commands(page, "fairweight")]
    assert len(entries) > 10
    assert [entry for entry in entries if refused(entry[1])] == []
    assert refused(["run", "--no-such-option"])  # so that the test can fail


def test_targets_of_make_and_of_snakemake_exist():
    makefile = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {words[0] for page in PAGES for words in commands(page, "make")}
    assert {"study", "test", "paper", "archive"} <= used <= makefile
    rules = set(re.findall(r"^rule (\w+):", "".join(p.read_text() for p in ROOT.rglob("rules/*.smk")), re.MULTILINE))
    rules |= set(re.findall(r"^rule (\w+):", (ROOT / "Snakefile").read_text(), re.MULTILINE))
    runs = [words for page in PAGES for words in commands(page, "fairweight") if "--" in words]
    assert {target for words in runs for target in words[words.index("--") + 1 :]} <= rules


def test_options_and_profiles_of_snakemake_exist():
    settings = (ROOT / "snakemake_executor_plugin_dask" / "settings.py").read_text()
    for words in [words for page in PAGES for words in commands(page, "snakemake")]:
        for word in (word for word in words if word.startswith("--dask-")):
            assert re.search(rf"^    {word.removeprefix('--dask-').replace('-', '_')}:", settings, re.MULTILINE), word
        assert all((ROOT / word / "profile.yaml").is_file() for word in words if word.startswith("profiles/"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_parts_of_study_files_follow_the_schema(page):
    schema = read_schema() | {"required": []}
    for text in blocks(page, "yaml"):
        part = yaml.safe_load(text)
        if set(part) & {"jobs", "distributed"}:  # of GitHub, of Dask
            continue
        jsonschema.validate(part, schema)


def test_the_method_of_ones_own_prunes():
    (code,) = blocks(ROOT / "docs" / "how-to" / "component.md", "python")
    names = {}
    exec(code, names)
    (study,) = blocks(ROOT / "docs" / "how-to" / "component.md", "yaml")
    module, function = yaml.safe_load(study)["variants"]["mine"]["prune"]["method"].split(":")
    assert f"`{module}.py`" in (ROOT / "docs" / "how-to" / "component.md").read_text()
    masks = names[function]({"a": tensor([3.0, -0.1]), "b": tensor([0.2, -4.0])}, sparsity=0.5)
    assert {name: mask.tolist() for name, mask in masks.items()} == {"a": [True, False], "b": [False, True]}
