"""Encoded rows in files: training does not hold them in memory.

Blocks are counted over the rows that are trained on, and not over the row groups of a file, so that sums by block are
the same for any row groups and any number of threads.
"""

import contextlib
import math
import mmap
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairweight.core.errors import InputError, first_line
from fairweight.core.table import Table, block_rows
from fairweight.training.model import Model

Floats = NDArray[np.float32]
HELD_BYTES = 2**28  # features up to this size stay in memory
# rows that may be read from a mapped file before its pages leave the process (not the page cache): the kernel maps 16
# pages at each access, so that 4,096 rows in random order are 256 MiB at most
MAPPED_ROWS = 4096


@dataclass
class Spool:
    """A file of features without a name, which ends with the process.

    Attributes:
        file: the open file.
        features: float32 (n, ...), mapped from it.
    """

    file: BinaryIO
    features: Tensor
    _pages: mmap.mmap
    _read: int = field(default=0)

    @classmethod
    def write(cls, parts: Iterable[Tensor], rows: int, shape: tuple[int, ...]) -> "Spool":
        """Write the features (k, ...) of consecutive rows, `rows` in all, to a new file.

        Raises:
            InputError: the disk is full, or the file may not be written for another reason.
        """
        with _full_disk(Path(tempfile.gettempdir())):
            file = tempfile.TemporaryFile(prefix="fairweight-rows-", buffering=0)  # noqa: SIM115 - lives on
            for part in parts:
                _write(file, part)
        return cls.opened(file, rows, shape)

    @classmethod
    def opened(cls, file: BinaryIO, rows: int, shape: tuple[int, ...]) -> "Spool":
        """Map a file of `rows` rows whose features have this shape."""
        pages = mmap.mmap(file.fileno(), 4 * rows * math.prod(shape))
        return cls(file, torch.frombuffer(pages, dtype=torch.float32).view(rows, *shape), pages)

    def at(self, positions: Tensor) -> Tensor:
        """Features of the rows at these positions, in memory."""
        features = self.features[positions]
        self._read += len(positions)
        if self._read >= MAPPED_ROWS and hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)
            self._read = 0
        return features


def _write(file: BinaryIO, part: Tensor) -> None:
    left = part.to(torch.float32).contiguous().numpy().reshape(-1).view(np.uint8).data
    while left:  # a disk that fills up takes a part of it
        left = left[file.write(left) :]


@contextlib.contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # NumPy's error of a full disk has no number
        raise InputError(
            f"training: the encoded rows cannot be written to {folder} ({first_line(error)}); free space there, or set "
            "TMPDIR to another folder."
        ) from None


def held_or_spooled(parts: Iterable[Tensor], rows: int, shape: tuple[int, ...]) -> tuple[Tensor, Spool | None]:
    """Features (rows, ...) of consecutive parts: in memory, or in a file if they are larger than HELD_BYTES."""
    if 4 * rows * math.prod(shape) > HELD_BYTES:
        spool = Spool.write(parts, rows, shape)
        return spool.features, spool
    features, start = torch.empty((rows, *shape)), 0
    for part in parts:
        features[start : start + len(part)] = part
        start += len(part)
    return features, None


# ---- blocks, of which sums are taken


@dataclass(frozen=True)
class Block:
    """Encoded rows, of which the features are in a file, or in the memory of a worker.

    Attributes:
        stored: .npy file of the features, or the features, float32 (n, d).
        labels: int64 (n,).
        weights: float64 (n,), weights in the loss.
    """

    stored: Path | Floats
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    def features(self) -> Floats:
        """The features (n, d), mapped from the file."""
        if not isinstance(self.stored, Path):
            return self.stored
        features: Floats = np.load(self.stored, mmap_mode="r", allow_pickle=False)
        return features


def fixed_blocks(arrays: Iterable[NDArray[Any]], rows: int) -> Iterator[NDArray[Any]]:
    """Concatenate arrays (n, ...) of any length and cut them into ones of `rows` rows; the last one may have fewer."""
    pending: list[NDArray[Any]] = []
    size = 0
    for array in arrays:
        while size + len(array) >= rows:
            taken = rows - size
            yield np.concatenate([*pending, array[:taken]])
            array, pending, size = array[taken:], [], 0  # noqa: PLW2901 - the rest of it
        pending.append(array)
        size += len(array)
    if size:
        yield np.concatenate(pending)


def encoded_blocks(
    parts: Iterable[Table],
    model: Model,
    weights: NDArray[np.float64],
    labels: NDArray[np.int64],
    folder: Path | None,
    name: str,
) -> Iterator[Block]:
    """Encode tables and cut them into fixed blocks.

    Args:
        parts: consecutive rows.
        model: a model whose encoder is fitted.
        weights, labels: of all rows (n,).
        folder: folder to write the features to; None keeps those of a block in memory.
        name: beginning of the files' names.
    """
    rows, start = block_rows(math.prod(model.encoder.features)), 0
    encoded = (model.encode(part).flatten(1).numpy() for part in parts)
    for number, features in enumerate(fixed_blocks(encoded, rows)):
        place = slice(start, start + len(features))
        start += len(features)
        if folder is None:
            yield Block(features, labels[place], weights[place])
            continue
        path = folder / f"{name}-{number}.npy"
        with _full_disk(folder.parent):
            np.save(path, features, allow_pickle=False)
        yield Block(path, labels[place], weights[place])
