"""Layer-wise magnitude pruning: each layer is pruned to its own sparsity (Han et al. 2015)."""

from torch import Tensor

from fairweight.compression.masks import keep_largest_of_each, layer_sparsities

OPTIONS = {
    "sparsity": {
        "oneOf": [
            {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            },
            {"enum": ["han2015"]},
        ],
        "description": "Share of the weights of every layer that become zero; or a mapping of layers to shares "
        "(`1.weight: 0.9`); or `han2015`, the table of that paper for LeNet-300-100 and LeNet-5.",
    },
}


def prune(weights: dict[str, Tensor], *, sparsity: float | dict[str, float] | str) -> dict[str, Tensor]:
    """Masks that keep the largest weights of each tensor by magnitude.

    Args:
        weights: name -> tensor, in order of the layers.
        sparsity: see OPTIONS.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.

    Raises:
        InputError: the shares do not fit the layers.
    """
    return keep_largest_of_each({name: w.abs() for name, w in weights.items()}, layer_sparsities(weights, sparsity))
