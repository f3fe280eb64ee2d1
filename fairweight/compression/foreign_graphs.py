"""Bring graphs of any exporter into a form in which products have float32 weights and a recent operator set.

What changes is the form, and the rounding of products of doubles. Quantizers skip products of doubles and linear models
of `ai.onnx.ml` without a word, and their nodes need later operator sets than many files state.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

from fairweight.core.errors import InputError
from fairweight.inference.operator_kinds import STANDARD, Kind, attributes, graphs, kind, nodes
from fairweight.inference.quantized_weights import constants, dense, is_float

OPERATOR_SET = 13  # the first with scales for each channel, and with bfloat16
IR_VERSION = 8  # before 4, every stored tensor was also an input
ML = "ai.onnx.ml"
# operators by which a file rearranges or converts stored weights
LAYOUT = ("Cast", "Concat", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
# names of types in onnxruntime
ELEMENTS = {
    "bool": TensorProto.BOOL,
    "double": TensorProto.DOUBLE,
    "float": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "int8": TensorProto.INT8,
    "string": TensorProto.STRING,
    "uint8": TensorProto.UINT8,
}
LINEAR = ("LinearClassifier", "LinearRegressor")


def operator_set(proto: onnx.ModelProto) -> int:
    """Version of the standard operators that a file uses; 0 if it uses none."""
    return max((entry.version for entry in proto.opset_import if entry.domain in STANDARD), default=0)


def require_operator_set(proto: onnx.ModelProto, version: int, method: str) -> None:
    """Refuse a graph of older operators.

    Raises:
        InputError: the graph uses an older set, which could not be converted.
    """
    if operator_set(proto) < version:
        raise InputError(
            f"{method} takes operator set {version} or later, and the file has {operator_set(proto)}, which onnx "
            f"cannot convert; export the model again with operator set {version} or later"
        )


def modernise(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Inline functions and convert older operators to OPERATOR_SET, if onnx can convert them; names stay."""
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    # a file of tree ensembles alone may name no standard operators; another one may name a set twice
    versions = {"": operator_set(proto) or OPERATOR_SET}
    for entry in proto.opset_import:
        domain = "" if entry.domain in STANDARD else entry.domain
        versions[domain] = max(versions.get(domain, 0), entry.version)
    if len(versions) != len(proto.opset_import) or proto.opset_import[0].domain not in STANDARD:
        del proto.opset_import[:]
        proto.opset_import.extend([helper.make_opsetid(domain, version) for domain, version in versions.items()])
    if operator_set(proto) < OPERATOR_SET:
        with contextlib.suppress(Exception):  # an operator that it cannot convert: methods that need more refuse it
            converted = version_converter.convert_version(proto, OPERATOR_SET)
            del converted.metadata_props[:]
            converted.metadata_props.extend(proto.metadata_props)
            proto = converted
    proto.ir_version = max(proto.ir_version, IR_VERSION)
    return proto


# ---- doubles


def narrow_products(proto: onnx.ModelProto) -> None:
    """Compute products with stored weights in float32 where the graph has doubles, in place.

    The rest, such as the standardisation of large numbers, stays in double.
    """
    doubles = {tensor.name: tensor for tensor in proto.graph.initializer if tensor.data_type == TensorProto.DOUBLE}
    for graph in list(graphs(proto.graph)):
        made: list[onnx.NodeProto] = []
        for node in graph.node:
            is_product = kind(node.op_type, node.domain) is Kind.FLOAT and node.domain in STANDARD
            narrows = is_product and set(node.input) & set(doubles)
            made.extend(_narrowed(node, doubles, proto.graph) if narrows else [node])
        _set_nodes(graph, made)


def _narrowed(
    node: onnx.NodeProto, doubles: dict[str, onnx.TensorProto], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    """A product of doubles in float32, between nodes that convert what it reads and returns.

    Args:
        node: the product.
        doubles: stored tensors of doubles, by name.
        graph: the whole graph, which stores them in float32.
    """
    before, after, present = [], [], {tensor.name for tensor in graph.initializer}
    product = onnx.NodeProto()
    product.CopyFrom(node)
    for position, name in enumerate(node.input):
        narrow = f"{name}.float32"
        if name in doubles and narrow not in present:
            values = numpy_helper.to_array(doubles[name])
            if np.abs(values).max(initial=0) > np.finfo(np.float32).max:
                return [node]
            graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), narrow))
            present.add(narrow)
        elif name and name not in doubles:
            narrow = f"{node.name}.input{position}"
            before.append(helper.make_node("Cast", [name], [narrow], name=narrow, to=TensorProto.FLOAT))
        product.input[position] = narrow if name else ""
    for position, name in enumerate(node.output):
        if name:
            product.output[position] = narrow = f"{name}.float32"
            after.append(helper.make_node("Cast", [narrow], [name], name=f"{name}.double", to=TensorProto.DOUBLE))
    return [*before, product, *after]


def _set_nodes(graph: onnx.GraphProto, made: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in made]
    del graph.node[:]
    graph.node.extend(copies)


# ---- linear models of ai.onnx.ml


def linear_models_to_products(proto: onnx.ModelProto) -> None:
    """Write linear models of scikit-learn as matrix products with stored weights, in place.

    Models whose scores are not a plain product, such as a probit, stay as they are.
    """
    made: list[onnx.NodeProto] = []
    for node in proto.graph.node:
        product = _product(node, proto.graph) if node.domain == ML and node.op_type in LINEAR else []
        made.extend(product or [node])
    _set_nodes(proto.graph, made)


def _product(node: onnx.NodeProto, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Nodes that compute a linear model; none where it is no plain product."""
    about = attributes(node)
    classes = about.get("classlabels_ints") or about.get("classlabels_strings") or [0] * about.get("targets", 1)
    weights = np.array(about["coefficients"], np.float32)
    transform = about.get("post_transform", b"NONE").decode()
    steps = {"NONE": "Identity", "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
    if transform not in steps or weights.size % len(classes) or (len(classes) < 2 and node.op_type == LINEAR[0]):
        return []
    bias = np.array(about.get("intercepts", []), np.float32)
    if len(bias) != len(classes):  # one score for two classes, of which the other is the negative
        return []
    name = node.name or node.output[0]
    for suffix, values in (("weights", weights.reshape(len(classes), -1).T), ("bias", bias)):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), f"{name}.{suffix}"))
    product, sums, numbers, outputs = (f"{name}.{part}" for part in ("product", "sums", "numbers", "scores"))
    made = [
        helper.make_node("Cast", [node.input[0]], [numbers], name=numbers, to=TensorProto.FLOAT),
        helper.make_node("MatMul", [numbers, f"{name}.weights"], [product], name=product),
        helper.make_node("Add", [product, f"{name}.bias"], [sums], name=sums),
    ]
    axis = {"axis": 1} if transform == "SOFTMAX" else {}
    scores = node.output[-1] or outputs
    made.append(helper.make_node(steps[transform], [sums], [scores], name=outputs, **axis))
    if node.op_type == LINEAR[0] and node.output[0]:
        made.extend(_labels(name, sums, node.output[0], about, graph))
    return made


def _labels(
    name: str, scores: str, output: str, about: dict[str, list[int] | list[bytes]], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    """Nodes that compute the label of the largest score."""
    strings, labels, code = about.get("classlabels_strings"), f"{name}.labels", f"{name}.code"
    values = about.get("classlabels_ints") or strings or []
    element = TensorProto.STRING if strings else TensorProto.INT64
    graph.initializer.append(helper.make_tensor(labels, element, [len(values)], values))
    return [
        helper.make_node("ArgMax", [scores], [code], name=code, axis=1, keepdims=0),
        helper.make_node("Gather", [labels, code], [output], name=f"{name}.label"),
    ]


# ---- constants


def constant_tensor(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of floats that a Constant node holds; None for one number, and for other types."""
    if node.op_type != "Constant":
        return None
    about = attributes(node)
    value = about.get("value")
    if (sparse := about.get("sparse_value")) is not None:
        value = numpy_helper.from_array(dense(sparse))
    if not isinstance(value, TensorProto) or value.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        return None
    return value if len(value.dims) else None


def add_types(proto: onnx.ModelProto) -> None:
    """State the types of all tensors, in place: onnx infers none behind some operators, such as those of ai.onnx.ml."""
    typed = {value.name for value in (*proto.graph.value_info, *proto.graph.output, *proto.graph.input)}
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    names = [name for node in proto.graph.node for name in node.output if name and name not in typed]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    loaded = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for value in loaded.get_outputs():
        element = ELEMENTS.get(value.type.removeprefix("tensor(").removesuffix(")"))
        if value.name not in typed and element is not None:
            proto.graph.value_info.append(helper.make_tensor_value_info(value.name, element, value.shape or None))


# ---- weights of products


def reads_weight(node: onnx.NodeProto, position: int) -> bool:
    """Whether a product of floats may read a matrix or kernel at a position; its biases and states stand behind."""
    if kind(node.op_type, node.domain) is not Kind.FLOAT or node.domain not in STANDARD:
        return False
    return position < {"LSTM": 3, "GRU": 3, "RNN": 3, "Einsum": len(node.input)}.get(node.op_type, 2)


def fold_layouts(proto: onnx.ModelProto) -> None:
    """Store weights in the layout in which products read them, in place, where nothing else reads the stored ones.

    Exporters cut, join and convert the weights of recurrent layers, for example, and those of Keras transpose kernels.
    Transposed matrices stay, because layers share weights by them (see `onnx_graph_edits.separate_uses`).
    """
    graph = proto.graph
    known = {name: array for name, array in constants(proto).items() if array.dtype.kind not in "USO"}
    producers = {name: node for node in graph.node for name in node.output if node.op_type in LAYOUT}
    users: dict[str, set[int]] = defaultdict(set)
    for node in nodes(graph):
        for name in node.input:
            users[name].add(id(node))
    returned = {value.name for value in graph.output}
    for node in list(nodes(graph)):
        for position, name in enumerate(node.input):
            chain = _chain(name, producers, known) if name in producers and reads_weight(node, position) else []
            own = {id(link) for link in chain}
            sources = {n for link in chain for n in link.input if n in known and is_float(known[n])}
            shared = any(users[source] - own for source in sources) or sources & returned
            if not shared and sources and not _is_transposed_matrix(chain, known):
                values = dict(known)
                for link in chain:
                    outputs = ReferenceEvaluator(link).run(None, {n: values[n] for n in link.input if n})
                    values |= dict(zip(link.output, outputs, strict=True))
                folded = numpy_helper.from_array(np.ascontiguousarray(values[name], np.float32), f"{name}.folded")
                if all(tensor.name != folded.name for tensor in graph.initializer):
                    graph.initializer.append(folded)
                node.input[position] = folded.name
    _remove_unread_layouts(graph)


def _is_transposed_matrix(chain: list[onnx.NodeProto], known: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a chain does nothing but transpose a stored matrix."""
    plain = all(link.op_type in ("Transpose", "Identity") for link in chain)
    return plain and all(known[name].ndim == 2 for name in chain[0].input if name in known)


def _chain(
    name: str, producers: Mapping[str, onnx.NodeProto], known: Mapping[str, NDArray[Any]]
) -> list[onnx.NodeProto]:
    """Nodes that compute a tensor from constants by layout alone, in order; none where something else is read.

    Integers are the positions and shapes that these nodes take; integer weights are left to those who stored them.
    """
    if name in known or not name:
        return []
    node = producers.get(name)
    if node is None:
        return []
    links: list[onnx.NodeProto] = []
    for position, source in enumerate(node.input):
        is_data = position == 0 or node.op_type == "Concat"
        if source in known and is_data and not is_float(known[source]):
            return []
        if source and source not in known:
            earlier = _chain(source, producers, known)
            if not earlier:
                return []
            links += [link for link in earlier if link not in links]
    return [*links, node]


def _remove_unread_layouts(graph: onnx.GraphProto) -> None:
    """Remove nodes of layout whose outputs nothing reads."""
    returned = {value.name for each in graphs(graph) for value in each.output}
    while True:
        read = {name for node in nodes(graph) for name in node.input} | returned
        unread = [node for node in graph.node if node.op_type in LAYOUT and not set(node.output) & read]
        if not unread:
            return
        for node in unread:
            graph.node.remove(node)
