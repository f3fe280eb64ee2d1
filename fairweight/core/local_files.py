"""Files of the user's own, whose paths a study file names (standard library only)."""

import re
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


def workflow_input(path: Path) -> Path:
    """A path that may be an input of a rule.

    Raises:
        InputError: Snakemake would take a part of it for a wildcard.
    """
    if re.search(r"\{[^{}]*\}", str(path)):
        raise InputError(f"{quoted(str(path))}: Snakemake reads braces in a path as a wildcard; rename the file.")
    return path
