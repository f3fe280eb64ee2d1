"""Input encoders: input tensors to features, one encoder for each form of a row, fitted on training rows.

An encoder is part of the model, so that the exported file takes raw rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight.training.signature import PADDING, Signature


class Encoder(nn.Module):
    """Base class of all input encoders.

    Attributes:
        features: shape of one row's features; for texts, the number of distinct tokens.
        max_rows: rows of one call where only a loss is computed.
    """

    features: tuple[int, ...]
    max_rows = 65_536

    @classmethod
    def from_signature(cls, signature: Signature) -> "Encoder":
        """Build the encoder, not fitted yet, of a model with this signature."""
        return FORMS[signature.form](signature)

    def fit(self, read: Callable[[], Iterable[NDArray[Any]]]) -> None:
        """Learn statistics of training rows; an encoder may need none.

        Args:
            read: returns blocks of the rows in their order, at each call from the first one: their `numeric` columns,
                or their images. The blocks' sizes change no bit of the result.
        """

    def fit_blocks(self, blocks: Iterable[NDArray[Any]]) -> None:
        """Learn the same statistics in one pass; they may differ in the last digit, and depend on the blocks."""

    def concatenate(self, parts: Sequence[Tensor]) -> Tensor:
        """Concatenate the features of several tables (n, ...) along their rows."""
        return torch.cat(list(parts))

    def trim(self, features: Tensor) -> Tensor:
        """Remove what is padding in all rows of a batch (n, ...)."""
        return features

    def batches(self, features: Tensor, order: Tensor, size: int) -> Sequence[Tensor]:  # noqa: ARG002 - texts use it
        """Divide rows into batches of `size` rows.

        Args:
            features: (n, ...) of all rows.
            order: positions of the rows (n,), in random order.
            size: rows of one batch; the last one may have fewer.

        Returns:
            Positions of the rows of each batch.
        """
        return order.split(size)


class TabularEncoder(Encoder):
    """Standardise numbers and one-hot encode categories.

    A category that no training row had is all zeros; a missing number is replaced by the mean. Origins of the signature
    are subtracted in float64.
    """

    mean: Tensor
    scale: Tensor
    origin: Tensor | None
    column: Tensor
    level: Tensor

    def __init__(self, signature: Signature) -> None:
        super().__init__()
        numeric, sizes = len(signature.numeric), [len(levels) for levels in signature.categorical.values()]
        self.register_buffer("mean", torch.zeros(numeric))
        self.register_buffer("scale", torch.ones(numeric))
        origins = [signature.origins.get(name, 0.0) for name in signature.numeric]
        origin = torch.tensor(origins, dtype=torch.float64) if any(origins) else None
        self.register_buffer("origin", origin, persistent=False)  # the signature holds it
        # one-hot feature j is 1 where column[j] holds level[j]; two small tensors serve all columns in one comparison
        columns = [position for position, size in enumerate(sizes) for _ in range(size)]
        levels = [level for size in sizes for level in range(size)]
        self.register_buffer("column", torch.tensor(columns, dtype=torch.int32), persistent=False)
        self.register_buffer("level", torch.tensor(levels, dtype=torch.int32), persistent=False)
        self.numeric, self.categorical = numeric, sum(sizes)
        self.features = (numeric + sum(sizes),)

    def fit(self, read: Callable[[], Iterable[NDArray[Any]]]) -> None:
        """Compute mean and standard deviation of each numeric column, minus its origin; a constant keeps scale 1.

        The result is that of `numpy.nanmean` and `numpy.nanstd` of all rows, to the bit.
        """
        if not self.numeric:
            return
        blocks = _at_once(read) if self.numeric == 1 else read
        known = np.zeros(self.numeric, np.int64)

        def counted() -> Iterator[NDArray[np.float64]]:
            nonlocal known
            for block in blocks():
                known = known + np.sum(~np.isnan(block), axis=0)
                yield _zero_filled(block.astype(np.float64))

        mean = _summed(counted()) / known
        squares = _summed(np.square(_zero_filled(block.astype(np.float64) - mean)) for block in blocks())
        spread = np.sqrt(squares / known)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(np.where(spread > 0, spread, 1.0)))

    def fit_blocks(self, blocks: Iterable[NDArray[Any]]) -> None:
        """Compute the same from numeric columns (n, k), block by block (Chan, Golub & LeVeque 1983)."""
        count, mean, squares = (np.zeros(self.numeric) for _ in range(3))
        for block in blocks if self.numeric else ():
            numeric = block.astype(np.float64)
            known = np.isfinite(numeric)
            size = known.sum(axis=0)
            own = np.where(known, numeric, 0).sum(axis=0) / np.maximum(size, 1)
            distance, total = own - mean, np.maximum(count + size, 1)
            squares += np.where(known, np.square(numeric - own), 0).sum(axis=0) + distance**2 * count * size / total
            mean += distance * size / total
            count += size
        spread = np.sqrt(squares / np.maximum(count, 1))
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(np.where(spread > 0, spread, 1.0)))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Encode numeric float32 or float64 (n, k) and categorical int64 (n, c), if they exist, as float32 (n, d)."""
        parts = []
        if self.numeric:
            numeric = inputs[0] if self.origin is None else (inputs[0] - self.origin).to(torch.float32)
            parts.append((torch.where(torch.isnan(numeric), self.mean, numeric) - self.mean) / self.scale)
        if self.categorical:
            parts.append((inputs[-1].to(torch.int32).index_select(1, self.column) == self.level).to(torch.float32))
        return torch.cat(parts, dim=1)


def _at_once(read: Callable[[], Iterable[NDArray[Any]]]) -> Callable[[], Iterable[NDArray[Any]]]:
    """All blocks as one: NumPy adds the numbers of a single column in pairs, and the rows of several in their order."""
    whole = np.concatenate(list(read()))
    return lambda: [whole]


def _zero_filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), 0.0, values)


def _summed(blocks: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Sum of the rows of blocks (n, k), in the order of the rows, as NumPy adds the rows of one array."""
    total = None
    for block in blocks:
        total = np.add.reduce(block if total is None else np.concatenate([total[None], block]), axis=0)
    assert total is not None  # there are training rows
    return total


class ImageEncoder(Encoder):
    """Standardise pixels by the mean and standard deviation of each channel."""

    mean: Tensor
    scale: Tensor

    def __init__(self, signature: Signature) -> None:
        super().__init__()
        assert signature.image is not None  # this is the encoder of such signatures
        shape = signature.image
        self.register_buffer("mean", torch.zeros(shape[0], 1, 1))
        self.register_buffer("scale", torch.ones(shape[0], 1, 1))
        self.features = shape

    def fit(self, read: Callable[[], Iterable[NDArray[Any]]]) -> None:
        """Compute mean and standard deviation of each channel over all pixels of the rows."""
        self.fit_blocks(read())

    def fit_blocks(self, blocks: Iterable[NDArray[Any]]) -> None:
        """Compute the same from images (n, channels, height, width), block by block."""
        # exact in integers, without a floating-point copy of all pixels
        size, totals, squares = 0, np.zeros(self.features[0], np.uint64), np.zeros(self.features[0], np.uint64)
        for block in blocks:
            size += block[:, 0].size
            totals += block.sum(axis=(0, 2, 3), dtype=np.uint64)
            for channel in range(self.features[0]):
                squares[channel] += np.square(block[:, channel], dtype=np.uint16).sum(dtype=np.uint64)
        for channel in range(self.features[0]):
            mean, square = float(totals[channel]) / size, float(squares[channel]) / size
            self.mean[channel] = mean
            self.scale[channel] = max(square - mean**2, 1e-12) ** 0.5

    def forward(self, image: Tensor) -> Tensor:
        """Encode uint8 (n, channels, height, width) as float32 of the same shape."""
        return (image.to(torch.float32) - self.mean) / self.scale


MEGABATCH = 32  # batches of rows in random order that are sorted by length together


class TextEncoder(Encoder):
    """Pass tokens through: the tokenizer runs outside of the exported graph, and the body embeds the tokens."""

    max_rows = 64  # a row has many features, and rows of one length need no padding

    def __init__(self, signature: Signature) -> None:
        super().__init__()
        assert signature.text is not None  # this is the encoder of such signatures
        self.features = (int(signature.text["vocabulary"]),)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens int64 (n, length, ...), padded with -1, unchanged."""
        return tokens

    def concatenate(self, parts: Sequence[Tensor]) -> Tensor:
        """Concatenate the tokens of several tables, all padded to the longest text."""
        longest = max(part.shape[1] for part in parts)
        filled = [part.new_full((len(part), longest, *part.shape[2:]), PADDING) for part in parts]
        for whole, part in zip(filled, parts, strict=True):
            whole[:, : part.shape[1]] = part
        return torch.cat(filled)

    def trim(self, features: Tensor) -> Tensor:
        """Remove the columns in which all rows of a batch are padded."""
        longest = int(self._lengths(features).max())
        return features[:, : max(1, longest)]

    def batches(self, features: Tensor, order: Tensor, size: int) -> Sequence[Tensor]:
        """Divide rows into batches of similar length: rows are sorted within 32 batches of the random order.

        The batches come in the random order of their shortest rows.
        """
        length, batches = self._lengths(features), []
        for part in order.split(size * MEGABATCH):
            ranked = part[torch.argsort(length[part], stable=True)]
            batches += ranked.split(size)
        rank = torch.empty(len(features), dtype=torch.int64)
        rank[order] = torch.arange(len(order))
        return sorted(batches, key=lambda batch: int(rank[batch[0]]))

    @staticmethod
    def _lengths(tokens: Tensor) -> Tensor:
        return (tokens.flatten(2) if tokens.dim() > 2 else tokens.unsqueeze(2))[:, :, 0].ne(PADDING).sum(dim=1)


FORMS: dict[str, type[Encoder]] = {"tabular": TabularEncoder, "image": ImageEncoder, "text": TextEncoder}
