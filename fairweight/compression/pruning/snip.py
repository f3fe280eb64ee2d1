"""SNIP: keeps the weights that change the loss most, by |gradient x weight| (Lee et al. 2019)."""

from torch import Tensor

from fairweight.compression.masks import keep_largest
from fairweight.compression.method_api import Network

OPTIONS = {
    "sparsity": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the weights that become zero.",
    },
    "rows": {
        "type": "integer",
        "minimum": 1,
        "default": 2048,
        "description": "Largest number of training rows from which the gradient is computed.",
    },
    "at": {
        "enum": ["initialisation", "trained"],
        "default": "initialisation",
        "description": "Where the gradient is computed: at the root's initialisation, from which `finetune` then "
        "trains as in the paper, or at the parent's weights.",
    },
}


def prune(weights: dict[str, Tensor], network: Network, *, sparsity: float, rows: int, at: str) -> dict[str, Tensor]:
    """Masks that keep the largest |gradient x weight|, ranked over all tensors together (equation 6).

    Args:
        weights: name -> tensor.
        network: supplies the gradients; it is rewound if they are computed at the initialisation.
        sparsity, rows, at: see OPTIONS.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    if at == "initialisation":
        network.restore(network.early(0))
    gradients = network.gradients(rows)
    return keep_largest({name: (gradients[name] * w).abs() for name, w in weights.items()}, sparsity)
