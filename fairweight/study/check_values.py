"""Checks of values and names wherever they stand in a study file (standard library only).

A name becomes a folder, a heading and a key in other files, and people tell variants apart by it. Two names that look
the same are therefore refused.
"""

import math
import unicodedata
from collections.abc import Iterator
from typing import Any

from fairweight.core.errors import InputError, quoted
from fairweight.core.lookalikes import LOOKALIKES, scripts

LARGEST = 10**18  # magnitude of a number; what is larger is a slip, and overflows in other libraries
WHITE_SPACE = "\t\n\r"  # control characters that a text or a separator may have


def check_values(config: Any) -> None:
    """Refuse control characters in a text, keys that are no text, and numbers of absurd size.

    Args:
        config: a study file, possibly with mistakes, which the schema reports later.

    Raises:
        InputError: there is such a value; with its place.
    """
    pending: list[tuple[str, Any]] = [("", config)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, str):
            _check_text(place, value)
        elif isinstance(value, int | float) and LARGEST < abs(value) < math.inf:
            raise InputError(f"{place}: a number is larger than {LARGEST:.0e}; write a smaller one.")
        elif isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise InputError(f"{place or 'top level'}: the key {quoted(key)} is no text; put it in quotes.")
                _check_text(f"{place or 'top level'}: a key", key)
            pending += [(f"{place}: {key}" if place else key, child) for key, child in value.items()]
        elif isinstance(value, list):
            pending += [(place, child) for child in value]


def _check_text(place: str, text: str) -> None:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in WHITE_SPACE:
            raise InputError(f"{place}: {quoted(text)} has the control character U+{ord(character):04X}; remove it.")


def check_names(config: dict[str, Any]) -> None:
    """Refuse names that look like other names.

    Args:
        config: a study file that the schema has accepted.

    Raises:
        InputError: a name has letters of several scripts or in another form, or looks like another name.
    """
    for place, names in _names(config):
        looks: dict[str, str] = {}
        for name in names:
            _check_name(place, name)
            other = looks.setdefault(name.translate(LOOKALIKES), name)
            if other != name:
                raise InputError(f"{place}: {_letters(name)} looks like {_letters(other)}; rename one of them.")


def _names(config: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """(place, names) of everything that a study file names."""
    yield "name", [config["name"]]
    for key in ("datasets", "augmentations", "models", "training", "variants"):
        yield key, list(config[key])
    for name, dataset in config["datasets"].items():
        for key in ("files", "groups"):
            yield f"datasets: {name}: {key}", list(dataset[key])


def _check_name(place: str, name: str) -> None:
    if name.isascii():
        return
    if (plain := unicodedata.normalize("NFKC", name)) != name:
        raise InputError(f"{place}: {_letters(name)} has letters in a special form; write {plain!r}.")
    if mixed := scripts(name):
        raise InputError(
            f"{place}: {_letters(name)} has letters of several scripts ({', '.join(sorted(mixed)).lower()}), which "
            "may look the same; write it in one of them."
        )


def _letters(name: str) -> str:
    """A name, and the letters outside of ASCII as escapes, which show what cannot be seen."""
    return repr(name) if name.isascii() else f"{name!r} ({name!a})"
