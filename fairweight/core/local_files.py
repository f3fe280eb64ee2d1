"""Files of the user's own, whose paths a study file names (standard library only)."""

import re
from itertools import islice
from pathlib import Path

from fairweight.core.errors import InputError, did_you_mean, quoted

MOST_NAMES = 10_000  # of a folder, among which a similar one is looked for


def is_file(path: str | Path) -> bool:
    """Whether there is a file at a path; a path that the system refuses, such as a name too long, has none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def similar_file(path: str | Path) -> str:
    """The part of a message that suggests a file of the same folder: " (did you mean 'people.csv'?)"; else empty."""
    try:
        inside = [entry.name for entry in islice(Path(path).parent.iterdir(), MOST_NAMES)]
    except (OSError, ValueError):
        return ""
    return did_you_mean(Path(path).name, sorted(inside))


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
