"""Run a graph in parts, from one product of weights to the next, and change the products on the way.

Each product sees the inputs that it will get in the finished file: those from products that were changed before it.
Every part of the graph is run once for each calibration batch, however many products there are.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fairweight.training.signature import Feeds

Array = NDArray[Any]


@dataclass
class Site:
    """Products that read the same tensor.

    Attributes:
        source: name of that tensor.
        products: the MatMul nodes, in the order of the graph.
    """

    source: str
    products: list[onnx.NodeProto] = field(default_factory=list)


def sites(graph: onnx.GraphProto) -> list[Site]:
    """Products of a stored matrix, grouped by their input, in the order of the graph."""
    stored = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 2}
    groups: dict[str, Site] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in stored and node.input[0] not in stored:
            groups.setdefault(node.input[0], Site(node.input[0])).products.append(node)
    return list(groups.values())


def walk(
    proto: onnx.ModelProto, batches: list[Feeds], change: Callable[[Site, list[Array]], list[onnx.NodeProto] | None]
) -> None:
    """Run a graph up to each site in turn, in place.

    Args:
        proto: a graph whose nodes are sorted.
        batches: inputs of the graph.
        change: called for each site with its inputs (..., k) of every batch; it returns the nodes that replace its
            products, or None. It adds their stored tensors to the graph by itself.
    """
    graph, states = proto.graph, [dict(feeds) for feeds in batches]
    done = 0
    for site in sites(graph):
        start = _position(graph, site.products[0])
        _advance(proto, states, done, start)
        done = start
        replaced = change(site, [state[site.source] for state in states])
        if replaced is not None:
            for node in site.products:
                graph.node.remove(node)
            for node in reversed(replaced):
                graph.node.insert(start, node)


def _position(graph: onnx.GraphProto, wanted: onnx.NodeProto) -> int:
    return next(i for i, node in enumerate(graph.node) if node.output[0] == wanted.output[0])


def _advance(proto: onnx.ModelProto, states: list[Feeds], start: int, stop: int) -> None:
    """Run the nodes from `start` to `stop` for all batches; states keep what later nodes read."""
    every = list(proto.graph.node)
    inside, later = every[start:stop], {name for node in every[stop:] for name in node.input}
    made = {name for node in inside for name in node.output if name}
    wanted = sorted(made & later)
    if wanted:
        run = part(proto, inside, states[0], wanted)
        for state in states:
            state.update(run(state))
    for state in states:
        for name in set(state) - later:
            del state[name]


def part(
    proto: onnx.ModelProto,
    inside: list[onnx.NodeProto],
    known: Feeds,
    wanted: list[str],
    replaced: Mapping[str, Array] | None = None,
) -> Callable[[Feeds], Feeds]:
    """Load some nodes of a graph.

    Args:
        proto: the whole graph.
        inside: the nodes, sorted.
        known: an array, of any size, for each tensor that they read and do not compute.
        wanted: tensors that they compute.
        replaced: stored tensors that get other values here, by name.

    Returns:
        A function from known tensors, and others that it ignores, to the wanted ones, by name.
    """
    read = {name for node in inside for name in node.input}
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), [f"{name}.{axis}" for axis in range(array.ndim)]
        )
        for name, array in known.items()
        if name in read
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in wanted]
    other = replaced or {}
    tensors = [tensor for tensor in proto.graph.initializer if tensor.name in read - set(other)]
    tensors += [numpy_helper.from_array(array, name) for name, array in other.items() if name in read]
    graph = helper.make_graph(inside, "part", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in inputs]

    def run(state: Feeds) -> Feeds:
        return dict(zip(wanted, session.run(wanted, {name: state[name] for name in names}), strict=True))

    return run


def moment(inputs: Iterable[Array]) -> NDArray[np.float64]:
    """Mean of x x' over all rows x (k,) of some arrays (..., k)."""
    total: Array | float = 0.0
    rows = 0
    for array in inputs:
        flat = array.reshape(-1, array.shape[-1])
        total = total + (flat.T @ flat).astype(np.float64)
        rows += len(flat)
    return np.asarray(total) / max(1, rows)


def matrices(graph: onnx.GraphProto, site: Site) -> dict[str, Array]:
    """Weights of the products of a site, outputs x inputs, by the name of the stored tensor."""
    wanted = {node.input[1] for node in site.products}
    return {t.name: np.ascontiguousarray(numpy_helper.to_array(t).T) for t in graph.initializer if t.name in wanted}
