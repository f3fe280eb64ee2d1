"""A shipped language model in onnxruntime: texts scored, and tokens decoded with a cache of keys and values."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fairweight.training.signature import PADDING, TOKENS, Feeds

PAST, PRESENT = "past_key_values.", "present."
AT_ONCE = 1024  # tokens in one call when texts are scored: their logits over the whole vocabulary are held in memory

Array = NDArray[Any]


def is_decoder(session: Any) -> bool:
    """Whether a loaded file takes a cache of keys and values."""
    return any(value.name.startswith(PAST) for value in session.get_inputs())


class Decoder:
    """A language model with its cache.

    Args:
        session: the file, loaded in onnxruntime.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.past = {value.name: value.shape for value in session.get_inputs() if value.name.startswith(PAST)}
        self.outputs = ["logits", *(name.replace(PAST, PRESENT) for name in self.past)]

    def __call__(
        self, tokens: NDArray[np.int64], cache: dict[str, Any] | None = None, mask: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Logits of new tokens, and the cache that holds them too.

        Args:
            tokens: (n, t) that follow what is in the cache.
            cache: what an earlier call returned; None is an empty one.
            mask: (n, all tokens so far and these): 0 is padding, at the end; None is none.

        Returns:
            float32 (n, t, vocabulary), and the new cache.
        """
        if cache is None:
            empty = {
                name: np.zeros((len(tokens), shape[1], 0, shape[3]), np.float32) for name, shape in self.past.items()
            }
            cache = {name: _value(array) for name, array in empty.items()}
        before = next(iter(cache.values())).shape()[2]
        if mask is None:
            mask = np.ones((len(tokens), before + tokens.shape[1]), np.int64)
        feeds = {"input_ids": _value(tokens), "attention_mask": _value(mask), **cache}
        # values of onnxruntime stay where they are: as arrays the whole cache would be copied for every token
        logits, *present = self.session.run_with_ort_values(self.outputs, feeds)
        return logits.numpy(), dict(zip(self.past, present, strict=True))


def _value(array: Array) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def likelihoods(session: Any) -> Callable[[Feeds], NDArray[np.float64]]:
    """A function from tokens (n, t), padded at the end, to negative log-likelihood and number of tokens foretold (n, 2).

    The first token of a row is given, the others are foretold from all before them.
    """
    decoder = Decoder(session)

    def run(feeds: Feeds) -> NDArray[np.float64]:
        tokens = feeds[TOKENS]
        found = np.empty((len(tokens), 2))
        for rows, length in _calls((tokens != PADDING).sum(axis=1)):
            found[rows] = _likelihoods(decoder, tokens[rows, :length])
        return found

    return run


def _calls(lengths: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Rows (m,) of one call and the longest of them: like lengths together, because padding is computed too."""
    waiting = np.argsort(lengths, kind="stable")[::-1]
    while len(waiting):
        length = max(1, int(lengths[waiting[0]]))
        size = max(1, AT_ONCE // length)
        yield waiting[:size], length
        waiting = waiting[size:]


def _likelihoods(decoder: Decoder, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    there = tokens != PADDING
    known = np.where(there, tokens, 0)
    logits, _ = decoder(known, mask=there.astype(np.int64))
    logits, following = logits[:, :-1], known[:, 1:]
    chosen = np.take_along_axis(logits, following[:, :, None], axis=2)[:, :, 0].astype(float)
    highest = logits.max(axis=2, keepdims=True)
    total = np.exp(logits - highest).sum(axis=2, dtype=float)  # of the whole vocabulary, for each position
    nll = np.where(there[:, 1:], np.log(total) + highest[:, :, 0] - chosen, 0.0)
    return np.stack([nll.sum(axis=1), there[:, 1:].sum(axis=1)], axis=1)
