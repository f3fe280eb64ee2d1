"""Cells of the grid, and what the path of a file says of its lineage (standard library only)."""

from pathlib import Path
from typing import Any

from fairweight.core.local_files import expanded, workflow_input

CELL = [
    "dataset",
    "augmentation",
    "model",
    "variant",
    "engine",
]  # columns that name a cell of the grid, without the seed
COMPARISON = [name for name in CELL if name != "variant"]  # columns that name one comparison of variants
FAMILY = ["dataset", "augmentation", "model"]  # columns of variants that are decided on and corrected for together
MEASURE = [
    *CELL,
    "measure",
    "attribute",
    "group",
    "batch_size",
    "unit",
    "status",
]  # columns that name one measure of a cell


def lineage_of(path: str, results: str) -> dict[str, Any]:
    """Seed, dataset, augmentation, model, variant and engine of a file, as far as its path goes.

    Args:
        path: a file below `results`, in `data`, `seed-N`, `profile` or `compared`.
        results: the study's folder.
    """
    parts = Path(path).relative_to(results).parts[:-1]
    if parts[0] == "data":
        return {"dataset": parts[1]}
    if parts[0] == "profile":
        engine = Path(path).name.removesuffix(".parquet").removesuffix(".rounds").removesuffix(".profile.usage.json")
        return {"dataset": parts[1], "model": parts[2], "engine": engine}
    if parts[0] == "compared":
        return dict(zip(COMPARISON, parts[1:], strict=True))
    return {"seed": int(parts[0].removeprefix("seed-")), **dict(zip(CELL, parts[1:], strict=False))}


def variant_name(variant: str, augmentation: str, compared: str) -> str:
    """Name of a variant among those of one augmentation; one with another augmentation is named with it."""
    return variant if augmentation == compared else f"{variant} ({augmentation})"


def local_path(reference: str) -> Path:
    """Path of a `file:` source, given without its scheme; what follows `#` is a member of that archive.

    Raises:
        InputError: there is no such home folder, or the path cannot be an input of a rule.
    """
    return workflow_input(expanded(reference.partition("#")[0]))
