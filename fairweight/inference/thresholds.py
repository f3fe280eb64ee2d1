"""Decisions of a file that has thresholds by group."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import onnx
from numpy.typing import NDArray

from fairweight.core.random_streams import generator

ADJUSTMENT = "fairweight.adjustment"  # key in the file's metadata
Array = NDArray[Any]


class Member(TypedDict):
    """One member of a group's mixture of thresholds: positive above a bound, below a bound, always or never."""

    weight: float  # probability that a row of the group is decided by this member
    always: bool
    above: NotRequired[float | None]  # None is an infinite bound: always or never
    below: NotRequired[float | None]


class Adjustment(TypedDict):
    """Thresholds by group, as the file's metadata hold them."""

    attribute: str
    groups: dict[str, list[Member]]  # level of the attribute -> members of its mixture
    draws: list[Any]  # key of the random stream


class Thresholds:
    """Decisions of a file that has thresholds by group, for rows that are given some at a time, in ascending order.

    A group with several members decides at random. The draw of each row is keyed by the file and the row, so that a row
    always gets the same decision. A row of no group, or of a group without thresholds, is positive from a score of 0.5.

    Args:
        adjustment: thresholds, as the file's metadata hold them.
    """

    def __init__(self, adjustment: Adjustment) -> None:
        self._adjustment = adjustment
        self._rng, self._drawn = generator("adjust", *adjustment["draws"]), 0

    @classmethod
    def read(cls, path: str | Path) -> "Thresholds | None":
        """Read them from an ONNX file; None for a file without thresholds."""
        metadata = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
        return cls(json.loads(metadata[ADJUSTMENT])) if ADJUSTMENT in metadata else None

    def decisions(
        self, scores: Array, rows: Array, groups: Mapping[str, Array], levels: Mapping[str, Sequence[str]]
    ) -> Array:
        """Compute decisions, 0 or 1 (n,).

        Args:
            scores: probability of the positive class (n,).
            rows: row ids (n,), above those of earlier calls.
            groups: attribute -> codes into its levels (n,).
            levels: attribute -> names of its levels.
        """
        attribute = self._adjustment["attribute"]
        codes = groups[attribute]
        chance = (scores >= 0.5).astype(float)
        for level, members in self._adjustment["groups"].items():
            in_group = codes == levels[attribute].index(level)
            chance[in_group] = sum(m["weight"] * _positive(m, scores[in_group]) for m in members)
        first, self._drawn = self._drawn, max(self._drawn, int(rows.max(initial=-1)) + 1)
        draws = self._rng.random(self._drawn - first)
        decided: Array = (draws[rows - first] < chance).astype(np.int64)
        return decided


def _positive(member: Member, scores: Array) -> Array:
    """Decisions of one member, 0 or 1 (n,)."""
    if member["always"]:
        return np.ones(len(scores))
    bound = member.get("above", member.get("below"))
    if bound is None:
        return np.zeros(len(scores))
    return (scores > bound if "above" in member else scores < bound).astype(float)
