"""Schema, config/README.md and code agree."""

import ast

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.study.reference_docs import reference
from fairweight.study.schema import PLACES, read_schema


def test_the_readme_is_generated_from_schema_and_components():
    assert (ROOT / "config/README.md").read_text() == reference(), "run `make docs`"


def keys(node):
    if isinstance(node, dict):
        for key, child in node.get("properties", {}).items():
            yield key, child
        for child in node.values():
            yield from keys(child)
    elif isinstance(node, list):
        for child in node:
            yield from keys(child)


def test_every_key_is_described_and_every_object_closed():
    for key, node in keys(read_schema()):
        described = (
            node if "$ref" not in node or "description" in node else read_schema()["$defs"][node["$ref"].split("/")[-1]]
        )
        assert described.get("description"), key
        if node.get("type") == "object" and "x-component" not in node:
            assert "additionalProperties" in node, key


def test_every_key_is_read_by_the_code():
    files = [*ROOT.glob("fairweight/**/*.py"), *ROOT.glob("scripts/*/*.py")]
    literals = {
        node.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    rules = "".join(path.read_text() for path in [ROOT / "Snakefile", *ROOT.glob("rules/*.smk")])
    by_snakemake = {"pathvars"}
    for key, _ in keys(read_schema()):
        assert key in literals or f'"{key}"' in rules or key in by_snakemake, key


def test_every_component_place_of_the_schema_is_checked():
    marked = {node["x-component"] for _, node in keys(read_schema()) if "x-component" in node}
    marked |= {
        node["additionalProperties"]["x-component"]
        for _, node in keys(read_schema())
        if isinstance(node.get("additionalProperties"), dict) and "x-component" in node["additionalProperties"]
    }
    assert marked == {folder for _, _, folder in PLACES}
