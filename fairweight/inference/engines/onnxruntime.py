"""ONNX Runtime on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fairweight.inference import causal_decoding
from fairweight.inference.bound_outputs import binding_in, bound
from fairweight.inference.onnxruntime_session import session
from fairweight.training.signature import Feeds

VERSION = onnxruntime.__version__
UNSUPPORTED = {"given": "given scores are in no file"}


def load(path: Path, *, threads: int) -> Callable[[Feeds], NDArray[np.floating]]:
    """Load an exported file.

    Args:
        path: ONNX file.
        threads: threads that one call uses.

    Returns:
        A function from input tensors by name to the file's output: probabilities (n, classes) for a classification
        (of an imported file, computed from what it returns); negative log-likelihood in nats and number of predicted
        tokens (n, 2) for a language model.
    """
    loaded = session(path, threads=threads)
    binding = binding_in(loaded.get_modelmeta().custom_metadata_map)
    if binding is None and causal_decoding.is_decoder(loaded):
        return causal_decoding.likelihoods(loaded)
    output = binding["output"] if binding else loaded.get_outputs()[0].name

    def run(feeds: Feeds) -> NDArray[np.floating]:
        values: NDArray[np.floating] = loaded.run([output], feeds)[0]
        return values

    return bound(run, binding) if binding else run
