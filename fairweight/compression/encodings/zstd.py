"""Plain zstd compression of the weights: the baseline that every other encoding must beat."""

import numpy as np
import zstandard
from numpy.typing import NDArray

from fairweight.compression.coded_file import Coded
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError

OPTIONS = {
    "level": {"type": "integer", "minimum": 1, "maximum": 22, "default": 19, "description": "Level of zstd."},
}

Tensors = dict[str, NDArray[np.float32]]


def encode(weights: Tensors, network: Network, *, level: int) -> Coded:
    """Compress all tensors together, without loss.

    Args:
        weights: name -> tensor.
        network: not changed.
        level: see OPTIONS.

    Raises:
        InputError: `finetune` has epochs, or float32 cannot hold a value.
    """
    if network.epochs:
        raise InputError("zstd codes without loss, and has nothing to finetune")
    for name, w in weights.items():
        with np.errstate(over="ignore"):
            narrowed = w.astype("<f4").astype(w.dtype)
        if not np.array_equal(narrowed, w, equal_nan=w.dtype.kind == "f"):
            raise InputError(f"zstd stores float32, which cannot hold the {w.dtype} values of {name}")
    raw = b"".join(np.ascontiguousarray(w, "<f4").tobytes() for w in weights.values())
    tensors = {name: list(w.shape) for name, w in weights.items()}
    return Coded({"tensors": tensors}, [zstandard.ZstdCompressor(level=level).compress(raw)])


def decode(coded: Coded) -> Tensors:
    """Inverse of `encode`."""
    flat = np.frombuffer(zstandard.ZstdDecompressor().decompress(coded.sections[0]), "<f4")
    tensors, start = {}, 0
    for name, shape in coded.header["tensors"].items():
        size = int(np.prod(shape))
        tensors[name] = flat[start : start + size].reshape(shape).astype(np.float32)
        start += size
    return tensors
