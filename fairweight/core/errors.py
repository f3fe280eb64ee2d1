"""`InputError`, the exception for a user's mistake, and helpers that put values into its sentence."""

from collections.abc import Iterable

LONGEST_NAME = 60  # characters of a group or category; a longer value is a text


class InputError(Exception):
    """A mistake in the study file or in its data: one sentence with the place and the remedy.

    Steps and the command line print its message alone; every other exception keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """First line of another library's message, cut to the length of a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def shown(value: object) -> str:
    """A value of the data as a message shows it: of a text, which may be offensive, the length only."""
    text = str(value)
    return repr(text) if len(text) <= LONGEST_NAME else f"a text of {len(text):,} characters"


def known(name: str, legal: Iterable[str], place: str, kind: str) -> None:
    """Refuse a name that the study file does not define.

    Args:
        name: the name.
        legal: names that are defined.
        place: where the study file uses it, for the message.
        kind: what it should be, with its article: "a variant".

    Raises:
        InputError: `name` is not among the legal names.
    """
    if name not in legal:
        raise InputError(f"{place}: {name!r} is not {kind} of this study; there are: {', '.join(legal) or 'none'}.")
