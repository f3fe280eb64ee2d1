"""Gradient of a batch as the sum of the gradients of its micro-batches, in their order, on one or several ranks.

A rank is a process. The micro-batches of a batch do not depend on the number of ranks, and the first rank adds their
gradients in their order, so that any number of ranks gives the same bytes. Only the first rank has an optimizer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from fairweight.training.input_encoders import Encoder
from fairweight.training.training_data import EncodedRows


class Group(Protocol):
    """Ranks that compute the micro-batches of a batch; see `ranks.Ranks`."""

    def compute(self, work: "MicroBatches", batch: Tensor, total: float) -> None:
        """Fill in the gradients and losses of all micro-batches of a batch."""


@dataclass
class MicroBatches:
    """What computes the gradient of one micro-batch after the other.

    Attributes:
        body, encoder: of the model that is trained.
        rows: training rows; their weights are those of the loss.
        size: rows of a micro-batch.
        narrow: whether products are in bfloat16.
        gradients: float32 (m, p) of the micro-batches of a batch, of all parameters that are trained.
        losses: float64 (m,), parts of the loss of the batch.
        distillation: replaces the loss of the labels; see `training_loop`.
    """

    body: nn.Module
    encoder: Encoder
    rows: EncodedRows
    size: int
    narrow: bool
    gradients: Tensor
    losses: Tensor
    distillation: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None = None

    def parameters(self) -> list[nn.Parameter]:
        """Parameters that are trained, in the order of `gradients`."""
        return [parameter for parameter in self.body.parameters() if parameter.requires_grad]

    def compute(self, batch: Tensor, total: float, rank: int = 0, ranks: int = 1) -> None:
        """Compute a rank's micro-batches.

        Args:
            batch: positions of the rows of the whole batch (b,).
            total: sum of their weights.
            rank, ranks: number of this rank, counted from 0, and of all ranks.
        """
        self.body.train()
        for number, positions in enumerate(batch.split(self.size)):
            if number % ranks == rank:
                self.losses[number] = self._backward(positions, total, self.gradients[number])

    def _backward(self, positions: Tensor, total: float, gradients: Tensor) -> float:
        """Write the gradient of the rows at these positions (p,), and return their part of the loss."""
        parameters = self.parameters()
        for parameter in parameters:
            parameter.grad = None
        features = self.encoder.trim(self.rows.at(positions))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.narrow):
            logits = self.body(features).float()
        losses = functional.cross_entropy(logits, self.rows.labels[positions], reduction="none")
        weights = self.rows.weights[positions]
        loss = (losses * weights).sum() / total
        if self.distillation is not None:
            share = weights.sum()
            loss = self.distillation(features, logits, loss * (total / share), positions) * (share / total)
        loss.backward()  # type: ignore[no-untyped-call]
        start = 0
        for parameter in parameters:
            place = gradients[start : start + parameter.numel()]
            start += parameter.numel()
            if parameter.grad is None:
                place.zero_()
            else:
                place.copy_(parameter.grad.reshape(-1))
        return float(loss.item())

    def backward(self, batch: Tensor, group: Group | None = None) -> float:
        """Leave the gradient of a batch in the parameters, and return its loss.

        Args:
            batch: positions of the rows (b,).
            group: ranks that share the work; None computes all of it.
        """
        total = float(self.rows.weights[batch].sum())
        if group is None:
            self.compute(batch, total)
        else:
            group.compute(self, batch, total)
        number = -(-len(batch) // self.size)
        summed = self.gradients[0].clone()
        for gradients in self.gradients[1:number]:
            summed += gradients
        start = 0
        for parameter in self.parameters():
            parameter.grad = (
                summed[start : start + parameter.numel()]
                .view(parameter.shape)
                .clone(memory_format=torch.preserve_format)
            )
            start += parameter.numel()
        return float(sum(self.losses[:number].tolist()))
