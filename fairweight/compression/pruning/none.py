"""No pruning: with `finetune`, a dense control trained for as long as a pruned model (Blalock et al. 2020)."""

from torch import Tensor

OPTIONS: dict[str, dict[str, object]] = {}


def prune(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Masks that keep the non-zero weights of the parent, which are all weights of a dense parent.

    Args:
        weights: name -> tensor.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    return {name: w != 0 for name, w in weights.items()}
