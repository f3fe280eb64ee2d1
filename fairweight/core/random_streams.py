"""Independent random streams, named by what they are for."""

import zlib

import numpy as np


def stream(*key: int | str) -> np.random.SeedSequence:
    """Seed sequence of a key such as ("train", seed, replicate): equal keys, equal stream; other keys, independent.

    Strings enter by their CRC-32, integers as they are (NumPy's SeedSequence mixes them).
    """
    return np.random.SeedSequence([zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key])


def generator(*key: int | str) -> np.random.Generator:
    """NumPy generator of a key; see `stream`."""
    return np.random.default_rng(stream(*key))


def integer(*key: int | str) -> int:
    """A 63-bit seed for libraries that take one integer; see `stream`."""
    return int(stream(*key).generate_state(1, np.uint64)[0] >> 1)


def copies(rng: np.random.Generator, rows: int, share: float) -> np.ndarray:
    """Positions of rows to copy, in random order: `share` times as many as there are rows, each about equally often.

    A fraction of a row is drawn up or down, so that the shares of many small blocks add up.
    """
    count = int(share * rows + rng.random())
    return rng.permutation(np.resize(rng.permutation(rows), count))
