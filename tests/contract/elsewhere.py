"""Decoding of a coded file in a process in which nothing is left of the coding."""

import multiprocessing
import sys
from pathlib import Path

import numpy as np

from fairweight.compression.coded_file import Coded
from fairweight.compression.encode import decode
from fairweight.core import components


def tensors(path: str) -> dict[str, np.ndarray]:
    """Tensors of the model that a coded file holds, found without any other file than it and modules."""
    components.module("encodings", Coded.from_bytes(Path(path).read_bytes()).header["encoding"])
    opened: list[str] = []
    sys.addaudithook(lambda event, told: opened.append(str(told[0])) if event == "open" else None)
    found = {name: tensor.numpy() for name, tensor in decode(path).state_dict().items()}
    if others := [name for name in opened if name != path and not name.endswith((".py", ".pyc", ".so"))]:
        raise ValueError(f"the decoder opened {', '.join(others)}")
    return found


def decoded(path: str) -> dict[str, np.ndarray]:
    """The same in a process of its own, forked off a server that has never seen the coding."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fairweight.compression.encode"])
    with context.Pool(1) as pool:
        return pool.apply(tensors, (path,))
