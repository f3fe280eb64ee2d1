"""Half precision: weights stored as float16, and operators computed in it where the engine has kernels for them."""

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from fairweight.compression.method_api import Calibration
from fairweight.compression.onnx_graph_edits import load_graph

OPTIONS: dict[str, dict[str, object]] = {}


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,  # noqa: ARG001 - nothing to calibrate
) -> str:
    """Write the file with float16 inside and float32 inputs and outputs, and return the name of the method."""
    onnx.save(convert_float_to_float16(load_graph(source), keep_io_types=True), str(destination))
    return "float16"
