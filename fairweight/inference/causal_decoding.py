"""Language models in onnxruntime: likelihoods of texts, and decoding with a cache of keys and values."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from fairweight.training.signature import PADDING, TOKENS, Feeds

PAST, PRESENT = "past_key_values.", "present."  # prefixes of the cache's inputs and outputs
AT_ONCE = 1024  # tokens of one call for likelihoods: their logits over the whole vocabulary are held in memory

# types of a cache as onnxruntime names them; a cache in 4 bits holds two values in a byte
CACHE_TYPES = {"tensor(float)": np.float32, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}

Cache = dict[str, Any]  # name of an input -> onnxruntime.OrtValue


def is_decoder(session: Any) -> bool:
    """Return whether a loaded file takes a cache of keys and values."""
    return any(value.name.startswith(PAST) for value in session.get_inputs())


class Decoder:
    """A language model that decodes with its cache.

    Args:
        session: the file, loaded in onnxruntime.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        past = [value for value in session.get_inputs() if value.name.startswith(PAST)]
        self.past = {value.name: value.shape for value in past}
        self.types = {value.name: CACHE_TYPES[value.type] for value in past}
        self.outputs = ["logits", *(name.replace(PAST, PRESENT) for name in self.past)]

    def __call__(
        self, tokens: NDArray[np.int64], cache: Cache | None = None, mask: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], Cache]:
        """Compute the logits of new tokens, and the cache that includes them.

        Args:
            tokens: (n, t) new tokens, which follow those in the cache.
            cache: returned by an earlier call; None is an empty cache.
            mask: (n, tokens in the cache + t), 0 for padding at the end; None if nothing is padding.

        Returns:
            Logits float32 (n, t, vocabulary), and the new cache.
        """
        if cache is None:
            empty = {
                name: np.zeros((len(tokens), shape[1], 0, shape[3]), self.types[name])
                for name, shape in self.past.items()
            }
            cache = {name: _value(array) for name, array in empty.items()}
        before = next(iter(cache.values())).shape()[2]
        if mask is None:
            mask = np.ones((len(tokens), before + tokens.shape[1]), np.int64)
        feeds = {"input_ids": _value(tokens), "attention_mask": _value(mask), **cache}
        # values of onnxruntime stay where they are: as arrays the whole cache would be copied for every token
        logits, *present = self.session.run_with_ort_values(self.outputs, feeds)
        return logits.numpy(), dict(zip(self.past, present, strict=True))


def _value(array: NDArray[Any]) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def likelihoods(session: Any) -> Callable[[Feeds], NDArray[np.float64]]:
    """Return a function that computes the likelihood of texts.

    Args:
        session: a language model, loaded in onnxruntime.

    Returns:
        A function from tokens (n, t), padded at the end, to negative log-likelihood in nats and number of predicted
        tokens (n, 2). The first token of a row is given; each other token is predicted from all tokens before it.
    """
    decoder = Decoder(session)

    def run(feeds: Feeds) -> NDArray[np.float64]:
        tokens = feeds[TOKENS]
        values = np.empty((len(tokens), 2))
        for rows, length in _calls((tokens != PADDING).sum(axis=1)):
            values[rows] = _likelihoods(decoder, tokens[rows, :length])
        return values

    return run


def calibration_feeds(inputs: Iterable[onnx.ValueInfoProto], tokens: NDArray[np.int64]) -> list[Feeds]:
    """Inputs of the graph of a language model for each text alone, with an empty cache.

    Args:
        inputs: inputs of the graph.
        tokens: (n, t), padded at the end.
    """
    shapes = {value.name: value.type.tensor_type for value in inputs if value.name.startswith(PAST)}
    empty = {
        name: np.zeros(
            [1, about.shape.dim[1].dim_value, 0, about.shape.dim[3].dim_value],
            onnx.helper.tensor_dtype_to_np_dtype(about.elem_type),
        )
        for name, about in shapes.items()
    }
    texts = [row[row != PADDING][None] for row in tokens]
    return [{"input_ids": text, "attention_mask": np.ones_like(text), **empty} for text in texts if text.size]


def _calls(lengths: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield the rows (m,) of each call and their greatest length; rows of like lengths go together, to pad little."""
    waiting = np.argsort(lengths, kind="stable")[::-1]
    while len(waiting):
        length = max(1, int(lengths[waiting[0]]))
        size = max(1, AT_ONCE // length)
        yield waiting[:size], length
        waiting = waiting[size:]


def _likelihoods(decoder: Decoder, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative log-likelihood and number of predicted tokens (n, 2) of the rows of one call."""
    present = tokens != PADDING
    known = np.where(present, tokens, 0)
    logits, _ = decoder(known, mask=present.astype(np.int64))
    logits, following = logits[:, :-1], known[:, 1:]
    chosen = np.take_along_axis(logits, following[:, :, None], axis=2)[:, :, 0].astype(float)
    highest = logits.max(axis=2, keepdims=True)
    total = np.exp(logits - highest).sum(axis=2, dtype=float)  # of the whole vocabulary, for each position
    nll = np.where(present[:, 1:], np.log(total) + highest[:, :, 0] - chosen, 0.0)
    return np.stack([nll.sum(axis=1), present[:, 1:].sum(axis=1)], axis=1)
