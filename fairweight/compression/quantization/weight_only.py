"""int8 or int4 weights: linear layers and tied embeddings in blocks with one scale each, other layers by channel.

onnxruntime's quantizer (MatMulNBits) takes matrix products only, and skips all other layers without a word. Their
kernels and matrices are stored as int8 here, and computed in float32 as fast as before. Other grids, GPTQ, AWQ, mixed
bits and a narrow cache are in `compression.calibrated_packing` and `compression.kv_cache`
(docs/decisions/0051-quantizers-for-language-models.md).
"""

import logging
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

from fairweight.compression.calibrated_packing import Packing, pack
from fairweight.compression.calibration import Batch, Calibration
from fairweight.compression.kv_cache import narrow_cache
from fairweight.compression.narrow_storage import store_in_8_bits
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import (
    embeddings,
    gemm_to_matmul,
    load_graph,
    merge_copies,
    remove_unused,
    separate_uses,
)
from fairweight.compression.packed_products import FIRST, REST
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import PAST, PRESENT, calibration_feeds
from fairweight.inference.operator_kinds import attributes, nodes
from fairweight.inference.quantized_weights import COPY
from fairweight.training.signature import TOKENS

OPTIONS = {
    "bits": {"enum": [4, 8], "default": 8, "description": "Bits of a weight."},
    "block": {"enum": [16, 32, 64, 128, 256], "default": 32, "description": "Weights that share a scale."},
    "head_bits": {
        "enum": [None, 4, 8],
        "default": None,
        "description": "Bits of the weights of the last layer, and of the embeddings if they are the same weights; "
        "null means `bits`.",
    },
    "activations": {
        "enum": ["float32", "int8"],
        "default": "float32",
        "description": "Type in which a product is computed: int8 also rounds the inputs of each block, and makes one "
        "row at a time fast.",
    },
    "grid": {
        "enum": ["symmetric", "range", "k_quant", "hqq"],
        "default": "symmetric",
        "description": "Numbers that the weights of a block are rounded to: `symmetric` around zero, the `range` from "
        "the smallest to the largest weight, or the range that llama.cpp's `k_quant` or HQQ searches. All but "
        "`symmetric` store a zero point for each block.",
    },
    "rounding": {
        "enum": ["nearest", "gptq"],
        "default": "nearest",
        "description": "`gptq` rounds the weights of a layer such that its outputs for calibration rows change least.",
    },
    "awq": {
        "type": "boolean",
        "default": False,
        "description": "Scale the inputs of layers up that are large for calibration rows, before rounding (AWQ).",
    },
    "scale_bits": {
        "enum": [8, 32],
        "default": 32,
        "description": "Bits of a scale: 32, or 8 with one factor for each output.",
    },
    "average_bits": {
        "type": ["number", "null"],
        "exclusiveMinimum": 4,
        "maximum": 9,
        "default": None,
        "description": "With 4 `bits`: the layers that change the outputs for calibration rows most get 8 bits, until "
        "a weight has this many bits on average, with scales and zero points.",
    },
    "wide_tokens": {
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "description": "Outputs of the last layer, from the first one, that have 8 bits, with their embeddings: the "
        "first tokens of a vocabulary of byte pairs are the most frequent ones.",
    },
    "cache_bits": {
        "enum": [None, 4, 8],
        "default": None,
        "description": "Bits of the keys and values in the cache of a language model; null leaves them in float32.",
    },
    "calibration_rows": {
        "type": "integer",
        "minimum": 1,
        "default": 64,
        "description": "Largest number of training rows that `gptq`, `awq`, `average_bits` and `cache_bits` calibrate "
        "on.",
    },
}
# values of options with which nothing is calibrated; any other value needs training rows
UNCALIBRATED = {"rounding": ["nearest"], "awq": [False], "average_bits": [None], "cache_bits": [None]}
LEVELS = {"float32": None, "int8": 4}  # the operator's accuracy_level


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,
    *,
    bits: int,
    block: int,
    head_bits: int | None = None,
    activations: str = "float32",
    grid: str = "symmetric",
    rounding: str = "nearest",
    awq: bool = False,
    scale_bits: int = 32,
    average_bits: float | None = None,
    wide_tokens: int = 0,
    cache_bits: int | None = None,
    calibration_rows: int = 64,
) -> str:
    """Write the quantized file and return the name of the method.

    Args:
        source, destination: ONNX files.
        calibration: number of rows -> batches of input tensors by name.
        bits, block, head_bits, activations, grid, rounding, awq, scale_bits, average_bits, wide_tokens,
            cache_bits, calibration_rows: see OPTIONS.

    Raises:
        InputError: there are no rows to calibrate on, `average_bits` are too few, or there is no cache to narrow.
        NotApplicable: the graph has no product with stored weights of some size.
    """
    proto = load_graph(source)
    gemm_to_matmul(proto)
    separate_uses(proto)
    head = _head(proto) if head_bits not in (None, bits) or wide_tokens else []
    calibrates = rounding == "gptq" or awq or average_bits is not None
    rows = _calibration_rows(calibration, calibration_rows) if calibrates or cache_bits else []
    if cache_bits:
        narrow_cache(proto, _feeds(proto, rows), cache_bits)
    if calibrates or grid != "symmetric" or scale_bits != 32 or wide_tokens:
        packing = Packing(
            bits=bits,
            block=block,
            kind=grid,
            gptq=rounding == "gptq",
            awq=awq,
            scale_bits=scale_bits,
            average_bits=average_bits if bits == 4 else None,
            head=tuple(head),
            head_bits=head_bits or bits,
            wide_tokens=wide_tokens,
            int8_inputs=activations == "int8",
        )
        pack(proto, _feeds(proto, rows), packing)
    else:
        proto = _quantized(proto, bits, block, activations, head)
        if head and head_bits:
            proto = _quantized(proto, head_bits, block, activations, [])
    packed = any(node.op_type == "MatMulNBits" for node in nodes(proto.graph))
    _tie_embeddings(proto)
    merge_copies(proto)
    others = store_in_8_bits(proto)
    if not packed and not others:
        raise NotApplicable("weight_only takes networks with linear or convolutional layers, and this one has none")
    if not packed and bits != 8:
        raise NotApplicable("weight_only stores weights of 4 bits in linear layers only, and this network has none")
    onnx.save(proto, str(destination))
    parts = [f"weight_only int{bits}", *([rounding] if rounding != "nearest" else []), *(["awq"] if awq else [])]
    parts += [grid] if grid != "symmetric" else []
    text = " ".join(parts) + (f", blocks of {block}" if activations == "int8" else "")
    text += f", {scale_bits}-bit scales" if scale_bits != 32 else ""
    text += f", mixed with int8 to {average_bits:g} bits" if average_bits is not None else ""
    text += f", last layer int{head_bits}" if head and head_bits else ""
    text += f", {wide_tokens} tokens int8" if wide_tokens else ""
    text += f", cache int{cache_bits}" if cache_bits else ""
    return text + (", other layers int8" if others and packed and bits != 8 else "")


def _calibration_rows(calibration: Calibration, rows: int) -> list[Batch]:
    batches = [feeds for feeds in calibration(rows) if len(next(iter(feeds.values())))]
    if not batches:
        raise InputError(
            "weight_only: there are no training rows to calibrate on; name the files of the test rows in 'split: "
            "test', so that the rows of other files are training rows"
        )
    return batches


def _feeds(proto: onnx.ModelProto, batches: list[Batch]) -> list[Batch]:
    """Inputs of the graph: those of a language model are made from tokens."""
    if not any(value.name.startswith(PAST) for value in proto.graph.input):
        return batches
    return [feeds for batch in batches for feeds in calibration_feeds(proto.graph.input, batch[TOKENS])]


def _quantized(proto: onnx.ModelProto, bits: int, block: int, activations: str, skipped: list[str]) -> onnx.ModelProto:
    """The graph with all matrix products quantized except the nodes named in `skipped`."""
    logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer").setLevel(logging.ERROR)
    config = DefaultWeightOnlyQuantConfig(
        block_size=block, is_symmetric=True, bits=bits, accuracy_level=LEVELS[activations]
    )
    quantizer = MatMulNBitsQuantizer(proto, algo_config=config, nodes_to_exclude=skipped)
    quantizer.process()
    quantized: onnx.ModelProto = quantizer.model.model
    return quantized


def _head(proto: onnx.ModelProto) -> list[str]:
    """Names of the last products with stored weights before the outputs; outputs of a cache do not count."""
    graph = proto.graph
    initializers = {tensor.name for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    waiting = [value.name for value in graph.output if not value.name.startswith(PRESENT)]
    seen, products = set(waiting), []
    while waiting:
        node = producers.get(waiting.pop())
        if node is None:
            continue
        if node.op_type == "MatMul" and node.input[1] in initializers:
            products.append(node.name)
            continue
        waiting += [name for name in node.input if name not in seen]
        seen.update(node.input)
    return products


def _tie_embeddings(proto: onnx.ModelProto) -> None:
    """Look embeddings up in the quantized weights of a product where both are the same weights, transposed.

    The quantizer changes a copy for the product and keeps the float weights for the lookup: the file would be no
    smaller, and no longer the same model.
    """
    graph = proto.graph
    producers = {node.output[0]: node for node in graph.node}
    packed = {node.input[1].rsplit("_Q", 1)[0]: node for node in graph.node if node.op_type == "MatMulNBits"}
    for lookup in list(embeddings(graph)):
        matrix = lookup.input[0]
        transpose = producers.get(matrix)
        is_transposed = transpose is not None and transpose.op_type == "Transpose"
        # the product stores its weights transposed: those of the Transpose, or of `gemm_to_matmul`
        name = transpose.input[0] if transpose is not None and is_transposed else f"{matrix}{COPY}T"
        product, parts = packed.get(name), [packed.get(f"{name}{suffix}") for suffix in (FIRST, REST)]
        if product is not None:
            made = _quantized_lookup(graph, lookup, product)
        elif parts[0] is not None and parts[1] is not None:
            made = _lookup_in_parts(graph, lookup, parts[0], parts[1])
        else:
            continue
        position = list(graph.node).index(lookup)
        graph.node.remove(lookup)
        for node in reversed(made):
            graph.node.insert(position, node)
    remove_unused(graph)


def _lookup_in_parts(
    graph: onnx.GraphProto, lookup: onnx.NodeProto, first: onnx.NodeProto, rest: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Nodes that look rows up in the first part of a matrix, or in the rest of it."""
    name, indices = lookup.name, lookup.input[1]
    for constant, value in (("size", attributes(first)["N"]), ("zero", 0), ("last", attributes(first)["N"] - 1)):
        graph.initializer.append(helper.make_tensor(f"{name}.{constant}", TensorProto.INT64, [], [value]))
    graph.initializer.append(helper.make_tensor(f"{name}.axis_of_width", TensorProto.INT64, [1], [-1]))
    made = [
        helper.make_node("Min", [indices, f"{name}.last"], [f"{name}.index_first"], name=f"{name}.index_first"),
        helper.make_node("Sub", [indices, f"{name}.size"], [f"{name}.behind"], name=f"{name}.behind"),
        helper.make_node("Max", [f"{name}.behind", f"{name}.zero"], [f"{name}.index_rest"], name=f"{name}.index_rest"),
        helper.make_node("Less", [indices, f"{name}.size"], [f"{name}.is_first"], name=f"{name}.is_first"),
    ]
    for suffix, product in ((FIRST, first), (REST, rest)):
        inputs = [lookup.input[0], f"{name}.index_{suffix[1:]}"]
        part = helper.make_node("Gather", inputs, [f"{name}{suffix}.row"], name=f"{name}{suffix}")
        made += _quantized_lookup(graph, part, product)
    mask = f"{name}.mask"
    rows = [f"{name}{suffix}.row" for suffix in (FIRST, REST)]
    return [
        *made,
        helper.make_node("Unsqueeze", [f"{name}.is_first", f"{name}.axis_of_width"], [mask], name=mask),
        helper.make_node("Where", [mask, *rows], list(lookup.output), name=f"{name}.chosen"),
    ]


def _quantized_lookup(graph: onnx.GraphProto, lookup: onnx.NodeProto, product: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that look rows up in the packed weights of a product, which are padded to whole blocks."""
    about = attributes(product)
    rows, width, block, bits = about["N"], about["K"], about["block_size"], about["bits"]
    blocks, name = -(-width // block), lookup.name

    def constant(suffix: str, *values: int) -> str:
        graph.initializer.append(helper.make_tensor(f"{name}.{suffix}", TensorProto.INT64, [len(values)], values))
        return f"{name}.{suffix}"

    stored = [("weights", product.input[1], blocks * block * bits // 8), ("scales", product.input[2], blocks)]
    if len(product.input) > 3:
        stored.append(("points", product.input[3], -(-blocks * bits // 8)))
    made = []
    for kind, source, size in stored:
        shape = constant(f"{kind}_shape", rows, size)
        made.append(helper.make_node("Reshape", [source, shape], [f"{name}.{kind}"], name=f"{name}.{kind}"))
    embedded = lookup.output[0] if width == blocks * block else f"{name}.padded"
    made.append(
        helper.make_node(
            "GatherBlockQuantized",
            [f"{name}.weights", lookup.input[1], *(f"{name}.{kind}" for kind, _, _ in stored[1:])],
            [embedded],
            name=f"{name}.quantized",
            domain="com.microsoft",
            bits=bits,
            block_size=block,
            gather_axis=0,
            quantize_axis=1,
        )
    )
    if embedded != lookup.output[0]:
        bounds = [constant("from", 0), constant("to", width), constant("axis", -1)]
        made.append(helper.make_node("Slice", [embedded, *bounds], [lookup.output[0]], name=f"{name}.cut"))
    return made
