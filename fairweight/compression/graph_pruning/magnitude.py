"""The smallest weights of each layer become zero: the file keeps its size, and is smaller where it is compressed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from fairweight.compression.foreign_graphs import LAYOUT, reads_weight
from fairweight.compression.not_applicable import NotApplicable
from fairweight.inference.operator_kinds import graphs, nodes

OPTIONS = {
    "sparsity": {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the weights of each layer that become zero.",
    },
}
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
VERDICT = "zeros: no smaller without compression"  # under zstd, or as an archive


class Report(TypedDict):
    """Name of the method, share of zeros of all layers (`all`) and by tensor, and what that means for the file."""

    method: str
    sparsity: dict[str, float]
    verdict: str


def prune(source: Path, destination: Path, *, sparsity: float) -> Report:
    """Write the file with zeros and return the report.

    The share is that of each layer: scales of layers differ where an exporter has folded normalisations into them.

    Args:
        source, destination: ONNX files.
        sparsity: see OPTIONS.

    Raises:
        NotApplicable: the graph has no stored matrix or kernel of floats that a layer multiplies by.
    """
    proto = onnx.load(str(source))
    weights = dict(_weights(proto))
    if not weights:
        raise NotApplicable("magnitude takes stored matrices and kernels of floats, and this model has none")
    zeros, shares = 0, {}
    for name, tensor in weights.items():
        values = numpy_helper.to_array(tensor).copy()
        smallest = np.argsort(np.abs(values), axis=None, kind="stable")[: round(sparsity * values.size)]
        values.reshape(-1)[smallest] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        number = int((values == 0).sum())
        zeros, shares[name] = zeros + number, number / values.size
    total = sum(int(np.prod(tensor.dims)) for tensor in weights.values())
    onnx.save(proto, str(destination))
    return {"method": "magnitude", "sparsity": {"all": zeros / total, **shares}, "verdict": VERDICT}


def _weights(proto: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    """Yield the stored tensors that products read, as they are or rearranged, by name."""
    every = list(nodes(proto.graph))
    stored = {tensor.name: tensor for graph in graphs(proto.graph) for tensor in graph.initializer}
    constants = {node.output[0]: node for node in every if node.op_type == "Constant"}
    producers = {name: node for node in every for name in node.output if node.op_type in LAYOUT}
    waiting = [name for node in every for i, name in enumerate(node.input) if reads_weight(node, i)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        if name in producers:
            waiting.extend(producers[name].input)
        tensor = stored.get(name) or (_tensor_of(constants[name]) if name in constants else None)
        if tensor is not None and tensor.data_type in FLOATS and len(tensor.dims) > 1:
            yield name, tensor


def _tensor_of(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor inside a Constant node, which can be changed in place."""
    return next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
