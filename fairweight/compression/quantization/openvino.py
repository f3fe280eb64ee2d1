"""int8 weights and activations by NNCF, written as a QDQ file that every engine reads (extra `openvino`)."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from fairweight.compression.static_int8 import check_rows
from fairweight.training.model_inputs import TOKENS

# NNCF tells Intel of its use unless it is asked not to, with a number kept in the home directory; a study tells nobody
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # as if it were not installed

import nncf  # noqa: E402
from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters  # noqa: E402

NEEDS = {"openvino": ["openvino", "nncf"]}  # extra of pyproject.toml -> packages
OPTIONS = {
    "calibration_rows": {"type": "integer", "minimum": 32, "default": 512, "description": "Training rows to calibrate on, at most; fewer than 32 are refused."},
    "preset": {"enum": ["performance", "mixed"], "default": "performance", "description": "Symmetric activations, or asymmetric ones where that fits better."},
}  # fmt: skip


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],
    *,
    calibration_rows: int,
    preset: str,
) -> str:
    """Write the quantized file and return the name of the method.

    Raises:
        InputError: there are too few training rows to find ranges with.
    """
    feeds = calibration(calibration_rows)
    check_rows(feeds)
    logging.getLogger("nncf").setLevel(logging.ERROR)
    quantized = nncf.quantize(
        onnx.load(str(source)),
        nncf.Dataset(feeds),
        preset=nncf.QuantizationPreset(preset),
        subset_size=len(feeds),
        # what reads tokens is a transformer: its ranges are found as those need it, and attention's sums stay in float
        model_type=nncf.ModelType.TRANSFORMER if TOKENS in feeds[0] else None,
        # SmoothQuant's factors stand between a product and its integers, so that onnxruntime runs the product in float
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
        ),
    )
    onnx.save(quantized, str(destination))
    return "openvino"
