"""Which files of a study hold single rows of its data (standard library only)."""

from pathlib import Path

from fairweight.core.run_lock import UNFINISHED

PURGED = "purged.json"  # names of the files that `fairweight purge` has deleted, and when; in the results folder
# files of single rows, by name, in words
ROW_FILES = {
    "table.parquet": "tables",
    "split.parquet": "splits",
    "augmented.parquet": "augmented rows",
    "predictions.parquet": "predictions",
    "pool.parquet": "predictions for the audit of membership",
    "explanations.parquet": "explanations of single rows",
    "simple_model.parquet": "predictions of the simple model",
}
RAW = "raw files"


def rows_in(path: Path) -> str | None:
    """What rows a file holds, in words; None for a file that holds none.

    Args:
        path: of the file, relative to the results folder.
    """
    parts = path.parts
    if len(parts) > 3 and parts[0] == "data" and parts[2] == "raw":
        return RAW
    return "unfinished files" if UNFINISHED in path.name else ROW_FILES.get(path.name)
