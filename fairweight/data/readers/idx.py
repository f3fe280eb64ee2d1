"""Read IDX, the format of MNIST: pairs of files named `PART-images` and `PART-labels`."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError, listed

OPTIONS = {
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each part, for a quick trial.",
    },
}
MOST_DIMENSIONS = 4
UNSIGNED_BYTE = 8  # the type code in the header


def read(files: dict[str, Path], *, rows: int | None) -> pd.DataFrame:
    """Read the parts one after the other.

    Args:
        files: name -> path; names in pairs such as `train-images` and `train-labels`.
        rows: see `OPTIONS`.

    Returns:
        Columns `image` (uint8 arrays (1, height, width)), `label` (int) and `__file__` (the part).

    Raises:
        InputError: a name is not of that form, a file is not IDX or truncated, or images and labels differ in number.
    """
    parts = list(dict.fromkeys(name.rsplit("-", 1)[0] for name in files))
    wanted = {f"{part}-{kind}" for part in parts for kind in ("images", "labels")}
    if wanted != set(files):
        raise InputError(f"reader idx takes files in pairs PART-images and PART-labels; there are {listed(files)}")
    frames = []
    for part in parts:
        images, labels = read_array(files[f"{part}-images"]), read_array(files[f"{part}-labels"])
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise InputError(f"part {part!r} has images of shape {images.shape} and labels of shape {labels.shape}")
        if not images.size:
            raise InputError(f"part {part!r} has no rows, or images without pixels")
        images, labels = images[:rows], labels[:rows]
        frames.append(pd.DataFrame({"image": list(images[:, None]), "label": labels.astype(int), "__file__": part}))
    return pd.concat(frames, ignore_index=True)


def read_array(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes (http://yann.lecun.com/exdb/mnist/, "file format").

    Raises:
        InputError: the file is not of that format, or shorter or longer than its header says.
    """
    data = path.read_bytes()
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE:
        raise InputError(f"{path.name} is not an IDX file of unsigned bytes; if it is packed, unpack it")
    dimensions = data[3]
    if dimensions > MOST_DIMENSIONS:
        raise InputError(f"{path.name} has arrays of {dimensions} dimensions; images have three, and labels one")
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise InputError(f"{path.name} ends inside its header")
    shape = tuple(np.frombuffer(data[4:start], dtype=">u4").tolist())
    if len(data) - start != math.prod(shape):
        raise InputError(f"{path.name} holds {len(data) - start:,} values where its header says {math.prod(shape):,}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
