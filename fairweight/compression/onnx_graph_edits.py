"""Edits and queries of ONNX graphs that quantization methods share.

A stored tensor may have any number of users: layers that share weights, the same matrix once as it is and once
transposed, an embedding that is also the last layer, the body of a loop, an output of the graph. An edit for one user
must not change what the others read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fairweight.compression.foreign_graphs import (
    constant_tensor,
    fold_layouts,
    linear_models_to_products,
    modernise,
    narrow_products,
)
from fairweight.inference.operator_kinds import Kind, attributes, graphs, kind, nodes
from fairweight.inference.quantized_weights import COPY, dense, parameter

MULTIPLY = ("Conv", "Gemm", "MatMul")


def load_graph(source: Path) -> onnx.ModelProto:
    """Read an ONNX file in the form that quantizers take: the same function, with products of doubles in float32.

    Nodes have names. Stored tensors are initializers of the whole graph: none is also an input or an output of it,
    belongs to a branch or loop, is stored beside the file, in sparse form, behind an Identity or, if a product reads
    it, in a Constant node.
    """
    proto = modernise(onnx.load(str(source)))
    _name_nodes(proto.graph)
    for graph in graphs(proto.graph):
        for sparse in graph.sparse_initializer:
            graph.initializer.append(numpy_helper.from_array(dense(sparse), sparse.values.name))
        del graph.sparse_initializer[:]
    _lift_initializers(proto.graph)
    _lift_constants(proto.graph)
    stored = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in stored]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    _read_through_identities(proto.graph)
    _separate_outputs(proto.graph)
    narrow_products(proto)
    linear_models_to_products(proto)
    fold_layouts(proto)
    remove_unused(proto.graph)
    return proto


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give a name to every node that has none."""
    taken = {node.name for node in nodes(graph)}
    for number, node in enumerate(nodes(graph)):
        if not node.name:
            node.name = _free(f"{node.op_type}_{number}", taken)


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with a number that no other one has; it is taken afterwards."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}.{number}", number + 1
    taken.add(free)
    return free


def _tensor_names(graph: onnx.GraphProto) -> set[str]:
    """Names of all tensors of a graph and the graphs inside it."""
    names = {tensor.name for each in graphs(graph) for tensor in each.initializer}
    names |= {value.name for each in graphs(graph) for value in (*each.input, *each.output)}
    return names | {name for node in nodes(graph) for name in (*node.input, *node.output)}


def _rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Let all nodes of a graph, and of the graphs inside it, read other tensors; a graph inside may return them."""
    for node in nodes(graph):
        node.input[:] = [names.get(name, name) for name in node.input]


def _lift_initializers(graph: onnx.GraphProto) -> None:
    """Move initializers of branches and loops into the whole graph."""
    taken = _tensor_names(graph)
    for inside in list(graphs(graph))[1:]:
        names: dict[str, str] = {}
        for tensor in inside.initializer:
            lifted = graph.initializer.add()
            lifted.CopyFrom(tensor)
            names[tensor.name] = lifted.name = _free(f"{tensor.name}.inside", taken)
        del inside.initializer[:]
        _rename_inputs(inside, names)
        _return_by_identity(inside, names)


def _return_by_identity(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Let a graph return tensors under their old names (old -> new)."""
    for value in graph.output:
        if value.name in names:
            name = f"{value.name}.returned"
            graph.node.append(helper.make_node("Identity", [names[value.name]], [value.name], name=name))


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Make initializers of the constants that products read."""
    read = {name for node in nodes(graph) if kind(node.op_type, node.domain) is not Kind.NONE for name in node.input}
    taken = _tensor_names(graph)
    for each in graphs(graph):
        names: dict[str, str] = {}
        for node in [n for n in each.node if n.op_type == "Constant" and n.output[0] in read]:
            if (value := constant_tensor(node)) is not None:
                lifted = graph.initializer.add()
                lifted.CopyFrom(value)
                lifted.name = node.output[0] if each is graph else _free(f"{node.output[0]}.inside", taken)
                names[node.output[0]] = lifted.name
                each.node.remove(node)
        if each is not graph:
            _rename_inputs(each, names)
            _return_by_identity(each, names)


def _read_through_identities(graph: onnx.GraphProto) -> None:
    """Remove nodes that give a stored tensor a second name."""
    stored = {tensor.name for tensor in graph.initializer}
    names: dict[str, str] = {}
    returned = {value.name for each in graphs(graph) for value in each.output}
    for node in list(graph.node):
        source = names.get(node.input[0], node.input[0]) if node.op_type == "Identity" else ""
        if source in stored and node.output[0] not in returned:
            names[node.output[0]] = source
            graph.node.remove(node)
    _rename_inputs(graph, names)


def _separate_outputs(graph: onnx.GraphProto) -> None:
    """Store initializers that are also outputs under another name, from which the graph returns them."""
    returned = {value.name for value in graph.output}
    taken = _tensor_names(graph)
    names: dict[str, str] = {}
    for tensor in graph.initializer:
        if tensor.name in returned:
            names[tensor.name] = _free(f"{tensor.name}.stored", taken)
            tensor.name = names[tensor.name]
    _rename_inputs(graph, names)
    _return_by_identity(graph, names)


# ---- users of stored tensors


def _uses(graph: onnx.GraphProto) -> dict[str, list[tuple[onnx.NodeProto, int]]]:
    """Stored tensor -> (node, position among its inputs) of everything that reads it."""
    stored = {tensor.name for tensor in graph.initializer}
    users: dict[str, list[tuple[onnx.NodeProto, int]]] = defaultdict(list)
    for node in nodes(graph):
        for position, name in enumerate(node.input):
            if name in stored:
                users[name].append((node, position))
    return users


def separate_uses(proto: onnx.ModelProto) -> None:
    """Give every product its own copy of the stored tensors that it shares, in place; `merge_copies` undoes it.

    A quantizer computes scales for a use: of weights by the axis of their output channels, of a bias by the scale of
    the layer's inputs. A matrix that a product reads transposed becomes a copy, because quantizers take stored ones.
    """
    graph = proto.graph
    _fold_transposes(graph)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    taken = _tensor_names(graph)
    for name, users in _uses(graph).items():
        products = [(n, i) for n, i in users if kind(n.op_type, n.domain) in (Kind.FLOAT, Kind.PACKED)]
        for number, (node, position) in enumerate(products[1:], start=2):
            node.input[position] = _copy(graph, tensors[name], _free(f"{name}{COPY}{number}", taken)).name


def _copy(graph: onnx.GraphProto, tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    copied = graph.initializer.add()
    copied.CopyFrom(tensor)
    copied.name = name
    return copied


def _fold_transposes(graph: onnx.GraphProto) -> None:
    """Store matrices that products read transposed in that form, under the name of the original and a mark."""
    tensors, taken = {tensor.name: tensor for tensor in graph.initializer}, _tensor_names(graph)
    products = [n for n in nodes(graph) if n.op_type in MULTIPLY]
    for node in list(graph.node):
        readers = [n for n in products if node.output[0] in n.input[1:2]] if node.op_type == "Transpose" else []
        tensor = tensors.get(node.input[0]) if readers else None
        if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
            continue
        name = _free(f"{tensor.name}{COPY}T", taken)
        permuted = numpy_helper.to_array(tensor).transpose(attributes(node).get("perm"))
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(permuted), name))
        for reader in readers:
            reader.input[1] = name
    remove_unused(graph)


def merge_copies(proto: onnx.ModelProto) -> None:
    """Store equal tensors that a quantizer made from copies of one tensor once, in place."""
    graph = proto.graph
    groups: dict[str, list[onnx.TensorProto]] = defaultdict(list)
    for tensor in graph.initializer:
        groups[parameter(tensor.name)].append(tensor)
    names: dict[str, str] = {}
    for tensors in groups.values():
        if not any(COPY in tensor.name for tensor in tensors):
            continue
        first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
        for tensor in sorted(tensors, key=lambda t: (COPY in t.name, t.name)):
            content = (tensor.data_type, tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes())
            names[tensor.name] = first.setdefault(content, tensor.name)
    _rename_inputs(graph, names)
    remove_unused(graph)


def remove_unused(graph: onnx.GraphProto) -> None:
    """Remove stored tensors that nothing reads, repeated ones, and transposed forms of them, in place."""
    returned = {value.name for each in graphs(graph) for value in each.output}
    read = Counter(name for node in nodes(graph) for name in node.input)
    stored = {tensor.name for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Transpose" and n.input[0] in stored]:
        if not read[node.output[0]] and node.output[0] not in returned:
            graph.node.remove(node)
            read[node.input[0]] -= 1
    kept = {tensor.name: tensor for tensor in graph.initializer if read[tensor.name] or tensor.name in returned}
    if len(kept) < len(graph.initializer):
        tensors = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept.values()]
        del graph.initializer[:]
        graph.initializer.extend(tensors)


# ---- matrix products


def gemm_to_matmul(proto: onnx.ModelProto) -> None:
    """Replace each Gemm of a weight matrix by MatMul and Add, in place: weight-only quantizers look for MatMul.

    A matrix that such a Gemm transposes is stored transposed, once; if others read it as it is, the transposed one is
    stored beside it, and called like it with the mark `@T`.
    """
    graph = proto.graph
    transposed = _transposed_weights(graph)
    replaced = []
    for node in graph.node:
        if not _is_layer(node, graph):
            replaced.append(node)
            continue
        weight = transposed[node.input[1]] if attributes(node).get("transB", 0) else node.input[1]
        product = node.output[0] if len(node.input) < 3 else f"{node.output[0]}.product"
        replaced.append(helper.make_node("MatMul", [node.input[0], weight], [product], name=f"{node.name}.product"))
        if len(node.input) > 2:
            inputs = [product, node.input[2]]
            replaced.append(helper.make_node("Add", inputs, [node.output[0]], name=f"{node.name}.bias"))
    del graph.node[:]
    graph.node.extend(replaced)


def _is_layer(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    """Whether a node is a Gemm of its input and stored weights, without factors."""
    about = attributes(node)
    unscaled = about.get("alpha", 1.0) == 1.0 and about.get("beta", 1.0) == 1.0
    plain = node.op_type == "Gemm" and unscaled and not about.get("transA", 0)
    return plain and any(tensor.name == node.input[1] for tensor in graph.initializer)


def _transposed_weights(graph: onnx.GraphProto) -> dict[str, str]:
    """Store the matrices that layers transpose in that form; returns name -> name of the transposed one."""
    tensors, users = {tensor.name: tensor for tensor in graph.initializer}, _uses(graph)
    outputs = {value.name for each in graphs(graph) for value in each.output}
    taken = _tensor_names(graph)
    names: dict[str, str] = {}
    top = {id(node) for node in graph.node}
    layers = {id(n) for n in graph.node if _is_layer(n, graph) and attributes(n).get("transB", 0)}
    for name in {n.input[1]: None for n in graph.node if id(n) in layers}:
        others = [n for n, i in users[name] if id(n) not in layers or i != 1 or id(n) not in top]
        matrix = np.ascontiguousarray(numpy_helper.to_array(tensors[name]).T)
        if others or name in outputs:
            names[name] = _free(f"{name}{COPY}T", taken)
            graph.initializer.append(numpy_helper.from_array(matrix, names[name]))
        else:
            names[name] = name
            tensors[name].CopyFrom(numpy_helper.from_array(matrix, name))
    return names


def weighted_nodes(proto: onnx.ModelProto) -> list[str]:
    """Names of the nodes that multiply by stored weights, in order."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    for node in proto.graph.node:  # a constant, or another name or form of a stored tensor
        if node.op_type == "Constant" or (node.op_type in ("Identity", "Transpose") and node.input[0] in stored):
            stored.update(node.output)
    return [node.name for node in proto.graph.node if node.op_type in MULTIPLY and set(node.input[1:2]) & stored]


def embeddings(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that look up rows of a matrix."""
    for node in graph.node:
        if node.op_type == "Gather" and attributes(node).get("axis", 0) == 0:
            yield node
