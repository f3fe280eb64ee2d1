"""Files of the user's own, whose paths a study file names (standard library only)."""

from pathlib import Path

from fairweight.core.errors import InputError, quoted


def is_file(path: str | Path) -> bool:
    """Whether there is a file at a path; a path that the system refuses, such as a name too long, has none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def expanded(path: str) -> Path:
    """A path whose `~` or `~user` is replaced by that home folder.

    Raises:
        InputError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{quoted(path)}: there is no such home folder; write the whole path.") from None
