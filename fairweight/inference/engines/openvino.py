"""OpenVINO on the CPU, in the precision that the file states (extra `openvino`)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

VERSION = openvino.__version__
NEEDS = {"openvino": ["openvino"]}  # extra of pyproject.toml -> packages
UNSUPPORTED = {
    "given": "given scores are in no file",
    "pretrained": "a language model's file has operators of onnxruntime, for the attention over its cache",
}
PRECISION = "f32"  # its default is bfloat16 where the processor has it: that is not what the file says

Feeds = dict[str, NDArray[np.generic]]


def load(path: Path, *, threads: int) -> Callable[[Feeds], NDArray[np.float32]]:
    """Load a shipped file.

    Args:
        path: ONNX file.
        threads: threads that one call uses.

    Returns:
        A function from input tensors by name to the file's first output: of a classification, probabilities (n, classes).

    Raises:
        RuntimeError: it would run in another precision than float32.
    """
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": PRECISION, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1"}
    # what is loaded is the file's content: OpenVINO guesses the format by the name's ending
    compiled = core.compile_model(core.read_model(Path(path).read_bytes(), b""), "CPU", settings)
    ran = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if ran != PRECISION:
        raise RuntimeError(f"OpenVINO runs in {ran} and not in {PRECISION}")
    output = compiled.output(0)

    def run(feeds: Feeds) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = compiled(feeds)[output].copy()
        return probabilities

    return run
