"""Structured pruning: whole channels and neurons go, so that the model is really smaller and faster (torch-pruning; Fang et al. 2023)."""

import logging

import torch
import torch_pruning
from torch import Tensor, nn

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError

OPTIONS = {
    "channels": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "Share of the channels and neurons of every layer but the output that go."},
    "importance": {"enum": ["l1", "l2"], "default": "l2", "description": "Norm of a channel's weights, over all layers that share it; the smallest go."},
}  # fmt: skip


def prune(weights: dict[str, Tensor], network: Network, *, channels: float, importance: str) -> dict[str, Tensor]:  # noqa: ARG001
    """Cut the network in place; the masks of what is left keep everything.

    Args:
        weights: name -> tensor, of the network before.
        network: its body gets smaller layers.
        channels, importance: see OPTIONS.

    Returns:
        name -> boolean tensor of the new shape, True everywhere.

    Raises:
        InputError: torch-pruning cannot follow the architecture.
    """
    body = network.body
    layers = [m for m in body.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    logging.getLogger("torch_pruning").setLevel(logging.ERROR)
    try:
        pruner = torch_pruning.pruner.MagnitudePruner(
            body,
            network.example,
            importance=torch_pruning.importance.MagnitudeImportance(p=int(importance[1])),
            pruning_ratio=channels,
            ignored_layers=layers[-1:],
        )
        pruner.step()
        with torch.no_grad():
            body(network.example)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"structured: torch-pruning cannot follow this architecture ({error})") from None
    return everything_stays(body)
