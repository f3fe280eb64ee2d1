"""Weights beside a shipped file, run by PyTorch: what its engines share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairweight.training.model import Model

Feeds = dict[str, NDArray[np.generic]]


def weights_beside(path: Path, threads: int) -> Model:
    """The model whose `model.safetensors` and `model.json` stand beside an ONNX file; calls use so many threads."""
    torch.set_num_threads(threads)
    return Model.load(str(Path(path).with_suffix(".safetensors")), str(Path(path).with_suffix(".json")))


def shipped(model: Model, logits: Callable[..., Tensor]) -> Callable[[Feeds], NDArray[np.float32]]:
    """From a function of input tensors to a model's logits one of arrays by name to what its file returns."""

    def run(feeds: Feeds) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model.task.shipped(logits(*(torch.from_numpy(a) for a in feeds.values()))).numpy()

    return run
