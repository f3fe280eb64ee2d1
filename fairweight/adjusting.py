"""Decision thresholds by group, fitted on validation rows and shipped inside the parent's file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fairweight import components
from fairweight.artifacts import atomic, read_split, read_table, write_json
from fairweight.errors import InputError
from fairweight.feeding import Fed
from fairweight.randomness import generator
from fairweight.shipped import read_signature, write_beside

ADJUSTMENT = "fairweight.adjustment"  # key in the file's metadata
Array = np.ndarray[Any, Any]
BATCH = 256


def adjust(
    *, parent: str, table: str, split: str, destination: str, report: str, recipe: dict[str, Any], variant: str, seed: int
) -> None:  # fmt: skip
    """Fit thresholds to the scores of a parent's file, and write the file with the thresholds in its metadata.

    Args:
        parent: the parent's ONNX file.
        table, split: Parquet files of the data; thresholds are fitted on validation rows.
        destination: ONNX file to write: the parent's graph, and what turns its scores into decisions.
        report: JSON file to write: the thresholds by group.
        recipe: `method` and its options.
        variant, seed: key of the draws of a randomized decision.

    Raises:
        InputError: the label is not binary, or the method cannot be fitted to these groups.
    """
    place = f"variants: {variant}: adjust"
    rows = read_table(table).take(read_split(split)["validation"])
    attribute = recipe["attribute"]
    if len(rows.classes) != 2:
        raise InputError(f"{place}: takes a binary label, not {len(rows.classes)} classes.")
    rows = rows.take(np.flatnonzero(rows.groups[attribute] >= 0))
    if not len(rows):
        raise InputError(f"{place}: no validation row has a value of {attribute!r}.")
    run = components.load("engines", "onnxruntime")(parent, threads=1)
    signature = read_signature(parent)
    scores = Fed.of(signature, rows).outputs(run, BATCH)[:, 1]
    options = components.chosen(recipe)
    try:
        mixtures = components.load("adjustments", recipe["method"])(
            scores, rows.label, rows.groups[attribute], **options
        )
    except InputError as error:
        raise InputError(f"{place}: {error}.") from None
    levels = rows.group_levels[attribute]
    about = {
        "attribute": attribute,
        "groups": {levels[code]: [_finite(m) for m in members] for code, members in mixtures.items()},
        "draws": [variant, seed],
    }
    proto = onnx.load(parent)
    proto.metadata_props.add(key=ADJUSTMENT, value=json.dumps(about, ensure_ascii=False))
    with atomic(destination) as temporary:
        temporary.write_bytes(proto.SerializeToString())
    write_beside(destination, signature)
    write_json(report, {"method": recipe["method"], "rows": len(rows), **about})


def _finite(member: dict[str, Any]) -> dict[str, Any]:
    """Infinite thresholds as null: JSON has no infinity."""
    return {k: None if k != "weight" and np.isinf(v) else v for k, v in member.items()} | (
        {"always": (member.get("above", 0) == -np.inf) or (member.get("below", 0) == np.inf)}
    )


def decisions(
    path: str | Path, scores: Array | None, rows: Array, groups: dict[str, Array], levels: dict[str, Any]
) -> Array | None:
    """Decisions of a file that has thresholds by group; None for one that has none.

    A group with several members decides by chance: each row's draw is keyed by the file and the row, so that the same row
    is always decided alike.  A row of no group, or of a group without thresholds, is positive from a score of 0.5.

    Args:
        path: ONNX file.
        scores: probability of the positive class (n,).
        rows: row ids (n,).
        groups, levels: of these rows.
    """
    stated = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    if ADJUSTMENT not in stated or scores is None:
        return None
    about = json.loads(stated[ADJUSTMENT])
    codes = groups[about["attribute"]]
    chance = (scores >= 0.5).astype(float)
    for level, members in about["groups"].items():
        member = codes == levels[about["attribute"]].index(level)
        chance[member] = sum(m["weight"] * _positive(m, scores[member]) for m in members)
    draws = generator("adjust", *about["draws"]).random(int(rows.max()) + 1)
    decided: Array = (draws[rows] < chance).astype(np.int64)
    return decided


def _positive(member: dict[str, Any], scores: Array) -> Array:
    if member["always"]:
        return np.ones(len(scores))
    bound = member.get("above", member.get("below"))
    if bound is None:
        return np.zeros(len(scores))
    return (scores > bound if "above" in member else scores < bound).astype(float)
