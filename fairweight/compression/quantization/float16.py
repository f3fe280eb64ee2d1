"""Half precision: weights stored as float16, and operators run in it where the engine has kernels for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

OPTIONS: dict[str, dict[str, object]] = {}


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],  # noqa: ARG001 - nothing to calibrate
) -> str:
    """Write the file with float16 inside and float32 at its edges, and return the name of the method."""
    onnx.save(convert_float_to_float16(onnx.load(str(source)), keep_io_types=True), str(destination))
    return "float16"
