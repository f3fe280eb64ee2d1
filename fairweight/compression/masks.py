"""Pruning masks from scores of the weights: over the whole network, or layer by layer."""

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError, did_you_mean, listed

# share of each weight tensor that stays, in order of the layers (Han et al. 2015, tables 3 and 4); 12 times fewer
HAN_2015: dict[tuple[tuple[int, ...], ...], tuple[float, ...]] = {
    ((300, 784), (100, 300), (10, 100)): (0.08, 0.09, 0.26),
    ((20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)): (0.66, 0.12, 0.08, 0.19),
}


def keep_largest(scores: dict[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Masks that keep the largest scores, ranked over all tensors together.

    Args:
        scores: name -> tensor.
        sparsity: share of all entries to remove; exactly round(sparsity x entries) are removed, ties by position.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    flat = torch.cat([s.flatten() for s in scores.values()])
    keep = torch.ones(len(flat), dtype=torch.bool)
    keep[torch.argsort(flat, stable=True)[: round(sparsity * len(flat))]] = False
    parts = keep.split([s.numel() for s in scores.values()])
    return {name: part.view(s.shape) for (name, s), part in zip(scores.items(), parts, strict=True)}


def keep_largest_of_each(scores: dict[str, Tensor], sparsities: dict[str, float]) -> dict[str, Tensor]:
    """Masks that keep the largest scores of each tensor, ranked within the tensor.

    Args:
        scores: name -> tensor.
        sparsities: name -> share of that tensor's entries to remove.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    return {name: keep_largest({name: s}, sparsities[name])[name] for name, s in scores.items()}


def layer_sparsities(weights: dict[str, Tensor], sparsity: float | dict[str, float] | str) -> dict[str, float]:
    """Sparsity of each weight tensor.

    Args:
        weights: name -> tensor, in order of the layers.
        sparsity: one number for all tensors; a mapping of names to numbers, where a missing name means 0; or `han2015`.

    Returns:
        name -> share of that tensor's entries to remove.

    Raises:
        InputError: a name is not a layer of the network, or `han2015` does not cover the network.
    """
    if isinstance(sparsity, str):
        shapes = tuple(tuple(w.shape) for w in weights.values())
        if shapes not in HAN_2015:
            raise InputError(
                "the table 'han2015' covers only lenet_300_100 and lenet5 on 28x28 pixels with 10 classes; "
                "give a number or a mapping of layers to numbers"
            )
        return {name: 1 - kept for name, kept in zip(weights, HAN_2015[shapes], strict=True)}
    if isinstance(sparsity, dict):
        for name in sparsity:
            if name not in weights:
                hint = did_you_mean(name, weights)
                raise InputError(f"there is no layer {name!r}{hint}; the layers are: {listed(weights)}")
        return {name: sparsity.get(name, 0.0) for name in weights}
    return dict.fromkeys(weights, sparsity)


def everything_stays(body: nn.Module) -> dict[str, Tensor]:
    """Masks that keep every weight of a network."""
    return {name: torch.ones_like(p, dtype=torch.bool) for name, p in body.named_parameters() if p.dim() >= 2}
