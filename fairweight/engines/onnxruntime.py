"""ONNX Runtime on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

VERSION = onnxruntime.__version__
UNSUPPORTED = {"given": "given scores are in no file"}

Feeds = dict[str, NDArray[np.generic]]


def load(path: Path, *, threads: int) -> Callable[[Feeds], NDArray[np.float32]]:
    """Load a shipped file.

    Args:
        path: ONNX file.
        threads: threads that one call uses.

    Returns:
        A function from input tensors by name to the file's first output: of a classification, probabilities (n, classes).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    output = session.get_outputs()[0].name

    def run(feeds: Feeds) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([output], feeds)[0]
        return found

    return run
