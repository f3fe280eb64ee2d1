"""Input encoders: input tensors to features, one encoder for each form of a row, fitted on training rows.

An encoder is part of the model, so that the exported file takes raw rows.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fairweight.core.table import Table
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

    def fit(self, table: Table) -> None:
        """Learn statistics of training rows; an encoder may need none."""

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

    def fit(self, table: Table) -> None:
        """Compute mean and standard deviation of each numeric column, minus its origin; a constant keeps scale 1."""
        if not self.numeric:
            return
        numeric = table.numeric.astype(np.float64)
        spread = np.nanstd(numeric, axis=0)
        self.mean.copy_(torch.from_numpy(np.nanmean(numeric, axis=0)))
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

    def fit(self, table: Table) -> None:
        """Compute mean and standard deviation of each channel over all pixels of the rows.

        Raises:
            ValueError: the table has no images.
        """
        if table.images is None:
            raise ValueError("an image encoder is fitted on images")
        for channel in range(self.features[0]):
            # exact in integers, without a floating-point copy of all pixels
            pixels = table.images[:, channel]
            mean = float(pixels.sum(dtype=np.uint64)) / pixels.size
            square = float(np.square(pixels, dtype=np.uint16).sum(dtype=np.uint64)) / pixels.size
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
