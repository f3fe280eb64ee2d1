"""Iterative magnitude pruning: a little more in each step, with finetuning between (Han et al. 2015; Zhu & Gupta 2017)."""

from torch import Tensor

from fairweight.compression.masks import keep_largest, keep_largest_of_each, layer_sparsities
from fairweight.compression.method_api import Network

OPTIONS = {
    "sparsity": {
        "oneOf": [
            {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            {"type": "object", "minProperties": 1, "additionalProperties": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}},
            {"enum": ["han2015"]},
        ],
        "description": "Share of the weights that become zero, of all layers together; or a mapping of layers (`1.weight: 0.9`) to shares; or `han2015`: the table of that paper for LeNet-300-100 and LeNet-5.",
    },
    "steps": {"type": "integer", "minimum": 1, "default": 4, "description": "Steps of pruning."},
    "epochs": {"type": "integer", "minimum": 1, "default": 1, "description": "Epochs of finetuning after each step but the last, which `finetune` follows."},
    "schedule": {"enum": ["cubic", "geometric"], "default": "cubic", "description": "Sparsity over the steps: `cubic` (Zhu & Gupta 2017), or the same share of what is left in each step."},
}  # fmt: skip


def prune(
    weights: dict[str, Tensor],
    network: Network,
    *,
    sparsity: float | dict[str, float] | str,
    steps: int,
    epochs: int,
    schedule: str,
) -> dict[str, Tensor]:
    """Masks of the last step.

    Args:
        weights: name -> tensor; they change as the network is trained.
        network: is finetuned in place.
        sparsity, steps, epochs, schedule: see OPTIONS.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.

    Raises:
        InputError: the shares do not fit the layers.
    """
    masks: dict[str, Tensor] = {}
    for step in range(1, steps + 1):

        def now(final: float, share: float = step / steps) -> float:
            return final * (1 - (1 - share) ** 3) if schedule == "cubic" else 1 - (1 - final) ** share

        # what was pruned before is zero, and so goes first again
        scores = {name: w.abs() for name, w in weights.items()}
        if isinstance(sparsity, float | int):
            masks = keep_largest(scores, now(sparsity))
        else:
            final = layer_sparsities(weights, sparsity)
            masks = keep_largest_of_each(scores, {name: now(share) for name, share in final.items()})
        network.apply(masks)
        if step < steps:
            network.train(masks, epochs)
    return masks
