"""Ensembles of decision trees in ONNX files: how many trees they have, and the same ensemble with fewer of them.

Three operators of `ai.onnx.ml` hold them: TreeEnsembleClassifier, TreeEnsembleRegressor and, since its version 5,
TreeEnsemble. A boosted ensemble is a sum over its trees in the order of boosting, for each class on its own; the first
trees of each class are the model after fewer rounds. A forest is a mean over its trees.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fairweight.inference.operator_kinds import attributes

ML = "ai.onnx.ml"
OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")
# attributes of the older operators with one entry for each node and each leaf: suffixes, behind `nodes_`, and behind
# `class_` or `target_`
OF_NODES = (
    "treeids",
    "nodeids",
    "featureids",
    "values",
    "values_as_tensor",
    "hitrates",
    "hitrates_as_tensor",
    "modes",
    "truenodeids",
    "falsenodeids",
    "missing_value_tracks_true",
)
OF_LEAVES = ("treeids", "nodeids", "ids", "weights", "weights_as_tensor")
AVERAGE = {b"AVERAGE", 0}  # aggregate functions that renormalise by themselves
MEMBER = 6  # mode of a TreeEnsemble node that compares with a set of values
TOLERANCE = 1e-3

Array = NDArray[Any]


def is_ensemble(node: onnx.NodeProto) -> bool:
    """Whether a node is an ensemble of trees."""
    return node.domain == ML and node.op_type in OPERATORS


@dataclass(frozen=True)
class Trees:
    """Trees of one ensemble.

    Attributes:
        groups: for each class or set of classes, the trees that vote for it, in order; a forest has one group.
        forest: whether every leaf holds shares of one vote, so that the sum over all trees is a mean.
    """

    groups: list[list[int]]
    forest: bool

    @property
    def number(self) -> int:
        """Number of trees."""
        return sum(map(len, self.groups))

    def first(self, share: float | None = None, trees: int | None = None) -> set[int]:
        """The first trees of each group: a share of them, at least one, or a number."""
        sizes = [trees if trees is not None else math.ceil((share or 1.0) * len(group)) for group in self.groups]
        return {tree for group, size in zip(self.groups, sizes, strict=True) for tree in group[: max(1, size)]}


def trees_in(node: onnx.NodeProto) -> Trees:
    """Read which trees an ensemble has."""
    about = attributes(node)
    if node.op_type == "TreeEnsemble":
        weights = numpy_helper.to_array(about["leaf_weights"]).astype(float)
        targets = about["leaf_targetids"]
        leaves = [(tree, leaf) for tree, root in enumerate(about["tree_roots"]) for leaf in _reached(about, root)[1]]
        entries = [(tree, leaf, targets[leaf], weights[leaf]) for tree, leaf in leaves]
        order = list(range(len(about["tree_roots"])))
    else:
        kind = _kind(about)
        columns = [about[f"{kind}_{suffix}"] for suffix in ("treeids", "nodeids", "ids")]
        entries = list(zip(*columns, _values(about, f"{kind}_weights"), strict=True))
        order = list(dict.fromkeys(about["nodes_treeids"]))
    return Trees(_groups(entries, order), _is_forest(entries, about.get("post_transform", b"NONE") in (b"NONE", 0)))


def _kind(about: dict[str, Any]) -> str:
    return "class" if "class_treeids" in about else "target"


def _values(about: dict[str, Any], name: str) -> list[float]:
    """An attribute that is a list of floats, or a tensor of floats or doubles."""
    tensor = about.get(f"{name}_as_tensor")
    return list(numpy_helper.to_array(tensor) if tensor is not None else about[name])


def _groups(entries: Iterable[tuple[int, int, int, float]], order: list[int]) -> list[list[int]]:
    """Trees by the classes of their leaves, each group in the order of the file."""
    classes: dict[int, set[int]] = defaultdict(set)
    for tree, _, target, _ in entries:
        classes[tree].add(target)
    groups: dict[frozenset[int], list[int]] = defaultdict(list)
    several = max(map(len, classes.values()), default=1) > 1
    for tree in order:  # pure leaves of a forest may name some of the classes only: then all trees are one group
        groups[frozenset() if several else frozenset(classes[tree])].append(tree)
    return list(groups.values())


def _is_forest(entries: Iterable[tuple[int, int, int, float]], plain: bool) -> bool:
    """Whether the weights of every leaf are shares of one vote of a tree, and not corrections of other trees.

    Args:
        entries: tree, leaf, class and weight.
        plain: whether the sum is returned as it is.
    """
    votes: dict[tuple[int, int], float] = defaultdict(float)
    classes, negative = set(), False
    for tree, leaf, target, weight in entries:
        votes[tree, leaf] += float(weight)
        classes.add(target)
        negative |= weight < 0
    sums = np.array(list(votes.values()))
    equal = len(classes) == 1 or np.allclose(sums, sums.mean(), rtol=TOLERANCE)
    return bool(plain and not negative and equal and len(sums))


# ---- fewer trees


def keep_trees(node: onnx.NodeProto, kept: set[int], factor: float) -> None:
    """Leave out trees, in place.

    Args:
        node: an ensemble.
        kept: trees that stay.
        factor: what the weights of the leaves are multiplied by.
    """
    about = attributes(node)
    changed = (_fewer_roots if node.op_type == "TreeEnsemble" else _fewer_ids)(about, kept, factor)
    for attribute in list(node.attribute):
        if attribute.name in changed:
            node.attribute.remove(attribute)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in changed.items() if _length(value))


def _length(value: Any) -> int:
    return math.prod(value.dims) if isinstance(value, TensorProto) else len(value)


def _selected(value: Any, rows: list[int]) -> Any:
    """Some entries of an attribute, in its type."""
    if isinstance(value, TensorProto):
        return numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(value)[rows]), value.name)
    return [value[row] for row in rows]


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, TensorProto):
        array = numpy_helper.to_array(value)
        return numpy_helper.from_array((array * factor).astype(array.dtype), value.name)
    return [weight * factor for weight in value]


def _fewer_ids(about: dict[str, Any], kept: set[int], factor: float) -> dict[str, Any]:
    """Changed attributes of an ensemble whose nodes name their trees."""
    changed, kind = {}, _kind(about)
    for prefix, suffixes in (("nodes", OF_NODES), (kind, OF_LEAVES)):
        rows = [row for row, tree in enumerate(about[f"{prefix}_treeids"]) if tree in kept]
        for name in (f"{prefix}_{suffix}" for suffix in suffixes):
            if name in about and _length(about[name]):
                changed[name] = _selected(about[name], rows)
    for name in (f"{kind}_weights", f"{kind}_weights_as_tensor"):
        if name in changed and factor != 1:
            changed[name] = _scaled(changed[name], factor)
    return changed


def _reached(about: dict[str, Any], root: int) -> tuple[list[int], list[int]]:
    """Nodes and leaves of a tree."""
    nodes, leaves, waiting = set(), set(), [root]
    while waiting:
        node = waiting.pop()
        nodes.add(node)
        for side in ("true", "false"):
            child = about[f"nodes_{side}nodeids"][node]
            if about[f"nodes_{side}leafs"][node]:
                leaves.add(child)
            elif child not in nodes:
                waiting.append(child)
    return sorted(nodes), sorted(leaves)


def _fewer_roots(about: dict[str, Any], kept: set[int], factor: float) -> dict[str, Any]:
    """Changed attributes of an ensemble whose nodes point to each other."""
    roots = [root for tree, root in enumerate(about["tree_roots"]) if tree in kept]
    reached = [_reached(about, root) for root in roots]
    nodes, leaves = (sorted(set().union(*(pair[i] for pair in reached))) for i in (0, 1))
    places = {node: i for i, node in enumerate(nodes)}, {leaf: i for i, leaf in enumerate(leaves)}
    changed: dict[str, Any] = {"tree_roots": [places[0][root] for root in roots]}
    for name in ("featureids", "splits", "modes", "hitrates", "missing_value_tracks_true", "trueleafs", "falseleafs"):
        if (value := about.get(f"nodes_{name}")) is not None and _length(value):
            changed[f"nodes_{name}"] = _selected(value, nodes)
    for side in ("true", "false"):
        children, is_leaf = about[f"nodes_{side}nodeids"], about[f"nodes_{side}leafs"]
        changed[f"nodes_{side}nodeids"] = [places[1 if is_leaf[node] else 0][children[node]] for node in nodes]
    changed["leaf_targetids"] = _selected(about["leaf_targetids"], leaves)
    changed["leaf_weights"] = _scaled(_selected(about["leaf_weights"], leaves), factor)
    if (members := about.get("membership_values")) is not None:
        changed["membership_values"] = _members(numpy_helper.to_array(about["nodes_modes"]), members, nodes)
    return changed


def _members(modes: Array, members: onnx.TensorProto, nodes: list[int]) -> onnx.TensorProto:
    """Sets of values of the nodes that stay: in the order of the nodes that have one, each ending in NaN."""
    values, kept = numpy_helper.to_array(members), set(nodes)
    ends = np.flatnonzero(np.isnan(values)) + 1
    sets = np.split(values, ends)
    owners = np.flatnonzero(modes == MEMBER).tolist()
    stay = [part for owner, part in zip(owners, sets, strict=False) if owner in kept]
    return numpy_helper.from_array(np.concatenate(stay) if stay else values[:0], members.name)


def average(node: onnx.NodeProto) -> bool:
    """Whether an ensemble divides by its number of trees itself."""
    return attributes(node).get("aggregate_function", b"SUM") in AVERAGE
