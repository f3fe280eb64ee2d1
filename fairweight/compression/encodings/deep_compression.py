"""Deep compression: weight sharing by k-means, finetuned centroids, entropy-coded indices (Han et al. 2016).

The zeros of a pruned parent stay zero; they are stored as the gaps between the other weights. Instead of the paper's
Huffman code a range coder is used (constriction; Bamler 2022), which can spend fractions of a bit on a symbol.
"""

from typing import Any, TypedDict

import constriction
import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from fairweight.compression.coded_file import Coded
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError

OPTIONS = {
    "matrix_bits": {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
        "default": 5,
        "description": "Weight matrices share 2^bits values each.",
    },
    "kernel_bits": {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
        "default": 8,
        "description": "Convolution kernels share 2^bits values each.",
    },
}

Tensors = dict[str, NDArray[np.float32]]
LARGEST = float(np.finfo(np.float16).max)
FILLER = 255  # a gap symbol for 255 zeros that no weight follows


class PlainTensor(TypedDict):
    """Description of a tensor that is stored as it is: its NumPy type."""

    plain: str


class SharedTensor(TypedDict):
    """Description of a tensor with shared values: number of values, weights and gaps, and the order of its weights."""

    values: int
    weights: int
    gaps: int
    transposed: bool


def encode(weights: Tensors, network: Network, *, matrix_bits: int, kernel_bits: int) -> Coded:
    """Share values, finetune them, and encode the result.

    Args:
        weights: name -> tensor; those with two or more dimensions are shared, the others stored as float16.
        network: its weights are shared in place, and its shared values trained for the epochs of `finetune`.
        matrix_bits, kernel_bits: see OPTIONS.

    Raises:
        InputError: a value is not finite, or a shared one is beyond float16.
    """
    clusters: dict[str, torch.Tensor] = {}
    for name, parameter in network.body.named_parameters():
        if parameter.dim() >= 2:
            codes, values = _share(parameter.detach().numpy(), kernel_bits if parameter.dim() > 2 else matrix_bits)
            clusters[name] = torch.from_numpy(codes)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(np.append(values, np.float32(0))[codes]))
    network.train_shared(clusters, network.epochs)
    trained = {f"body.{name}": tensor.detach().numpy() for name, tensor in network.body.state_dict().items()}
    descriptions: list[dict[str, Any]] = []
    sections: list[bytes] = []
    for name, before in weights.items():
        tensor = trained.get(name, before)
        if not np.isfinite(tensor).all():
            raise InputError(f"deep_compression: {name} has values that are not finite")
        cluster = clusters.get(name.removeprefix("body."))
        if cluster is not None and np.abs(tensor).max(initial=0) > LARGEST:
            raise InputError(f"deep_compression: {name} has values above {LARGEST:,.0f}, which float16 cannot hold")
        description, parts = _plain(name, tensor) if cluster is None else _shared(tensor, cluster.numpy())
        descriptions.append({"name": name, "shape": list(tensor.shape), **description})
        sections += parts
    return Coded({"tensors": descriptions}, sections)


def _share(tensor: NDArray[np.float32], bits: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cluster the weights that are not zero, by k-means from centroids spread evenly over their range.

    Returns:
        (cluster of each weight, -1 for zeros; value of each cluster)
    """
    flat = tensor.reshape(-1)
    places = np.flatnonzero(flat)
    codes = np.full(flat.size, -1, np.int64)
    nonzero = flat[places].reshape(-1, 1).astype(np.float64)
    number = min(2**bits, len(np.unique(nonzero)))
    if not number:
        return codes.reshape(tensor.shape), np.empty(0, np.float32)
    start = np.linspace(nonzero.min(), nonzero.max(), number).reshape(-1, 1)
    means = KMeans(number, init=start, n_init=1, max_iter=100).fit(nonzero)
    used, codes[places] = np.unique(means.labels_, return_inverse=True)
    return codes.reshape(tensor.shape), means.cluster_centers_[used, 0].astype(np.float32)


def _plain(name: str, tensor: NDArray[Any]) -> tuple[PlainTensor, list[bytes]]:
    """Description and section of a tensor without shared values."""
    # biases take half precision if they fit; the few numbers of the input encoder keep their type
    half = name.startswith("body.") and tensor.dtype == np.float32 and np.abs(tensor).max(initial=0) <= LARGEST
    kind = "<f2" if half else tensor.dtype.newbyteorder("<").str
    return {"plain": kind}, [np.ascontiguousarray(tensor, kind).tobytes()]


def _shared(tensor: NDArray[np.float32], codes: NDArray[np.int64]) -> tuple[SharedTensor, list[bytes]]:
    """Description and sections of a tensor with shared values: codebook, counts, gaps, indices."""
    number = int(codes.max()) + 1
    values = np.zeros(number, np.float32)
    values[codes[codes >= 0]] = tensor[codes >= 0]
    best: tuple[SharedTensor, list[bytes]] | None = None
    for transposed in (False, True):  # the order in which zeros form longer runs needs fewer bytes
        flat = _flattened(codes, transposed)
        places = np.flatnonzero(flat >= 0)
        gaps = _gaps(places)
        parts = [values.astype("<f2").tobytes(), *_entropy_coded(gaps), *_entropy_coded(flat[places])]
        description: SharedTensor = {
            "values": number,
            "weights": len(places),
            "gaps": len(gaps),
            "transposed": transposed,
        }
        if best is None or sum(map(len, parts)) < sum(map(len, best[1])):
            best = description, parts
    assert best is not None
    return best


def _flattened(tensor: NDArray[Any], transposed: bool) -> NDArray[Any]:
    """Entries of the tensor as a matrix (outputs, all other entries), or of its transpose, in row-major order."""
    matrix = tensor.reshape(len(tensor), -1)
    return (matrix.T if transposed else matrix).reshape(-1)


def _gaps(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of zeros before each weight; every 255 of them become a filler symbol in front."""
    zeros = np.diff(places, prepend=-1) - 1
    fillers, rest = zeros // FILLER, zeros % FILLER
    gaps = np.full(len(zeros) + int(fillers.sum()), FILLER, np.int64)
    gaps[np.cumsum(fillers + 1) - 1] = rest
    return gaps


def _places(gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Inverse of `_gaps`."""
    moved = np.cumsum(gaps + (gaps != FILLER)) - 1
    return moved[gaps != FILLER]


def _entropy_coded(symbols: NDArray[np.int64]) -> list[bytes]:
    """Encode symbols as two sections: their counts, and their range code."""
    counts = np.bincount(symbols).astype("<u4") if len(symbols) else np.zeros(0, "<u4")
    stored = zstandard.ZstdCompressor(level=19).compress(counts.tobytes())
    if len(counts) < 2:  # one symbol needs no code
        return [stored, b""]
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(symbols.astype(np.int32), _model(counts))
    return [stored, encoder.get_compressed().astype("<u4").tobytes()]


def _model(counts: NDArray[Any]) -> Any:
    # a count of 0 would be a probability of 0, which the coder refuses
    return constriction.stream.model.Categorical(np.maximum(counts, 0.01).astype(np.float64), perfect=False)


def _entropy_decoded(stored: bytes, code: bytes, number: int) -> NDArray[np.int64]:
    """Inverse of `_entropy_coded`."""
    counts = np.frombuffer(zstandard.ZstdDecompressor().decompress(stored), "<u4")
    if len(counts) < 2:
        return np.zeros(number, np.int64)
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(code, "<u4").astype(np.uint32))
    return np.asarray(decoder.decode(_model(counts), number), np.int64)


def decode(coded: Coded) -> Tensors:
    """Inverse of `encode`: name -> tensor."""
    tensors: Tensors = {}
    sections = iter(coded.sections)
    for description in coded.header["tensors"]:
        name, shape = description["name"], description["shape"]
        if "plain" in description:
            array = np.frombuffer(next(sections), description["plain"])
            tensors[name] = (array.astype(np.float32) if array.dtype == np.float16 else array).reshape(shape)
            continue
        values = np.frombuffer(next(sections), "<f2").astype(np.float32)
        places = _places(_entropy_decoded(next(sections), next(sections), description["gaps"]))
        codes = _entropy_decoded(next(sections), next(sections), description["weights"])
        size = int(np.prod(shape))
        flat = np.zeros(size, np.float32)
        flat[places] = values[codes]
        if description["transposed"]:
            flat = np.ascontiguousarray(flat.reshape(size // shape[0], shape[0]).T)
        tensors[name] = flat.reshape(shape)
    return tensors
