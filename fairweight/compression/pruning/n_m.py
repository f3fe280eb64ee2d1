"""N:M pruning: the N largest of every M consecutive weights stay (2:4 by default; Mishra et al. 2021).

The pattern is stored. It speeds a model up only in an engine that exploits it, and none of the engines here does.
"""

import torch
from torch import Tensor

from fairweight.core.errors import InputError

OPTIONS = {
    "n": {"type": "integer", "minimum": 1, "default": 2, "description": "Weights of each block that stay."},
    "m": {"type": "integer", "minimum": 2, "default": 4, "description": "Weights in a block."},
}


def prune(weights: dict[str, Tensor], *, n: int, m: int) -> dict[str, Tensor]:
    """Masks that keep the n largest by magnitude of every m consecutive inputs of an output.

    Args:
        weights: name -> tensor (outputs, inputs...); inputs are flattened, and a last incomplete block is kept.
        n, m: see OPTIONS.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.

    Raises:
        InputError: n is not below m, or no weight tensor has m inputs.
    """
    if n >= m:
        raise InputError(f"n_m keeps n of m weights, and n = {n} is not below m = {m}")
    masks = {}
    for name, w in weights.items():
        flat = w.abs().flatten(1)
        whole = flat.shape[1] // m * m
        blocks = flat[:, :whole].reshape(len(flat), -1, m)
        order = blocks.argsort(dim=2, descending=True, stable=True)
        kept = torch.zeros_like(blocks, dtype=torch.bool).scatter_(2, order[:, :, :n], True)
        mask = torch.ones_like(flat, dtype=torch.bool)
        mask[:, :whole] = kept.reshape(len(flat), whole)
        masks[name] = mask.view(w.shape)
    if all(mask.all() for mask in masks.values()):
        raise InputError(f"n_m removes nothing: no output has m = {m} inputs; lower m")
    return masks
