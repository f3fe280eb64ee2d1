"""Lottery ticket: train, prune, rewind the remaining weights to early values, and repeat (Frankle & Carbin 2019)."""

from torch import Tensor

from fairweight.compression.masks import keep_largest_of_each
from fairweight.compression.method_api import Network

OPTIONS = {
    "sparsity": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the weights that become zero; 0.79 leaves 21 %.",
    },
    "rounds": {
        "type": "integer",
        "minimum": 1,
        "default": 7,
        "description": "Rounds of training, pruning and rewinding; each prunes the same share of what is left.",
    },
    "epochs": {
        "type": "integer",
        "minimum": 1,
        "default": 3,
        "description": "Epochs of training in each round after the first, which is the parent's training.",
    },
    "rewind_epochs": {
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "description": "Rewind to the weights after this number of epochs of the parent's training; 0 is the "
        "initialisation (Frankle et al. 2020).",
    },
    "output_share": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.5,
        "description": "The output layer is pruned at this share of the rate of the other layers, as in the paper.",
    },
}


def prune(
    weights: dict[str, Tensor],
    network: Network,
    *,
    sparsity: float,
    rounds: int,
    epochs: int,
    rewind_epochs: int,
    output_share: float,
) -> dict[str, Tensor]:
    """Masks of the winning ticket; the network is rewound at the end, and `finetune` trains it.

    Args:
        weights: name -> tensor; the values change while the network is trained.
        network: the trained parent.
        sparsity, rounds, epochs, rewind_epochs, output_share: see OPTIONS.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    early, outputs = network.early(rewind_epochs), set(network.outputs)
    hidden_sizes = [w.numel() for name, w in weights.items() if name not in outputs]
    rate = _rate(hidden_sizes, sum(weights[name].numel() for name in outputs), sparsity, rounds, output_share)
    masks: dict[str, Tensor] = {}
    for number in range(1, rounds + 1):
        shares = {name: 1 - (1 - rate * (output_share if name in outputs else 1)) ** number for name in weights}
        masks = keep_largest_of_each({name: w.abs() for name, w in weights.items()}, shares)
        network.restore(early)
        network.apply(masks)
        if number < rounds:
            network.train(masks, epochs)
    return masks


def _rate(hidden: list[int], output: int, sparsity: float, rounds: int, output_share: float) -> float:
    """Share of its remaining weights that a hidden layer loses in each round.

    It is found by bisection, such that all layers together have lost `sparsity` at the end.

    Args:
        hidden: numbers of weights of the hidden layers.
        output: number of weights of the output layers.
        sparsity, rounds, output_share: see OPTIONS.
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        kept = sum(n * (1 - rate) ** rounds for n in hidden) + output * (1 - rate * output_share) ** rounds
        low, high = (rate, high) if kept / (sum(hidden) + output) > 1 - sparsity else (low, rate)
    return (low + high) / 2
