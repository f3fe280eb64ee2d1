"""Validation of a study file: types, names of components, their options, and defaults.

Runs while Snakemake parses the workflow, so it imports only the standard library and PyYAML and jsonschema, on which
Snakemake itself depends.
"""

import copy
import functools
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from fairweight.core import components, labels
from fairweight.core.errors import InputError, first_line, listed, quoted
from fairweight.core.operations import RECORDS
from fairweight.core.yaml_file import read_yaml
from fairweight.study.check_values import check_names, check_values
from fairweight.study.sentences import order, sentence
from fairweight.study.sweeps import Config, expand
from fairweight.study.values_as_keys import with_text_keys

SCHEMA = components.WORKFLOW / "config" / "study.schema.yaml"
VERSION = 1  # of the keys of a study file; it rises when a key is removed or changes its meaning

# places where a study file names a component: path (`*` is any key), key that holds the name, folder
PLACES = (
    ("datasets/*/reader", "method", "readers"),
    ("augmentations/*", "method", "augmentations"),
    ("models/*", "architecture", "architectures"),
    ("training/*/objective", "method", "objectives"),
    ("training/*/adapt", "method", "adaptations"),
    *((f"variants/*/{record.name}", "method", record.folder) for record in RECORDS if record.folder),
    ("variants/*/prune/finetune/distillation", "method", "distillations"),
    ("variants/*/distill/student", "architecture", "architectures"),
)


def read_schema(path: Path = SCHEMA) -> Config:
    """The schema of a study file, as a copy that the caller may change."""
    return copy.deepcopy(_parsed(path))


@functools.cache
def _parsed(path: Path) -> Config:
    schema: Config = read_yaml(path)
    return schema


def resolve(config: Config) -> Config:
    """Check a study file against the schema and the options of its components, and fill in every default.

    Args:
        config: the study file; it is not changed.

    Returns:
        A copy with every default, in which sweeps are expanded.

    Raises:
        InputError: the first mistake, in one sentence with the key and the legal values.
    """
    resolved = with_text_keys(config)
    _check_version(resolved)
    check_values(resolved)
    resolved = expand(resolved)
    # a bare name is short for a component without options
    for path, key, _folder in PLACES:
        for holder, name, _place in _matches(resolved, path.split("/")):
            if isinstance(holder[name], str):
                holder[name] = {key: holder[name]}
    _check(resolved, read_schema(), ())
    check_names(resolved)
    _fill_in_for_numbers(resolved)
    for path, key, folder in PLACES:
        for holder, name, place in _matches(resolved, path.split("/")):
            _check_component(holder[name], key, folder, place, path)
    for engine in resolved["engines"]:
        _check_installed("engines", engine, ("engines",))
    return resolved


def _check_version(config: Any) -> None:
    """Refuse a study file of a newer version, before its keys are called unknown."""
    version = config.get("version") if isinstance(config, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"version: {quoted(version)} is newer than this fairweight, which reads {VERSION}; upgrade fairweight."
        )


def _fill_in_for_numbers(config: Config) -> None:
    """Fill in the defaults of studies that have labels that are numbers; others do not have these keys."""
    targets = [
        dataset["target"]
        for dataset in config["datasets"].values()
        if dataset["target"] and dataset["task"] in components.names("tasks") and labels.measured(dataset["task"])
    ]
    for target in targets:
        target.setdefault("unit", "")
    if targets:
        config["criteria"].setdefault("loss", labels.ABSOLUTE)
        for name, margin in labels.DEFAULT_MARGINS.items():
            config["criteria"]["margins"].setdefault(name, copy.deepcopy(margin))


def own_components(config: Config) -> Iterator[tuple[str, str]]:
    """(folder, name) of the components that are not fairweight's, "MODULE:NAME", of a resolved study file."""
    for path, key, folder in PLACES:
        for holder, name, _place in _matches(config, path.split("/")):
            recipe = holder[name]
            if isinstance(recipe, dict) and ":" in str(recipe.get(key, "")):
                yield folder, recipe[key]
    yield from (("engines", engine) for engine in config.get("engines", []) if ":" in engine)


def _matches(node: Any, parts: list[str], above: tuple[str, ...] = ()) -> Iterator[tuple[Config, str, tuple[str, ...]]]:
    """(mapping, key, place) of every key of a study file that a path with `*` matches."""
    if not isinstance(node, dict):
        return
    for key in list(node) if parts[0] == "*" else [k for k in [parts[0]] if k in node]:
        if len(parts) == 1:
            yield node, key, (*above, key)
        else:
            yield from _matches(node[key], parts[1:], (*above, key))


def _check_installed(folder: str, name: str, place: tuple[str, ...]) -> None:
    """Check that a component exists, and that the packages that it needs are installed."""
    try:
        components.options(folder, name)
        if extra := components.missing_extra(folder, name):
            raise InputError(
                f"{name!r} needs the optional extra {extra!r}, which is not installed; "
                f"install it with {components.remedy(folder, name, extra)!r}"
            )
    except InputError as error:
        raise InputError(f"{': '.join(place)}: {error}.") from None


def _check_component(recipe: Any, key: str, folder: str, place: tuple[str, ...], path: str) -> None:
    if not isinstance(recipe.get(key), str):
        what = f"the key {key!r} is {'not a name' if isinstance(recipe, dict) and key in recipe else 'missing'}"
        raise InputError(f"{': '.join(place)}: {what}; it is one of {listed(components.names(folder))}.")
    _check_installed(folder, recipe[key], place)
    _check(recipe, component_schema(folder, recipe[key], key, path), place)


def component_schema(folder: str, name: str, key: str, path: str) -> Config:
    """JSON Schema of a recipe that names a component: the options of the component, and no other keys.

    Args:
        folder: folder of the component.
        name: its name.
        key: the key that holds the name.
        path: the place in the study file, one of `PLACES`.
    """
    options = components.options(folder, name)
    properties: Config = {key: {"type": "string"}, **copy.deepcopy(options)}
    # options that the operation takes for all its methods
    operation = path.removeprefix("variants/*/")
    definitions = read_schema()["$defs"]
    shared = definitions["variant"]["properties"].get(operation, {})
    for option, schema in shared.get("properties", {}).items():
        properties[option] = definitions[schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    for schema in properties.values():
        schema.pop("x-default", None)
    required = [option for option, schema in options.items() if not {"default", "x-default"} & set(schema)]
    whole = {"type": "object", "properties": properties, "additionalProperties": False, "required": required}
    if ":" in name:
        try:
            jsonschema.Draft202012Validator.check_schema(whole)
        except jsonschema.SchemaError as error:
            raise InputError(f"{folder}: {name}: OPTIONS is not JSON Schema ({first_line(error)})") from None
    return whole


def _with_defaults() -> type[Any]:
    """A validator class that also fills in defaults."""
    base = jsonschema.Draft202012Validator

    def fill(validator: Any, properties: Config, instance: Any, schema: Config) -> Iterator[Any]:
        if isinstance(instance, dict):
            for name, subschema in properties.items():
                if "default" in subschema:
                    instance.setdefault(name, copy.deepcopy(subschema["default"]))
        yield from base.VALIDATORS["properties"](validator, properties, instance, schema)

    checker = base.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    validators = {"properties": fill, "uniqueItems": _unique_items}
    return jsonschema.validators.extend(base, validators, type_checker=checker)


def _is_integer(_checker: Any, value: Any) -> bool:
    # JSON Schema takes 2.0 for an integer; `range` does not
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _unique_items(_validator: Any, unique: bool, instance: Any, _schema: Config) -> Iterator[Any]:
    # jsonschema compares every two items of a list of several types
    if unique and isinstance(instance, list):
        written = [repr(item) for item in instance]
        if len(set(written)) < len(written):
            twice = next(item for item, count in Counter(written).items() if count > 1)
            yield jsonschema.ValidationError(twice)


def _check(instance: Any, schema: Config, place: tuple[str, ...]) -> None:
    errors = list(_with_defaults()(schema).iter_errors(instance))
    if errors:
        raise InputError(sentence(min(errors, key=order), read_schema(), place))
