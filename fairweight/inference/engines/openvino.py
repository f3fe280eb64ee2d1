"""OpenVINO on the CPU, in the precision of the file (extra `openvino`)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from fairweight.core.errors import InputError, listed
from fairweight.inference.bound_outputs import bound
from fairweight.inference.onnx_file import read_signature
from fairweight.training.signature import Feeds

VERSION = openvino.__version__
LEAVES_THREADS = True  # a process that has run it has threads that a fork of the process lacks
NEEDS = {"openvino": ["openvino"]}  # extra of pyproject.toml -> packages
UNSUPPORTED = {
    "given": "given scores are in no file",
    "pretrained": "a language model's file has operators of onnxruntime, for the attention over its cache",
}
PRECISION = "f32"  # OpenVINO's default is bfloat16 on processors that have it, which is not the file's precision


def load(path: Path, *, threads: int) -> Callable[[Feeds], NDArray[np.float32]]:
    """Load an exported file.

    Args:
        path: ONNX file.
        threads: threads that one call uses.

    Returns:
        A function from input tensors by name to the file's output: probabilities (n, classes) for a classification
        (of an imported file, computed from what it returns).

    Raises:
        InputError: the file takes numbers that float32 cannot hold; OpenVINO would round them.
        RuntimeError: OpenVINO would run the file in another precision than float32.
    """
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": PRECISION, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1"}
    # the content is passed instead of the path, because OpenVINO guesses the format from the ending of a name
    model = core.read_model(Path(path).read_bytes(), b"")
    if any(value.get_element_type() == openvino.Type.f64 for value in model.inputs):
        signature = read_signature(path)
        what = (
            f"merges numbers of the inputs {listed(signature.origins)}; subtract a constant from them in the raw files"
        )
        if signature.binding:
            what = "is not the float64 that the imported file takes; let it take float32"
        raise InputError(f"engine 'openvino' computes in float32, which {what}, or take the engine out of `engines`.")
    compiled = core.compile_model(model, "CPU", settings)
    actual = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if actual != PRECISION:
        raise RuntimeError(f"OpenVINO runs in {actual} and not in {PRECISION}")
    binding = read_signature(path).binding
    output = compiled.output(binding["output"]) if binding else compiled.output(0)

    def run(feeds: Feeds) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = compiled(feeds)[output].copy()
        return probabilities

    return bound(run, binding) if binding else run
