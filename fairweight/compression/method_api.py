"""What a compression method receives: the protocol of the network."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

State = dict[str, Tensor]  # name of a parameter or buffer -> its value


class Network(Protocol):
    """A trained body and the data that it was trained on; `finetuning.Trained` implements it.

    Attributes:
        body: the network behind the encoder of the inputs; a method may change it in place, or set another one.
        example: features of two training rows.
        outputs: names of the weights whose products are the outputs, wherever the body defines them.
        random: random stream of the variant.
        epochs: epochs of `finetune`.
    """

    body: nn.Module
    example: Tensor
    outputs: list[str]
    random: torch.Generator
    epochs: int

    def train(self, masks: dict[str, Tensor], epochs: int, **changes: Any) -> None:
        """Train in place.

        Args:
            masks: name of a parameter -> boolean tensor; where it is False the weight is kept at zero.
            epochs: epochs of training.
            changes: keys of the training recipe that replace those of `finetune`.
        """

    def features(self, rows: int) -> Tensor:
        """Features of at most `rows` training rows, drawn at random."""

    def train_shared(self, clusters: dict[str, Tensor], epochs: int) -> None:
        """Train in place, with the weights of a cluster kept equal.

        Args:
            clusters: name of a parameter -> int64 tensor of the same shape; -1 is a weight that is kept at zero.
            epochs: epochs of training.
        """

    def apply(self, masks: dict[str, Tensor]) -> None:
        """Set masked weights to zero."""

    def gradients(self, rows: int) -> dict[str, Tensor]:
        """Gradient of the mean loss over at most `rows` training rows, by name; 0 for an unused parameter."""

    def taylor(self, maps: list[str], rows: int, groups: int = 1) -> dict[str, Tensor]:
        """Score the inputs of linear maps by the mean over batches of |sum of gradient x weight|.

        Args:
            maps: names of linear layers.
            rows: largest number of training rows.
            groups: number of consecutive inputs that share a score.

        Returns:
            name -> scores (inputs / groups,).
        """

    def early(self, epochs: int) -> State:
        """The root's weights after `epochs` epochs of its training; 0 is its initialisation."""

    def restore(self, state: State) -> None:
        """Load these weights."""

    def reinitialise(self) -> None:
        """Draw an initialisation that differs from the root's."""
