"""Sentences about mistakes in a study file: the place, the mistake, and what is legal there."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from fairweight.core import components
from fairweight.core.errors import did_you_mean, listed, quoted

Config = dict[str, Any]  # a mapping in YAML
Mistake = Any  # jsonschema.ValidationError, whose types do not say that its attributes are set
Place = tuple[str | int, ...]  # keys, and positions in lists, that lead to a part of a study file
REFERENCE = "see config/README.md"
SHORT = 80  # characters of a description, or of a value, that a sentence quotes
# keywords of JSON Schema for the range of a number, in words
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
    "null": "null",
}
EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")
DECIMAL_COMMA = re.compile(r"[-+]?(\d{1,3}([. ']\d{3})+|0|\d+),\d+")
THOUSANDS = re.compile(r"[-+]?\d{1,3}([,. ']\d{3})+([.,]\d+)?")


def sentence(error: Mistake, whole: Config, place: Place = ()) -> str:
    """Describe a validation error in one sentence.

    Args:
        error: the error.
        whole: the schema of a study file.
        place: keys that lead to the part of the study file that was validated.
    """
    cause = _cause(error)
    while cause is not error:
        error, cause = cause, _cause(cause)
    path = (*place, *error.absolute_path)
    parts = [f"entry {part + 1}" if isinstance(part, int) else str(part) for part in path]
    if error.validator == "additionalProperties":
        what = _unknown_key(error, whole, path)
    else:
        what = MISTAKES.get(error.validator, _other)(error)
    return f"{': '.join(parts) or 'top level'}: {what}."


def order(error: Mistake) -> tuple[int, bool]:
    """Errors sorted by this come in the order in which people understand them."""
    # a misspelt key is reported before the required key that is missing because of it
    return len(error.absolute_path), error.validator != "additionalProperties"


def _cause(error: Mistake) -> Mistake:
    """The mistake within the one form of several that a value has; the error itself where it has none of them."""
    forms: dict[Any, list[Mistake]] = {}
    for inner in error.context or () if error.validator in ("oneOf", "anyOf") else ():
        forms.setdefault(inner.schema_path[0], []).append(inner)
    for mistakes in forms.values():
        if not any(not e.path and e.validator in ("type", "enum", "const", "minLength", "maxLength") for e in mistakes):
            return min(mistakes, key=order)
    return error


# ---- what is legal, in words


def legal(schema: Config) -> str:
    """What a schema takes, in words: "a number above 0 and at most 1, or null"."""
    if "enum" in schema:
        return (
            f"one of {listed(map(_written, schema['enum']))}" if len(schema["enum"]) > 1 else _written(*schema["enum"])
        )
    forms = [legal(form) for form in schema.get("oneOf", ())]
    if not forms:
        kind = schema.get("type", list(KINDS))
        forms = [_of_kind(name, schema) for name in ([kind] if isinstance(kind, str) else kind)]
    forms = sorted(dict.fromkeys(forms), key=lambda form: form == KINDS["null"])
    return ", ".join(forms[:-1]) + (" or " if len(forms) > 1 else "") + forms[-1]


def _of_kind(kind: str, schema: Config) -> str:
    if kind in ("integer", "number"):
        limits = _range(schema)
        return KINDS[kind] + (f" of {limits}" if limits.startswith("at") else f" {limits}").rstrip()
    if kind == "string" and schema.get("maxLength") == 1:
        return "one character"
    if kind == "object" and "x-component" in schema:
        return f"a name ({listed(components.names(schema['x-component']))}) or a mapping"
    if kind == "object" and "properties" in schema:
        return f"a mapping with keys such as {' and '.join(map(repr, list(schema['properties'])[:2]))}"
    return KINDS.get(kind, kind)


def _range(schema: Config) -> str:
    return " and ".join(f"{words} {schema[bound]:,}" for bound, words in BOUNDS.items() if bound in schema)


def _written(value: Any) -> str:
    """A value as a study file has it."""
    return json.dumps(value) if value is None or isinstance(value, bool) else quoted(value)


def _about(schema: Config) -> str:
    """First sentence of a description, if it is short; empty otherwise."""
    first = str(schema.get("description", "")).partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:] if len(first) <= SHORT else ""


# ---- one function for each kind of mistake


def _unknown_key(error: Mistake, whole: Config, path: Place) -> str:
    """A key that is misspelt, or that stands one level too deep or too high."""
    schema = error.schema
    legal_keys = list(schema.get("properties", {}))
    extra = next(key for key in error.instance if key not in legal_keys)
    for above, level in reversed(list(_levels(whole, path))[:-1]):
        if extra in level.get("properties", {}):
            return f"the key {quoted(extra)} is not known here; it belongs to {above}: check the indentation"
    for key, child in schema.get("properties", {}).items():
        if extra in child.get("properties", {}):
            return f"the key {quoted(extra)} is not known here; it belongs to {key!r}, one level deeper"
    hint = did_you_mean(extra, legal_keys)
    return f"the key {quoted(extra)} is not known{hint}; legal keys: {listed(legal_keys, REFERENCE)}"


def _levels(whole: Config, path: Place) -> Iterator[tuple[str, Config]]:
    """(place in words, schema) of every level of a path, from the top, as far as the schema knows it."""
    node = whole
    yield "the top level", whole
    for depth, part in enumerate(path, start=1):
        child = _child(node, part)
        if child is None:
            return
        reference = child.get("$ref", "").split("/")[-1]
        node = {**whole["$defs"].get(reference, {}), **child}
        yield repr(": ".join(map(str, path[:depth]))), node


def _child(node: Config, part: str | int) -> Config | None:
    for form in (node, *node.get("oneOf", ())):
        if isinstance(part, str) and part in form.get("properties", {}):
            return dict(form["properties"][part])
        below = form.get("items" if isinstance(part, int) else "additionalProperties")
        if isinstance(below, dict):
            return below
    return None


def _required(error: Mistake) -> str:
    missing = next(key for key in error.validator_value if key not in error.instance)
    schema = error.schema
    about = _about(schema.get("properties", {}).get(missing, {}))
    return f"the key {missing!r} is missing" + (f" ({about})" if about else "")


def _type(error: Mistake) -> str:
    schema = error.schema
    if error.instance is None:
        return f"has no value (null); give it {legal(schema)}, or remove the key"
    kinds = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    hint = _type_hint(error.instance, kinds) or schema.get("x-remedy", "") or _form_hint(error.instance, kinds, schema)
    return f"{_written(error.instance)} is not {legal(schema)}{hint and f'; {hint}'}"


def _type_hint(instance: Any, kinds: list[str]) -> str:
    """What to write where YAML makes something else of a value than was meant."""
    if isinstance(instance, bool) and "string" in kinds:
        return "YAML reads yes, no, on and off as true and false: put the word in quotes"
    if isinstance(instance, int | float) and "string" in kinds:
        return "put it in quotes"
    if isinstance(instance, float) and "integer" in kinds and instance.is_integer():
        return f"write {instance:.0f}"
    if isinstance(instance, str) and {"integer", "number"} & set(kinds):
        return _number_hint(instance.strip())
    return ""


def _number_hint(text: str) -> str:
    """How a study file has the number that a text holds; empty where it holds none."""
    if EXPONENT.fullmatch(text):
        mantissa, exponent = re.split("[eE]", text)
        return f"YAML reads it as text: write {mantissa}.0e{'' if exponent[0] in '-+' else '+'}{exponent}"
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text):
        return "write it without quotes"
    if DECIMAL_COMMA.fullmatch(text) and not (THOUSANDS.fullmatch(text) and "." not in text and text[0] != "0"):
        whole, _, decimals = text.rpartition(",")
        return f"numbers have a decimal point: write {re.sub('[^0-9+-]', '', whole)}.{decimals}"
    if THOUSANDS.fullmatch(text):
        return "write it with a decimal point and without marks between thousands"
    if re.fullmatch(r"[-+]?[\d.,]+\s*%", text):
        return "write a number without '%' (5 % is 0.05)"
    return ""


def _form_hint(instance: Any, kinds: list[str], schema: Config) -> str:
    """How to write a list, a mapping or a single value."""
    if "array" in kinds and (isinstance(instance, dict) or "object" in str(schema.get("items", {}).get("type"))):
        return "write each entry after '- '"
    if "array" in kinds and 0 < len(str(instance)) <= SHORT:
        return f"write [{json.dumps(instance) if isinstance(instance, bool) else instance}]"
    if "object" in kinds and isinstance(instance, list):
        return "write 'key: value' lines, without '- ' in front"
    if isinstance(instance, list):
        return "give one value, without brackets"
    if isinstance(instance, dict) and "string" in kinds:
        return "a colon and a blank make a key of it: put the text in quotes, or leave out the blank"
    return ""


def _enum(error: Mistake) -> str:
    choices = error.validator_value
    hint = did_you_mean(error.instance, [c for c in choices if isinstance(c, str)])
    if not hint and isinstance(error.instance, bool):
        hint = "; YAML reads yes, no, on and off as true and false: put the word in quotes"
    return f"{_written(error.instance)} is not {legal({'enum': choices})}{hint}"


def _out_of_range(error: Mistake) -> str:
    schema = error.schema
    return f"{quoted(error.instance)} is out of range; it is {_range(schema)}{_share_hint(error.instance, schema)}"


def _share_hint(value: float, schema: Config) -> str:
    """How a share is written that was probably meant in percent; empty for other numbers (`x-unit: none`)."""
    unit, bounds = schema.get("x-unit"), [schema[bound] for bound in BOUNDS if bound in schema]
    if unit is None and value > 1 and len(bounds) == 2 and min(bounds) == 0 and max(bounds) <= 1:
        unit = "%"
    if unit in (None, "none") or not 1 <= value <= 100:
        return ""
    if unit == "points":
        meant = "point" if value == 1 else "points"
        return f": {value:g} is {100 * value:,.10g} points; write {value / 100:.10g} for {value:g} {meant}"
    return f": it is a share; write {value / 100:.10g} for {value:g} %"


def _size(error: Mistake) -> str:
    schema = error.schema
    if "x-remedy" in schema:
        return _other(error)
    bound = f"{'at least' if error.validator.startswith('min') else 'at most'} {error.validator_value:,}"
    return f"has {len(error.instance):,} {'entry' if len(error.instance) == 1 else 'entries'}; it takes {bound}"


def _length(error: Mistake) -> str:
    schema = error.schema
    if "x-remedy" in schema:
        return _other(error)
    if not error.instance:
        return "is empty; write a text, or remove the key"
    return f"has {len(error.instance):,} characters; it takes at most {error.validator_value:,}"


def _forms(error: Mistake) -> str:
    schema = error.schema
    remedies = [form["x-remedy"] for form in schema.get("oneOf", ()) if "x-remedy" in form]
    hint = remedies[0] if remedies else _number_or_form_hint(error)
    return f"{_written(error.instance)} is not {legal(schema)}{hint and f'; {hint}'}"


def _number_or_form_hint(error: Mistake) -> str:
    schema = error.schema
    names = [name for form in schema.get("oneOf", ()) for name in form.get("enum", ()) if isinstance(name, str)]
    if isinstance(error.instance, str) and (hint := did_you_mean(error.instance, names)):
        return hint.strip(" ()").rstrip("?") + "?"
    kinds = [form.get("type", "") for form in schema.get("oneOf", ())]
    return _type_hint(error.instance, kinds)


def _twice(error: Mistake) -> str:
    return f"{error.message} occurs twice; remove one of them"


def _other(error: Mistake) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    remedy = schema.get("x-remedy") or _about(schema) or REFERENCE
    return f"{_written(error.instance)} is not a legal {schema.get('x-kind', 'value')}; {remedy}"


MISTAKES: dict[str, Callable[[Mistake], str]] = {
    "required": _required,
    "type": _type,
    "enum": _enum,
    **dict.fromkeys(BOUNDS, _out_of_range),
    **dict.fromkeys(("minItems", "maxItems", "minProperties", "maxProperties"), _size),
    **dict.fromkeys(("minLength", "maxLength"), _length),
    **dict.fromkeys(("oneOf", "anyOf"), _forms),
    "uniqueItems": _twice,
}
