"""Values that a study file names: which names of the data they mean, and which of them `merge` makes one group."""

from collections.abc import Collection

from fairweight.core.errors import InputError, did_you_mean, listed, shown
from fairweight.core.recipes import GroupRecipe
from fairweight.core.table import MISSING
from fairweight.data.value_formats import PLAIN, Formats

WORDS = {"true": ("true", "yes", "on"), "false": ("false", "no", "off")}  # without quotes, YAML reads one as the other


def resolved(wanted: object, names: Collection[str], formats: Formats) -> str:
    """The name that a value of the study file means.

    1 means `1.0` where all names are numbers. Without quotes, YAML reads yes, on and true as one Boolean, which means
    the name that is written in one of these ways.

    Returns:
        The value as text, where it means none of the names.

    Raises:
        InputError: a Boolean may mean several names.
    """
    text = str(wanted)
    if text in names and not isinstance(wanted, bool):
        return text
    if words := WORDS.get(text.lower()):
        same = [name for name in names if name.strip().lower() in words]
        if len(same) > 1:
            raise InputError(f"{named(wanted)} may be {listed(map(repr, same))}; put the one that is meant in quotes")
        return same[0] if same else text
    number = PLAIN.number(text) or formats.number(text)
    of_name = {formats.number(name): name for name in names if name != MISSING}
    return text if number is None or None in of_name else of_name.get(number, text)


def named(wanted: object) -> str:
    """A value of the study file as a message names it."""
    if isinstance(wanted, bool):
        word = str(wanted).lower()
        return f"{word} (as YAML reads {', '.join(WORDS[word])} without quotes)"
    return shown(str(wanted))


def occurring(wanted: object, names: Collection[str], formats: Formats, place: str) -> str:
    """The name that a value of the study file means.

    Args:
        wanted: the value.
        names: what occurs in the data.
        formats: how the dataset writes numbers.
        place: of the value in the study file, for the message.

    Raises:
        InputError: it means none of them.
    """
    name = resolved(wanted, names, formats)
    if name not in names:
        hint = did_you_mean(name, names)
        raise InputError(f"{place}: {named(wanted)} does not occur{hint}; there are: {listed(names)}")
    return name


def merges(options: GroupRecipe, names: Collection[str], formats: Formats, place: str) -> dict[str, str]:
    """Group of every name that `merge` puts into one.

    Args:
        options: the attribute in the study file.
        names: values of its column, numbers by their shortest text.
        formats: how the dataset writes numbers.
        place: of the attribute in the study file, for the message.

    Raises:
        InputError: a value does not occur, is in two groups, or has the name of a group to which it does not belong.
    """
    group_of: dict[str, str] = {}
    for group, values in options.get("merge", {}).items():
        for wanted in values:
            value = occurring(wanted, names, formats, f"{place}: merge: {group}")
            if group_of.setdefault(value, group) != group:
                raise InputError(
                    f"{place}: merge: {shown(value)} is in {group_of[value]!r} and in {group!r}; remove it from one "
                    "of them"
                )
    for group in options.get("merge", {}):
        if group in names and group_of.get(group) != group:
            raise InputError(
                f"{place}: merge: {group!r} is also a value of column {options['column']!r}, and is not merged into "
                "it; list it there, or give the group another name"
            )
    return group_of
