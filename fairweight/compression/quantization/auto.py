"""Static quantization where the graph has convolutions, dynamic where it has only other layers; both with defaults."""

from pathlib import Path

from fairweight.compression.calibration import Calibration
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph, weighted_nodes
from fairweight.compression.tree_ensembles import is_ensemble
from fairweight.core import components
from fairweight.inference.operator_kinds import Kind, kind, nodes

OPTIONS: dict[str, dict[str, object]] = {}
DELEGATES = True  # loads other methods of this folder by name


def quantize(source: Path, destination: Path, calibration: Calibration) -> str:
    """Write the quantized file and return the name of the method that was chosen.

    Dynamic quantization makes convolutions slower than float (measured: half the speed of a ResNet-18), and static
    quantization needs calibration, which networks of linear layers can do without.

    Raises:
        NotApplicable: the graph has no layers, such as a model of decision trees.
    """
    proto = load_graph(source)
    layers = set(weighted_nodes(proto))
    every = list(nodes(proto.graph))
    if not any(kind(node.op_type, node.domain) is not Kind.NONE for node in every):
        raise NotApplicable(_reason(any(is_ensemble(node) for node in every)))
    convolves = any(node.op_type == "Conv" and node.name in layers for node in proto.graph.node)
    method = "static" if convolves else "dynamic"
    defaults = {name: option["default"] for name, option in components.options("quantization", method).items()}
    chosen: str = components.load("quantization", method)(source, destination, calibration, **defaults)
    return chosen


def _reason(trees: bool) -> str:
    if trees:
        return (
            "decision trees have no weights to quantize; take fewer trees (prune_onnx: {method: fewer_trees}), or "
            "distill the model into a network"
        )
    return "the model has no layers with stored weights"
