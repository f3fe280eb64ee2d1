"""Input tensors of an exported model for rows of a table, whole or in batches.  NumPy only.

Texts are tokenized here. Modules that only read a signature import `signature` and do not depend on the tokenizer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import MISSING, Table
from fairweight.training.signature import PADDING, TOKENS, BoundInput, Feeds, Pixels, Signature
from fairweight.training.tokenizer import tokens

BOOLEANS = dict.fromkeys(("true", "yes", "t", "y", "on"), "1") | dict.fromkeys(("false", "no", "f", "n", "off"), "0")


def input_tensors(signature: Signature, table: Table) -> Feeds:
    """Compute the input tensors of a model with this signature for all rows of a table.

    Returns:
        `tokens` int64 (n, length, ...), padded at the end; `image` uint8 (n, channels, height, width); or `numeric`
        float32 (n, k; float64 if the signature has origins) and `categorical` int64 (n, c), whichever the model has. A
        category that no training row had is -1. For an imported file, the tensors that its binding names.

    Raises:
        ValueError: the table has no texts or no images, and the model takes them.
    """
    if signature.binding is not None:
        return {bound["name"]: _bound(signature, bound, table) for bound in signature.binding["inputs"]}
    if signature.text is not None:
        if table.texts is None:
            raise ValueError("the model takes texts, and the table has none")
        return {TOKENS: tokens(signature.text, table.texts)}
    if signature.image is not None:
        if table.images is None:
            raise ValueError("the model takes images, and the table has none")
        return {"image": table.images}
    feeds: Feeds = {}
    if signature.numeric:
        feeds["numeric"] = _numbers(signature, table)
    if signature.categorical:
        columns = [_codes(signature, table, position, name) for position, name in enumerate(signature.categorical)]
        feeds["categorical"] = np.stack(columns, axis=1)
    return feeds


def _numbers(signature: Signature, table: Table) -> NDArray[np.float32] | NDArray[np.float64]:
    """The numbers of the raw rows (n, k): the table holds them minus their origins."""
    if not signature.origins:
        return table.numeric
    return table.numeric + np.array([signature.origins.get(name, 0.0) for name in signature.numeric], np.float64)


def _codes(signature: Signature, table: Table, position: int, name: str) -> NDArray[np.int64]:
    """Translate the codes of a column from the table's levels to those of the signature."""
    known = {level: code for code, level in enumerate(signature.categorical[name])}
    translation = np.array([known.get(level, -1) for level in table.levels[name]], dtype=np.int64)
    translated: NDArray[np.int64] = translation[table.categorical[:, position]]
    return translated


# ---- inputs of imported files


def _bound(signature: Signature, bound: BoundInput, table: Table) -> NDArray[Any]:
    """One input tensor of an imported file."""
    assert signature.binding is not None  # the caller has looked
    if bound["part"] == "pixels":
        if table.images is None:
            raise ValueError("the model takes images, and the table has none")
        return _pixels(table.images, signature.binding["pixels"]).astype(bound["type"])
    if bound["part"] in ("tokens", "mask", "segments"):
        if signature.text is None or table.texts is None:
            raise ValueError("the model takes texts, and the table has none")
        codes = tokens(signature.text, table.texts)
        if (length := signature.binding.get("length")) is not None:
            codes = np.pad(codes, ((0, 0), (0, length - codes.shape[1])), constant_values=PADDING)
        filled = {
            "tokens": np.where(codes == PADDING, signature.binding["padding"], codes),
            "mask": codes != PADDING,
            "segments": np.zeros_like(codes),
        }
        return filled[bound["part"]].astype(bound["type"])
    columns = [_column(table, name, bound["type"]) for name in bound["columns"]]
    if bound["part"] == "vector":
        return columns[0]
    matrix = np.stack(columns, axis=1)
    return matrix.reshape(len(matrix), *bound["shape"]) if "shape" in bound else matrix


def _pixels(images: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
    """Pixels uint8 (n, channels, height, width) as the numbers of an input tensor."""
    mean, std = (np.array(pixels[name], np.float32).reshape(-1, 1, 1) for name in ("mean", "std"))
    scaled: NDArray[np.float32] = (images.astype(np.float32) / np.float32(pixels["scale"]) - mean) / std
    if pixels["layout"] == "flat":
        return scaled.reshape(len(scaled), -1)
    return scaled.transpose(0, 2, 3, 1) if pixels["layout"] == "NHWC" else scaled


def _column(table: Table, name: str, kind: str) -> NDArray[Any]:
    """A column of a table (n,) as an imported file reads it: a number, or its text; a missing category is ''."""
    if kind != "string":
        return column_numbers(table, name, kind).astype(kind)
    levels = np.array(["" if level == MISSING else level for level in table.levels[name]], dtype=object)
    texts: NDArray[Any] = levels[table.categorical[:, list(table.levels).index(name)]]
    return texts


def column_numbers(table: Table, name: str, kind: str = "float64") -> NDArray[np.float64]:
    """The numbers of a column (n,), as the raw rows have them; NaN for a missing one, and for categories that are none.

    Args:
        table: n rows.
        name: numeric or categorical column.
        kind: type of the input that takes them; see `number_of`.
    """
    if name in table.numeric_names:
        numbers = table.numeric[:, table.numeric_names.index(name)].astype(np.float64)
        return numbers + table.origins.get(name, 0.0)
    values = [number_of(level, kind) for level in table.levels[name]]
    of_level = np.array([np.nan if value is None else value for value in values], np.float64)
    of_rows: NDArray[np.float64] = of_level[table.categorical[:, list(table.levels).index(name)]]
    return of_rows


def number_of(level: str, kind: str = "float64") -> float | None:
    """The number that a category writes, true and false being 1 and 0; None if it is no number.

    Args:
        level: the category.
        kind: type of the input that takes it; `bool` understands more words, such as yes and no.
    """
    word = level.strip().lower()
    text = {"true": "1", "false": "0"}.get(word, level)
    if kind == "bool":
        text = BOOLEANS.get(word, text)
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class ModelInputs:
    """Input tensors of n rows, by name.

    Attributes:
        feeds: the tensors.
        padded: whether a tensor `tokens` is padded at the end; one of an imported file may have any content.
        unit: what the outputs are divided by where they are compared: the standard deviation of the training labels if
            they are numbers; None for other outputs.
    """

    feeds: Feeds
    padded: bool = True
    unit: float | None = None

    @classmethod
    def from_rows(cls, signature: Signature, rows: Table) -> "ModelInputs":
        """Compute the input tensors of a model with this signature."""
        unit = None if signature.label is None else signature.label["scale"]
        return cls(input_tensors(signature, rows), padded=signature.binding is None, unit=unit)

    def __len__(self) -> int:
        return len(next(iter(self.feeds.values())))

    def lengths(self) -> NDArray[np.int64] | None:
        """Return the number of tokens of each row (n,); None where all rows have one size."""
        return lengths(self.feeds[TOKENS]) if self.padded and TOKENS in self.feeds else None

    def at(self, positions: NDArray[Any] | slice) -> Feeds:
        """Return the input tensors of the rows at these positions, with tokens cut to the longest of these rows."""
        feeds = {name: array[positions] for name, array in self.feeds.items()}
        if self.padded and TOKENS in feeds:
            feeds[TOKENS] = feeds[TOKENS][:, : max(1, lengths(feeds[TOKENS]).max(initial=1))]
        return feeds

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], Feeds]]:
        """Yield positions and input tensors of `size` rows at a time.

        Rows come in their order, or sorted by length where their lengths differ.
        """
        row_lengths = self.lengths()
        order = np.arange(len(self)) if row_lengths is None else np.argsort(row_lengths, kind="stable")
        for start in range(0, len(self), size):
            positions = order[start : start + size]
            yield positions, self.at(positions)

    def outputs(self, run: Callable[[Feeds], NDArray[Any]], size: int) -> NDArray[Any]:
        """Run a loaded file on all rows, `size` rows a call.

        Returns:
            Its outputs (n, ...), in the order of the rows.
        """
        positions, parts = zip(*((batch, run(feeds)) for batch, feeds in self.batches(size)), strict=True)
        outputs = np.concatenate(parts)
        back = np.empty(len(outputs), np.int64)
        back[np.concatenate(positions)] = np.arange(len(outputs))
        return outputs[back]


def lengths(padded: NDArray[Any]) -> NDArray[np.int64]:
    """Count the tokens of each row before its padding: (n, length, ...) -> (n,)."""
    flat = padded.reshape(*padded.shape[:2], -1)
    counts: NDArray[np.int64] = (flat[:, :, 0] != PADDING).sum(axis=1)
    return counts
