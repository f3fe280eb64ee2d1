"""Iterative magnitude pruning: prune a little, finetune, and repeat (Han et al. 2015; Zhu & Gupta 2017)."""

from torch import Tensor

from fairweight.compression.masks import keep_largest, keep_largest_of_each, layer_sparsities
from fairweight.compression.method_api import Network

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
        "description": "Share of the weights that become zero, over all layers together; or a mapping of layers to "
        "shares (`1.weight: 0.9`); or `han2015`, the table of that paper for LeNet-300-100 and LeNet-5.",
    },
    "steps": {"type": "integer", "minimum": 1, "default": 4, "description": "Steps of pruning."},
    "epochs": {
        "type": "integer",
        "minimum": 1,
        "default": 1,
        "description": "Epochs of finetuning after each step except the last, which `finetune` follows.",
    },
    "schedule": {
        "enum": ["cubic", "geometric"],
        "default": "cubic",
        "description": "Sparsity over the steps: `cubic` (Zhu & Gupta 2017), or `geometric`, the same share of the "
        "remaining weights in each step.",
    },
}


def prune(
    weights: dict[str, Tensor],
    network: Network,
    *,
    sparsity: float | dict[str, float] | str,
    steps: int,
    epochs: int,
    schedule: str,
) -> dict[str, Tensor]:
    """Masks after the last step.

    Args:
        weights: name -> tensor; the values change while the network is trained.
        network: finetuned in place.
        sparsity, steps, epochs, schedule: see OPTIONS.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.

    Raises:
        InputError: the shares do not fit the layers.
    """
    masks: dict[str, Tensor] = {}
    for step in range(1, steps + 1):

        def at_step(final: float, share: float = step / steps) -> float:
            return final * (1 - (1 - share) ** 3) if schedule == "cubic" else 1 - (1 - final) ** share

        # weights pruned in an earlier step are zero, and so are pruned first again
        scores = {name: w.abs() for name, w in weights.items()}
        if isinstance(sparsity, float | int):
            masks = keep_largest(scores, at_step(sparsity))
        else:
            final = layer_sparsities(weights, sparsity)
            masks = keep_largest_of_each(scores, {name: at_step(share) for name, share in final.items()})
        network.apply(masks)
        if step < steps:
            network.train(masks, epochs)
    return masks
