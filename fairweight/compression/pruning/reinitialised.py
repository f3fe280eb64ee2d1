"""The parent's zeros with newly drawn weights: the control of a lottery ticket (Frankle & Carbin 2019)."""

from torch import Tensor

from fairweight.compression.method_api import Network

OPTIONS: dict[str, dict[str, object]] = {}


def prune(weights: dict[str, Tensor], network: Network) -> dict[str, Tensor]:
    """Masks of the parent; the network gets an initialisation that differs from its root's.

    Args:
        weights: name -> tensor of a pruned parent.
        network: its weights are drawn again, in place.

    Returns:
        name -> boolean tensor of the same shape, True where the weight is not zero.
    """
    masks = {name: w != 0 for name, w in weights.items()}
    network.reinitialise()
    return masks
