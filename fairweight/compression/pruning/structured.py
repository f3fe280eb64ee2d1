"""Structured pruning: removes channels and neurons, so that the model is smaller and faster (Fang et al. 2023).

The library torch-pruning finds the layers that share a channel.
"""

import logging

import torch
import torch_pruning
from torch import Tensor, nn

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError

OPTIONS = {
    "channels": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the channels and neurons that are removed, in every layer but the output layer.",
    },
    "importance": {
        "enum": ["l1", "l2"],
        "default": "l2",
        "description": "Norm of a channel's weights over all layers that share it; the smallest are removed.",
    },
}


def prune(
    weights: dict[str, Tensor],  # noqa: ARG001 - layers are cut, not weights
    network: Network,
    *,
    channels: float,
    importance: str,
) -> dict[str, Tensor]:
    """Remove channels of the network in place, and return masks that keep all of what is left.

    Args:
        weights: name -> tensor, of the network before pruning.
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
