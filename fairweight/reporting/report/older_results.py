"""Summary tables of a study, also as older versions of fairweight wrote them: what was added since is filled in."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame
from fairweight.core.errors import InputError
from fairweight.study.results_layout import LAYOUT, PROVENANCE, layout_of

ABSENT = float("nan")
MOST = 3  # tables that a sentence names
ANSWERS = ("choice_accuracy", "choice_low", "choice_high", "questions", "choice_flips")
# table -> column that was added to it, and its value in results that are older
ADDED: dict[str, dict[str, Any]] = {
    "files": {"bits_per_weight": ABSENT},
    "language": dict.fromkeys((*ANSWERS, "bits_per_weight"), ABSENT),
}


def read_tables(folder: Path, names: Iterable[str], provenance: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Read summary tables, with the columns of the present layout.

    Args:
        folder: the study's folder.
        names: the tables.
        provenance: content of the provenance of the study.

    Returns:
        The tables by name.

    Raises:
        InputError: a newer version wrote the results, or an older one that had not all of the tables.
        FileNotFoundError: a table is missing from results of the present layout.
    """
    is_older = layout_of(provenance, folder) < LAYOUT
    summary = folder / PROVENANCE.parent
    if is_older and (absent := [name for name in names if not (summary / f"{name}.parquet").is_file()]):
        commit = f" (commit {provenance['commit']})" if provenance.get("commit") else ""
        raise InputError(
            f"{folder}: fairweight {provenance.get('fairweight', '0.1')}{commit} wrote these results, without the "
            f"tables {_in_short(absent)}; run the study again to bring them up to date, or read them with that version."
        )
    tables = {name: read_frame(summary / f"{name}.parquet") for name in names}
    return {name: _completed(name, table) for name, table in tables.items()} if is_older else tables


def _in_short(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _completed(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns that were added since it was written."""
    return table.assign(**{c: value for c, value in ADDED.get(name, {}).items() if c not in table})
