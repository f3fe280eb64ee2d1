"""int8 or int4 weights in blocks with a scale each, float activations (onnxruntime, MatMulNBits): for linear layers."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

from fairweight.errors import InputError
from fairweight.graphs import gemm_to_matmul

OPTIONS = {
    "bits": {"enum": [4, 8], "default": 8, "description": "Bits of a weight."},
    "block": {"enum": [16, 32, 64, 128, 256], "default": 32, "description": "Weights that share a scale."},
}  # fmt: skip


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],  # noqa: ARG001 - nothing to calibrate
    *,
    bits: int,
    block: int,
) -> str:
    """Write the quantized file and return the name of the method.

    Raises:
        InputError: the graph has no matrix product with stored weights.
    """
    proto = onnx.load(str(source))
    gemm_to_matmul(proto)
    logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer").setLevel(logging.ERROR)
    config = DefaultWeightOnlyQuantConfig(block_size=block, is_symmetric=True, bits=bits)
    quantizer = MatMulNBitsQuantizer(proto, algo_config=config)
    quantizer.process()
    quantized = quantizer.model.model
    if not any(node.op_type == "MatMulNBits" for node in quantized.graph.node):
        raise InputError("weight_only takes networks with linear layers, and this one has none")
    onnx.save(quantized, str(destination))
    return f"weight_only int{bits}"
