"""Edits and queries of ONNX graphs that quantization methods share."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def gemm_to_matmul(proto: onnx.ModelProto) -> None:
    """Replace each Gemm of a weight matrix by MatMul and Add, in place: weight-only quantizers look for MatMul."""
    initializers = {tensor.name: tensor for tensor in proto.graph.initializer}
    nodes = []
    for node in proto.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        unscaled = attributes.get("alpha", 1.0) == 1.0 and attributes.get("beta", 1.0) == 1.0
        plain = unscaled and not attributes.get("transA", 0)
        if node.op_type != "Gemm" or not plain or node.input[1] not in initializers:
            nodes.append(node)
            continue
        weight = initializers[node.input[1]]
        if attributes.get("transB", 0):
            transposed = np.ascontiguousarray(numpy_helper.to_array(weight).T)
            weight.CopyFrom(numpy_helper.from_array(transposed, weight.name))
        product = node.output[0] if len(node.input) < 3 else f"{node.output[0]}.product"
        nodes.append(helper.make_node("MatMul", node.input[:2], [product], name=f"{node.name}.product"))
        if len(node.input) > 2:
            nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}.bias"))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def weighted_nodes(proto: onnx.ModelProto) -> list[str]:
    """Names of the nodes that multiply by stored weights, in order."""
    initializers = {tensor.name for tensor in proto.graph.initializer}
    multiply = ("Conv", "Gemm", "MatMul")
    return [n.name for n in proto.graph.node if n.op_type in multiply and any(i in initializers for i in n.input[1:2])]
