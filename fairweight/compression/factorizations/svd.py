"""Low rank by singular value decomposition of each layer (Denton et al. 2014)."""

import torch
from torch import Tensor

from fairweight.core.errors import InputError

OPTIONS = {
    "energy": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "Share of the sum of squared singular values that each layer keeps; the rank follows."},
}  # fmt: skip


def factorize(weights: dict[str, Tensor], *, energy: float) -> dict[str, tuple[Tensor, Tensor]]:
    """Two factors of each weight tensor for which they are fewer numbers than the tensor itself.

    Args:
        weights: name -> tensor (outputs, inputs...); a kernel is taken as a matrix of outputs and all else.
        energy: see OPTIONS.

    Returns:
        name -> (second (outputs, rank), first (rank, inputs)) whose product is nearest to the matrix at that rank.

    Raises:
        InputError: no layer gets smaller at this energy.
    """
    found = {}
    for name, weight in weights.items():
        matrix = weight.flatten(1)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        kept = torch.cumsum(values**2, 0) / (values**2).sum()
        rank = min(int((kept < energy - 1e-6).sum()) + 1, len(values))
        if rank * sum(matrix.shape) < matrix.numel():
            root = values[:rank].sqrt()
            found[name] = (left[:, :rank] * root, root[:, None] * right[:rank])
    if not found:
        raise InputError(f"svd: at energy {energy} no layer gets smaller; lower it")
    return found
