"""Keys and values of a language model's cache in 8 or 4 bits, with a scale for each channel (GroupQueryAttention)."""

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from fairweight.compression.graph_walk import part
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import PAST, PRESENT
from fairweight.training.signature import Feeds

TYPES = {8: TensorProto.INT8, 4: TensorProto.UINT8}  # two values of 4 bits are one byte
INPUTS = 14  # of GroupQueryAttention, up to the scale of the values
SCALES = {"key": 12, "value": 13}  # positions of the scales
LEAST = 1e-6


def narrow_cache(proto: onnx.ModelProto, batches: list[Feeds], bits: int) -> None:
    """Store the cache in 8 or 4 bits, in place; attention reads it so.

    The scale of a channel is its largest magnitude in the calibration texts; larger values are cut.

    Args:
        proto: a language model whose products are still in float.
        batches: inputs of the graph, to calibrate on.
        bits: 8 or 4.

    Raises:
        InputError: the graph has no cache that can be stored so.
    """
    graph = proto.graph
    attentions = [node for node in graph.node if node.op_type == "GroupQueryAttention" and len(node.output) > 2]
    caches = {value.name for value in graph.input if value.name.startswith(PAST)}
    if not caches or caches != {name for node in attentions for name in node.input[3:5]}:
        raise InputError("cache_bits: the graph has no cache of GroupQueryAttention; leave the option out")
    largest = _largest(proto, batches, [name for node in attentions for name in node.output[1:3]])
    for node in attentions:
        node.input.extend([""] * (INPUTS - len(node.input)))
        for output, (part_name, position) in zip(node.output[1:3], SCALES.items(), strict=True):
            scale = np.maximum(largest[output], LEAST) / (2 ** (bits - 1) - 1)
            name = f"{output}.scale"
            graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), name))
            node.input[position] = name
            quantized = onnx.helper.make_attribute(f"{part_name[0]}_quant_type", "PER_CHANNEL")
            node.attribute.append(quantized)
        node.attribute.append(onnx.helper.make_attribute("kv_cache_bit_width", bits))
    for value in [*graph.input, *graph.output]:
        if value.name.startswith((PAST, PRESENT)):
            about = value.type.tensor_type
            about.elem_type = TYPES[bits]
            about.shape.dim[3].dim_value = about.shape.dim[3].dim_value * bits // 8


def _largest(proto: onnx.ModelProto, batches: list[Feeds], names: list[str]) -> dict[str, np.ndarray]:
    """Largest magnitude of each channel (1, heads, 1, width) of caches (texts, heads, tokens, width), by name."""
    run = part(proto, list(proto.graph.node), batches[0], names)
    largest: dict[str, np.ndarray] = {}
    for feeds in batches:
        for name, array in run(feeds).items():
            highest = np.abs(array).max(axis=(0, 2), keepdims=True)
            largest[name] = np.maximum(largest.get(name, highest), highest)
    return largest
