"""What a compression method may do with the network that it is given."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


class Network(Protocol):
    """A trained body and the data that it was trained on; `trained.Trained` is one."""

    body: nn.Module
    example: Tensor  # features of two training rows
    random: torch.Generator
    epochs: int  # of `finetune`

    def train(self, masks: dict[str, Tensor], epochs: int, **changes: Any) -> None:
        """Train in place, with masked weights kept at zero; `changes` are those of the training recipe."""

    def features(self, rows: int) -> Tensor:
        """Features of so many training rows, at most."""

    def train_shared(self, clusters: dict[str, Tensor], epochs: int) -> None:
        """Train in place with weights of the same cluster (name -> int64, -1 is a weight kept at zero) kept equal."""

    def apply(self, masks: dict[str, Tensor]) -> None:
        """Set masked weights to zero."""

    def gradients(self, rows: int) -> dict[str, Tensor]:
        """Gradient of the mean loss over so many training rows, by parameter."""

    def taylor(self, maps: list[str], rows: int, groups: int = 1) -> dict[str, Tensor]:
        """For each linear map, the mean over batches of |sum of gradient x weight| of each of its inputs (groups of so many)."""

    def early(self, epochs: int) -> State:
        """The root's weights after so many epochs of its training; 0 is its initialisation."""

    def restore(self, state: State) -> None:
        """Take these weights."""

    def reinitialise(self) -> None:
        """Draw an initialisation that is not the root's."""
