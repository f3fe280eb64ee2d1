"""The one exception that means: the user can mend this."""

from collections.abc import Iterable

LONGEST_NAME = 60  # characters of a group or category; what is longer is a text


class InputError(Exception):
    """A mistake in the study file or in its data, told in one sentence with the place and the remedy.

    Steps and command line show its message alone; every other exception keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """First line of another library's message, and no more of it than a sentence takes."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def shown(value: object) -> str:
    """A value of the data in a message; a long one is a text, of which only its length is told, for it may offend."""
    text = str(value)
    return repr(text) if len(text) <= LONGEST_NAME else f"a text of {len(text):,} characters"


def known(name: str, legal: Iterable[str], place: str, kind: str) -> None:
    """Refuse a name that the study file does not define.

    Raises:
        InputError: `name` is not among the legal ones, with its place in the study file.
    """
    if name not in legal:
        raise InputError(f"{place}: {name!r} is not {kind} of this study; there are: {', '.join(legal) or 'none'}.")
