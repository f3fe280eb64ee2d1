"""Run the weights of an exported file in PyTorch: functions that the PyTorch engines share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairweight.training.model import Model
from fairweight.training.signature import Feeds


def weights_beside(path: Path, threads: int) -> Model:
    """Load the model whose `model.safetensors` and `model.json` are in the folder of an ONNX file.

    Args:
        path: the ONNX file.
        threads: threads that PyTorch uses for one call.
    """
    torch.set_num_threads(threads)
    return Model.load(str(Path(path).with_suffix(".safetensors")), str(Path(path).with_suffix(".json")))


def shipped(model: Model, logits: Callable[..., Tensor]) -> Callable[[Feeds], NDArray[np.float32]]:
    """Wrap a function of tensors as an engine.

    Args:
        model: the model, for its task.
        logits: function of the model's input tensors that returns its logits.

    Returns:
        A function from input arrays by name to what the exported file returns for them.
    """

    def run(feeds: Feeds) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model.task.shipped(logits(*(torch.from_numpy(a) for a in feeds.values()))).numpy()

    return run
