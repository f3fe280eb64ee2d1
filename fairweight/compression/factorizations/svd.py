"""Low rank by singular value decomposition (SVD) of each layer (Denton et al. 2014)."""

import torch
from torch import Tensor

from fairweight.core.errors import InputError

OPTIONS = {
    "energy": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "description": "Share of the sum of squared singular values that each layer keeps; it determines the rank.",
    },
}


def factorize(weights: dict[str, Tensor], *, energy: float) -> dict[str, tuple[Tensor, Tensor]]:
    """Factorize each weight tensor whose two factors have fewer entries than the tensor itself.

    Args:
        weights: name -> tensor (outputs, inputs...); a kernel counts as the matrix (outputs, all other entries).
        energy: see OPTIONS.

    Returns:
        name -> (second (outputs, rank), first (rank, inputs)), whose product is the best approximation of that rank.

    Raises:
        InputError: no layer gets smaller at this energy.
    """
    factors = {}
    for name, weight in weights.items():
        matrix = weight.flatten(1)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        kept = torch.cumsum(values**2, 0) / (values**2).sum()
        rank = min(int((kept < energy - 1e-6).sum()) + 1, len(values))
        if rank * sum(matrix.shape) < matrix.numel():
            root = values[:rank].sqrt()
            factors[name] = (left[:, :rank] * root, root[:, None] * right[:rank])
    if not factors:
        raise InputError(f"svd: at energy {energy} no layer gets smaller; lower it")
    return factors
