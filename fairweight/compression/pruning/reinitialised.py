"""The parent's zeros with weights drawn anew: the control of a lottery ticket (Frankle & Carbin 2019)."""

from torch import Tensor

from fairweight.compression.method_api import Network

OPTIONS: dict[str, dict[str, object]] = {}


def prune(weights: dict[str, Tensor], network: Network) -> dict[str, Tensor]:
    """Masks of the parent; the network gets another initialisation than its root had.

    Args:
        weights: name -> tensor of a pruned parent.
        network: is initialised anew, in place.

    Returns:
        name -> boolean tensor of the same shape, True where the weight is not zero.
    """
    masks = {name: w != 0 for name, w in weights.items()}
    network.reinitialise()
    return masks
