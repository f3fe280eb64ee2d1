"""int8 or int4 weights in blocks with a scale each (onnxruntime, MatMulNBits): for linear layers, and tied embeddings with them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

from fairweight.compression.onnx_graph_edits import gemm_to_matmul
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import PRESENT

OPTIONS = {
    "bits": {"enum": [4, 8], "default": 8, "description": "Bits of a weight."},
    "block": {"enum": [16, 32, 64, 128, 256], "default": 32, "description": "Weights that share a scale."},
    "head_bits": {"enum": [None, 4, 8], "default": None, "description": "Bits of the weights of the last layer, and of the embeddings where those are the same; null is `bits`."},
    "activations": {"enum": ["float32", "int8"], "default": "float32", "description": "What a product is computed in: int8 rounds the inputs of each block too, and is what makes one row at a time fast."},
}  # fmt: skip
LEVELS = {"float32": None, "int8": 4}  # the operator's accuracy_level


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],  # noqa: ARG001 - nothing to calibrate
    *,
    bits: int,
    block: int,
    head_bits: int | None = None,
    activations: str = "float32",
) -> str:
    """Write the quantized file and return the name of the method.

    Raises:
        InputError: the graph has no matrix product with stored weights.
    """
    proto = onnx.load(str(source))
    gemm_to_matmul(proto)
    head = _head(proto) if head_bits not in (None, bits) else []
    proto = _quantized(proto, bits, block, activations, head)
    if head and head_bits:
        proto = _quantized(proto, head_bits, block, activations, [])
    if not any(node.op_type == "MatMulNBits" for node in proto.graph.node):
        raise InputError("weight_only takes networks with linear layers, and this one has none")
    _tie_embeddings(proto)
    onnx.save(proto, str(destination))
    also = f", last layer int{head_bits}" if head else ""
    return (
        f"weight_only int{bits}, blocks of {block}{also}" if activations == "int8" else f"weight_only int{bits}{also}"
    )


def _quantized(proto: onnx.ModelProto, bits: int, block: int, activations: str, but: list[str]) -> onnx.ModelProto:
    logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer").setLevel(logging.ERROR)
    config = DefaultWeightOnlyQuantConfig(
        block_size=block, is_symmetric=True, bits=bits, accuracy_level=LEVELS[activations]
    )
    quantizer = MatMulNBitsQuantizer(proto, algo_config=config, nodes_to_exclude=but)
    quantizer.process()
    made: onnx.ModelProto = quantizer.model.model
    return made


def _head(proto: onnx.ModelProto) -> list[str]:
    """Names of the last products with stored weights before what the file returns; what it keeps in a cache has no part in it."""
    graph = proto.graph
    stored = {tensor.name for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    waiting = [value.name for value in graph.output if not value.name.startswith(PRESENT)]
    seen, found = set(waiting), []
    while waiting:
        node = makers.get(waiting.pop())
        if node is None:
            continue
        if node.op_type == "MatMul" and node.input[1] in stored:
            found.append(node.name)
            continue
        waiting += [name for name in node.input if name not in seen]
        seen.update(node.input)
    return found


def _tie_embeddings(proto: onnx.ModelProto) -> None:
    """Let embeddings that are the last layer's weights, transposed, be looked up in its quantized weights.

    The product has quantized a copy, and the lookup has kept the float weights: neither smaller nor the same model.
    """
    graph = proto.graph
    makers = {node.output[0]: node for node in graph.node}
    packed = {node.input[1].rsplit("_Q", 1)[0]: node for node in graph.node if node.op_type == "MatMulNBits"}
    for lookup in [node for node in graph.node if node.op_type == "Gather"]:
        turned = makers.get(lookup.input[0])
        if turned is None or turned.op_type != "Transpose" or turned.input[0] not in packed:
            continue
        nodes = _quantized_lookup(graph, lookup, packed[turned.input[0]])
        position = list(graph.node).index(lookup)
        graph.node.remove(lookup)
        for node in reversed(nodes):
            graph.node.insert(position, node)
        graph.node.remove(turned)
        kept = [tensor for tensor in graph.initializer if tensor.name != turned.input[0]]
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _quantized_lookup(graph: onnx.GraphProto, lookup: onnx.NodeProto, product: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that look rows up in the packed weights of a product, where they are padded to whole blocks."""
    stated = {a.name: helper.get_attribute_value(a) for a in product.attribute}
    rows, width, block = stated["N"], stated["K"], stated["block_size"]
    blocks, name = -(-width // block), lookup.name

    def whole(of: str, *values: int) -> str:
        graph.initializer.append(helper.make_tensor(f"{name}.{of}", TensorProto.INT64, [len(values)], values))
        return f"{name}.{of}"

    weights, scales = (product.input[1], blocks * block * stated["bits"] // 8), (product.input[2], blocks)
    nodes = [
        helper.make_node("Reshape", [source, whole(f"{of}_shape", rows, size)], [f"{name}.{of}"], name=f"{name}.{of}")
        for of, (source, size) in (("weights", weights), ("scales", scales))
    ]
    found = lookup.output[0] if width == blocks * block else f"{name}.padded"
    nodes.append(
        helper.make_node(
            "GatherBlockQuantized", [f"{name}.weights", lookup.input[1], f"{name}.scales"], [found],
            name=f"{name}.quantized", domain="com.microsoft", bits=stated["bits"], block_size=block, gather_axis=0, quantize_axis=1,
        )
    )  # fmt: skip
    if found != lookup.output[0]:
        bounds = [whole("from", 0), whole("to", width), whole("axis", -1)]
        nodes.append(helper.make_node("Slice", [found, *bounds], [lookup.output[0]], name=f"{name}.cut"))
    return nodes
