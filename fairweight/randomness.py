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
