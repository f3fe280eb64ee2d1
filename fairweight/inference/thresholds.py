"""Decisions of a file that has thresholds by group."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fairweight.core.random_streams import generator

ADJUSTMENT = "fairweight.adjustment"  # key in the file's metadata
Array = np.ndarray[Any, Any]


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
