"""The file that ships of each variant: which seed it is of, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd

from fairweight.core.frames import where
from fairweight.core.operations import GIVEN
from fairweight.evaluation import shipped
from fairweight.reporting.report.results import Results

KEYS = ("dataset", "augmentation", "model", "variant")
Cell = Mapping[str, str]  # KEYS; in places with an engine


@dataclass(frozen=True)
class ShippedFile:
    """One exported file of a variant.

    Attributes:
        seed: seed that it is of.
        seeds: number of seeds that there are files of.
        validation: its accuracy on validation rows, by which it was chosen; None where it was not.
        engine: engine whose predictions chose it; None where none did.
        elsewhere: engine -> seed that its predictions would have chosen, where that is another one.
    """

    seed: int
    seeds: int
    validation: float | None = None
    engine: str | None = None
    elsewhere: Mapping[str, int] = field(default_factory=dict)


def cells_with_files(assessments: pd.DataFrame) -> list[dict[str, str]]:
    """Dataset, augmentation, model and variant of everything that has files; given scores have none."""
    cells = assessments[assessments["engine"] != GIVEN][list(KEYS)].drop_duplicates()
    return [{str(k): str(v) for k, v in row.items()} for row in cells.to_dict("records")]


def shipped_file(results: Results, cell: Cell) -> ShippedFile:
    """Choose the file of a variant that ships.

    It is the one of the table `shipped`, in the engine that the variant is recommended in, or else the first engine of
    the study. What is not decided on, such as a replicate, is chosen by the same rule. A file that no accuracy can
    choose, such as that of a language model, is that of the first seed.

    Args:
        results: the study.
        cell: dataset, augmentation, model and variant.
    """
    own = where(results.assessments, {key: cell[key] for key in KEYS})
    seeds = int(own["seed"].nunique())
    choices = _choices(results, cell, own)
    if not choices:
        return ShippedFile(int(own["seed"].min()), seeds)
    engine = next((e for e in _recommended_in(results, cell) if e in choices), next(iter(choices)))
    seed, validation = choices[engine]
    elsewhere = {name: other for name, (other, _) in choices.items() if other != seed}
    return ShippedFile(seed, seeds, validation, engine if validation is not None else None, elsewhere)


def path_of(cell: Cell, seed: int) -> PurePosixPath:
    """Folder of a variant's file, below the study's folder."""
    return PurePosixPath(f"seed-{seed}", *(cell[key] for key in KEYS))


def _choices(results: Results, cell: Cell, own: pd.DataFrame) -> dict[str, tuple[int, float | None]]:
    """Engine, in the order of the study file -> seed that it chooses, and its accuracy on validation rows."""
    decided = where(results.shipped, {key: cell[key] for key in KEYS}).set_index("engine")
    accuracy = shipped.choices(own)
    choices: dict[str, tuple[int, float | None]] = {}
    for engine in results.study["engines"]:
        rows = accuracy[accuracy["engine"] == engine]
        if engine in decided.index:
            entry = decided.loc[engine]
        elif rows["part"].eq("test").any():
            entry = pd.Series({"validation": None} | shipped.chosen(rows), dtype=object)
        else:
            continue
        validation = None if pd.isna(entry["validation"]) else float(entry["validation"])
        choices[engine] = (int(entry["seed"]), validation)
    return choices


def _recommended_in(results: Results, cell: Cell) -> list[str]:
    """Engines in which the study recommends a variant."""
    rows = where(results.decisions, {key: cell[key] for key in KEYS})
    return [str(engine) for engine in rows.loc[rows["recommended"].astype(bool), "engine"]]
