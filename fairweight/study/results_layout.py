"""Version of the layout of results, in the provenance of a study: which results can be read (standard library only).

The version is MAJOR.MINOR. MINOR rises with new tables, columns and files, MAJOR when one is renamed, removed or
changes its meaning. Results of fairweight 0.1 state none, which counts as 0.0.
"""

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from fairweight.core.errors import InputError, quoted

PROVENANCE = Path("summary", "provenance.json")
KEY = "results_layout"  # in the provenance


class Version(NamedTuple):
    """A version of the layout; versions of one major number can be read by each other."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


LAYOUT = Version(1, 0)
UNSTATED = Version(0, 0)  # fairweight 0.1


def layout_of(provenance: Mapping[str, Any], results: Path | str) -> Version:
    """The layout of a study's results, from its provenance.

    Args:
        provenance: content of `provenance.json`.
        results: the folder of the results, for messages.

    Raises:
        InputError: a newer version of fairweight wrote the results, or what is stated is no version.
    """
    if KEY not in provenance:
        return UNSTATED
    text = provenance[KEY]
    if not isinstance(text, str) or not (match := re.fullmatch(r"(\d{1,4})\.(\d{1,4})", text, re.ASCII)):
        place = Path(results) / PROVENANCE
        raise InputError(
            f"{place}: {KEY} is {quoted(text)}, which is no version such as {LAYOUT}; delete the file, then run "
            "the study again."
        )
    layout = Version(int(match[1]), int(match[2]))
    if layout.major > LAYOUT.major:
        writer = quoted(str(provenance.get("fairweight", "unknown"))).strip("'")
        raise InputError(
            f"{results} has results of a newer layout ({layout}, written by fairweight {writer}); this is fairweight "
            f"{metadata.version('fairweight')}, which reads up to {LAYOUT.major}.x; upgrade fairweight, or use another "
            "folder."
        )
    return layout
