"""PyTorch in eager mode, on the weights that a file was exported from: a reference, not what ships."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fairweight.inference.torch_reference import shipped, weights_beside
from fairweight.training.signature import Feeds

VERSION = torch.__version__
BUILDS_MODEL = True  # runs the weights beside the file in the module that the architecture builds
UNSUPPORTED = {
    "given": "given scores are in no file",
    "import_onnx": "an imported ONNX file has no PyTorch weights",
    "pretrained": "a language model's file has operators of onnxruntime, for the attention over its cache",
    "quantize": "PyTorch runs the float weights that a file was exported from, and a quantized file has none",
    "adjust": "thresholds by group are in the ONNX file",
}


def load(path: Path, *, threads: int) -> Callable[[Feeds], NDArray[np.float32]]:
    """Load the weights beside an exported file.

    Args:
        path: ONNX file, with `model.safetensors` and `model.json` in its folder.
        threads: threads that one call uses.

    Returns:
        A function from input tensors by name to what the file returns: probabilities (n, classes) for a classification.
    """
    model = weights_beside(path, threads)
    return shipped(model, model)
