"""The first trees of a boosted ensemble or of a forest: fewer rounds of boosting, or fewer votes."""

from pathlib import Path
from typing import TypedDict

import onnx

from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.tree_ensembles import average, is_ensemble, keep_trees, trees_in
from fairweight.inference.operator_kinds import nodes

OPTIONS = {
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.5,
        "description": "Share of the trees of each class that stay; the first ones.",
    },
    "trees": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Number of trees of each class that stay, instead of a share: rounds of boosting.",
    },
}


class Report(TypedDict):
    """Name of the method, trees before and after, and whether the ensemble is a forest, whose votes are rescaled."""

    method: str
    verdict: str
    trees_before: int
    trees: int
    forest: bool


def prune(source: Path, destination: Path, *, share: float, trees: int | None) -> Report:
    """Write the file with fewer trees and return the report.

    A boosted ensemble keeps its base values, and for each class its first trees. The leaves of a forest are multiplied,
    so that the votes of the trees that stay add up to one.

    Args:
        source, destination: ONNX files.
        share, trees: see OPTIONS.

    Raises:
        NotApplicable: the graph has no ensemble of trees, or all trees would stay.
    """
    proto = onnx.load(str(source))
    before = after = 0
    forest = False
    for node in nodes(proto.graph):
        if not is_ensemble(node):
            continue
        ensemble = trees_in(node)
        kept = ensemble.first(share, trees)
        before, after = before + ensemble.number, after + len(kept)
        is_mean = ensemble.forest and not average(node)
        forest |= ensemble.forest or average(node)
        if len(kept) < ensemble.number:
            keep_trees(node, kept, ensemble.number / len(kept) if is_mean else 1.0)
    if not before:
        raise NotApplicable("fewer_trees takes ensembles of decision trees, and this model has none")
    if after == before:
        raise NotApplicable(f"fewer_trees would keep all {before} trees")
    onnx.save(proto, str(destination))
    return {
        "method": "fewer_trees",
        "verdict": f"{after} of {before} trees",
        "trees_before": before,
        "trees": after,
        "forest": forest,
    }
