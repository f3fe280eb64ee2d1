"""Decode a coded file in a process that shares no memory with the one that encoded it."""

import multiprocessing
import sys
from pathlib import Path

import numpy as np

from fairweight.compression.coded_file import Coded
from fairweight.compression.encode import decode
from fairweight.core import components


def tensors(path: str) -> dict[str, np.ndarray]:
    """Decode the tensors of a coded file.

    Raises:
        ValueError: the decoder opened a file other than the coded file and Python modules.
    """
    components.module("encodings", Coded.from_bytes(Path(path).read_bytes()).header["encoding"])
    opened: list[str] = []
    sys.addaudithook(lambda event, details: opened.append(str(details[0])) if event == "open" else None)
    arrays = {name: tensor.numpy() for name, tensor in decode(path).state_dict().items()}
    if others := [name for name in opened if name != path and not name.endswith((".py", ".pyc", ".so"))]:
        raise ValueError(f"the decoder opened {', '.join(others)}")
    return arrays


def decoded(path: str) -> dict[str, np.ndarray]:
    """Decode in a separate process, forked from a server that has never seen the encoding."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fairweight.compression.encode"])
    with context.Pool(1) as pool:
        return pool.apply(tensors, (path,))
