"""config/README.md, made from the schema and the components, so that it cannot say otherwise than they do."""

from collections.abc import Iterator
from typing import Any

from fairweight.core import components
from fairweight.study.schema import PLACES, read_schema

HEAD = """# The study file

A study is one YAML file. `make study` runs `config/config.yaml`; `make study STUDY=path.yaml` runs another, and
`SEEDS=2` overrides its number of seeds. Every key is explained below; a key that is not below is refused, and the
message names the legal ones. This page is made from `config/study.schema.yaml` and the components by `make docs`.

```yaml
name: credit
datasets:
  credit:
    reader: {method: delimited, separator: ";"}
    files: {all: {sources: ["file:data/credit.csv"]}}
    inputs: {numeric: [income, debt], categorical: [job]}
    target: {column: repaid, positive: "yes"}
    groups: {sex: {column: sex}, age: {column: age, bins: [25, 60]}}
    split: {test: 0.2}
models: {mlp: {architecture: mlp, hidden: [64, 32]}}
training: {standard: {epochs: 10}}
variants:
  dense: {train: standard}
  dense_again: {train: standard, replicate: 1}
  pruned50: {from: dense, prune: {method: global_magnitude, sparsity: 0.5, finetune: {epochs: 2}}}
  int8: {from: dense, quantize: auto}
grid:
  - {dataset: credit, models: [mlp], variants: [dense, dense_again, pruned50, int8]}
```

Names (of datasets, augmentations, models, recipes, variants) are yours; they become folders, so they consist of
letters, digits, `_`, `-`, `+` and single dots inside.

`sparsity` and `channels` of `prune` and `energy` of `factorize` may be lists: `pruned: {from: dense, prune: {method: global_magnitude,
sparsity: [0.5, 0.9]}}` stands for `pruned_0.5` and `pruned_0.9`, and a grid that names `pruned` means both. What is made from `pruned` is made
from each.

A component without options can be given by its bare name (`reader: idx`, `quantize: auto`). Instead of a name,
`module:function` reaches a component in a module of your own that can be imported from the folder of the run.

## Keys

| key | type | default | meaning |
|---|---|---|---|
"""

OPTIONS_HEAD = """
## Components

The folder is the registry: each name below is one file in `fairweight/`, and adding a file adds a name. Options stand
beside the name.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    schema = read_schema()
    rows = [f"| `{key}` | {kind} | {default} | {text} |" for key, kind, default, text in _keys(schema, schema, "")]
    parts = [HEAD + "\n".join(rows) + "\n" + OPTIONS_HEAD]
    used = {folder: f"`{path.replace('*', '…').replace('/', ': ')}: {key}`" for path, key, folder in PLACES}
    used |= {"engines": "`engines`", "sources": "the scheme of a source", "tasks": "`datasets: …: task`"}
    for folder, place in used.items():
        parts.append(f"\n### {folder} ({place})\n")
        parts += [_component(folder, name) for name in components.names(folder)]
    return "".join(parts)


def _component(folder: str, name: str) -> str:
    lines = [f"\n**`{name}`**: {components.summary(folder, name)}\n"]
    options = components.options(folder, name) if folder not in ("engines", "sources", "tasks") else {}
    if options:
        lines.append("\n| option | type | default | meaning |\n|---|---|---|---|\n")
        for option, schema in options.items():
            lines.append(
                f"| `{option}` | {_type(schema)} | {_default(schema)} | {_cell(schema.get('description', ''))} |\n"
            )
    return "".join(lines)


def _keys(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    """(key, type, default, meaning) of everything below a schema node, depth first."""
    required = node.get("required", [])
    for key, stated in node.get("properties", {}).items():
        child = _resolved(stated, root)
        place = f"{path}{key}"
        default = "**required**" if key in required else _default(child)
        yield place, _type(child), default, _cell(child.get("description", ""))
        yield from _below(child, root, place)


def _below(child: dict[str, Any], root: dict[str, Any], place: str) -> Iterator[tuple[str, str, str, str]]:
    yield from _keys(child, root, f"{place}: ")
    named = child.get("additionalProperties")
    if isinstance(named, dict):
        yield from _below(_resolved(named, root), root, f"{place}: NAME")
    items = child.get("items")
    if isinstance(items, dict):
        yield from _keys(_resolved(items, root), root, f"{place}: - ")


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if "oneOf" in schema:
        return " \\| ".join(_type(choice) for choice in schema["oneOf"])
    if "x-component" in schema:
        return f"one of {schema['x-component']}"
    kind = schema.get("type", "any")
    kinds = [kind] if isinstance(kind, str) else kind
    words = {"array": "list", "object": "mapping", "null": "null"}
    return " \\| ".join(words.get(k, k) for k in kinds)


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema:
        return ""
    value = schema["default"]
    words = {None: "null", True: "true", False: "false", "": '`""`'}
    if isinstance(value, dict | list):
        return f"`{value}`" if value else ""
    return words[value] if value is None or isinstance(value, bool) or value == "" else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
