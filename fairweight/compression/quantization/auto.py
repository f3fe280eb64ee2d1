"""Static quantization where the graph has convolutions, dynamic where it has only linear layers; both with defaults."""

from pathlib import Path

import onnx

from fairweight.compression.method_api import Calibration
from fairweight.core import components

OPTIONS: dict[str, dict[str, object]] = {}
DELEGATES = True  # loads other methods of this folder by name


def quantize(source: Path, destination: Path, calibration: Calibration) -> str:
    """Write the quantized file and return the name of the method that was chosen.

    Dynamic quantization makes convolutions slower than float (measured: half the speed of a ResNet-18), and static
    quantization needs calibration, which networks of linear layers can do without.
    """
    convolves = any(node.op_type == "Conv" for node in onnx.load(str(source)).graph.node)
    method = "static" if convolves else "dynamic"
    defaults = {name: option["default"] for name, option in components.options("quantization", method).items()}
    chosen: str = components.load("quantization", method)(source, destination, calibration, **defaults)
    return chosen
