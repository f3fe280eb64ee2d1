"""PyTorch without compilation, from the weights that the file was exported from: a reference, not what ships."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fairweight.models import Model

VERSION = torch.__version__
UNSUPPORTED = {
    "given": "given scores are in no file",
    "quantize": "PyTorch runs the float weights that a file was exported from, and a quantized file has none",
    "adjust": "thresholds by group stand in the ONNX file",
}

Feeds = dict[str, NDArray[np.generic]]


def load(path: Path, *, threads: int) -> Callable[[Feeds], NDArray[np.float32]]:
    """Load the weights beside a shipped file.

    Args:
        path: ONNX file; `model.safetensors` and `model.json` stand beside it.
        threads: threads that one call uses.

    Returns:
        A function from input tensors by name to probabilities (n, classes).
    """
    torch.set_num_threads(threads)
    model = Model.load(str(Path(path).with_suffix(".safetensors")), str(Path(path).with_suffix(".json")))

    def run(feeds: Feeds) -> NDArray[np.float32]:
        with torch.inference_mode():
            return torch.softmax(model(*(torch.from_numpy(a) for a in feeds.values())), dim=1).numpy()

    return run
