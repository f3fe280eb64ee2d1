"""Every key of every study in config/, misspelt, missing, of a wrong type or value: one short sentence."""

import copy
import re

import pytest
import yaml

from fairweight.core import components
from fairweight.core.components import PACKAGE
from fairweight.core.errors import InputError
from fairweight.study.schema import read_schema, resolve
from fairweight.study.study import Study

STUDIES = sorted(path.name for path in (PACKAGE.parent / "config").glob("*.yaml") if path.name != "study.schema.yaml")
MOST = 300  # characters of a sentence, with "fairweight: study file: " in front
PREFIX = len("fairweight: study file: ")
WRONG = [None, True, -1, 0.5, "x", "", "1.234,50", "0,5", [], ["a", "b"], {"a": 1}, {"method": "x"}, 10**9]
# words of JSON Schema and of Python, and regular expressions, which no user has to know
JARGON = re.compile(
    r"is not of type|is not valid under|does not match|is a required property|were unexpected|is too short|is too long"
    r"|should be non-empty|None of|is not one of \[|\^\[|\\w|\\Z|\\S|\[a-z|\[0-9|\)\*|\(\?|Traceback|WorkflowError"
    r"|\b(NoneType|dict|str|int|float|bool|array|object|null schema)\b(?=[ ,.;]| or)"
)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\{[^}]*\}|`[^`]*`")  # of the file, or what to write


def places(node, path=()):
    """Paths of all values of a study file."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from places(child, (*path, key))


def at(study, path):
    node = study
    for key in path:
        node = node[key]
    return node


def mutations(study):
    """(what, place in words, changed study): one mistake at each place of a study file, the same in every run."""
    for number, path in enumerate(places(study)):
        *above, last = path
        if isinstance(last, str):
            misspelt = copy.deepcopy(study)
            holder = at(misspelt, above)
            holder[f"{last}q"] = holder.pop(last)
            yield f"{path} misspelt", misspelt
        missing = copy.deepcopy(study)
        del at(missing, above)[last]
        yield f"{path} missing", missing
        for draw in range(2):
            wrong = copy.deepcopy(study)
            at(wrong, above)[last] = WRONG[(2 * number + draw) % len(WRONG)]
            yield f"{path} = {at(wrong, path)!r}", wrong


@pytest.mark.parametrize("name", STUDIES)
def test_every_mistake_in_a_study_file_is_one_short_sentence_that_names_the_place(name):
    study = yaml.safe_load((PACKAGE.parent / "config" / name).read_text())
    keys = {str(key) for key in [*study, *read_schema()["properties"], "top level"]}
    refused = 0
    for what, changed in mutations(study):
        try:
            Study(resolve(changed))
            continue
        except InputError as error:
            sentence = str(error)
        refused += 1
        assert len(sentence) + PREFIX < MOST, (what, sentence)
        assert not re.search(r"[^,] [.]{3} ", QUOTED.sub("", sentence)), (what, sentence)  # nothing was cut
        assert sentence.isprintable() and sentence.endswith((".", "?")), (what, sentence)
        assert not re.search(r"[a-z)]\. [A-Z]", QUOTED.sub("", sentence)), (what, sentence)  # one sentence
        assert not JARGON.search(QUOTED.sub("", sentence)), (what, sentence)
        assert sentence.partition(":")[0] in keys, (what, sentence)
    assert refused > 30


def patterns(node, path=""):
    """(path, schema) of everything that a regular expression describes."""
    if isinstance(node, dict):
        if "pattern" in node and isinstance(node["pattern"], str):
            yield path, node
        for key, child in node.items():
            yield from patterns(child, f"{path}/{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from patterns(child, f"{path}/{number}")


def test_what_a_regular_expression_describes_also_says_it_in_words():
    schemas = {"study": read_schema()}
    for folder in components.FOLDERS:
        schemas |= {f"{folder}/{name}": components.options(folder, name) for name in components.names(folder)}
    described = [entry for name, schema in schemas.items() for entry in patterns(schema, name)]
    assert len(described) >= 8
    for path, schema in described:
        assert schema.get("x-remedy") and schema.get("x-kind"), path
