"""The one exception that means: the user can mend this."""

from collections.abc import Iterable


class InputError(Exception):
    """A mistake in the study file or in its data, told in one sentence with the place and the remedy.

    Steps and command line show its message alone; every other exception keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """First line of another library's message, and no more of it than a sentence takes."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def known(name: str, legal: Iterable[str], place: str, kind: str) -> None:
    """Refuse a name that the study file does not define.

    Raises:
        InputError: `name` is not among the legal ones, with its place in the study file.
    """
    if name not in legal:
        raise InputError(f"{place}: {name!r} is not {kind} of this study; there are: {', '.join(legal) or 'none'}.")
