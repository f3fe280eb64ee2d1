"""Training loop in plain PyTorch: deterministic, with the best epoch restored at the end."""

import contextlib
import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fairweight.core import components
from fairweight.core.artifacts import write_rows
from fairweight.core.errors import InputError
from fairweight.core.recipes import TrainingRecipe
from fairweight.core.table import block_rows
from fairweight.training.micro_batches import Group, MicroBatches
from fairweight.training.model import Model
from fairweight.training.optimizers import make_optimizer, make_schedule
from fairweight.training.ranks import started
from fairweight.training.training_data import EncodedRows, TrainingData

SHUFFLED_BLOCKS = 8  # blocks whose rows are shuffled together: 64 MiB of features
EVALUATION_ROWS = 4096  # rows of one call where only a loss is computed
CURVE = {
    "epoch": "int64",
    "learning_rate": "double",
    "train_loss": "double",
    "validation_loss": "double",
    "validation_accuracy": "double",
    "wall_s": "double",
    "best": "bool",
}

Parameters = dict[str, nn.Parameter]  # parameters of a body, by name; a shared one by each of its names
Constraint = Callable[[Parameters], None]
# features, logits, loss of the labels, positions of the rows -> loss; positions are those of `TrainingData.fitted`
Distillation = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class EpochRow(TypedDict):
    """One epoch of a training curve; losses are means in nats (see CURVE)."""

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    wall_s: float
    best: bool


def write_curve(path: str, history: Sequence[EpochRow]) -> None:
    """Write a training curve as a Parquet file, one row for each epoch."""
    write_rows(path, [dict(row) for row in history], CURVE)


def precision(recipe: TrainingRecipe) -> str:
    """Return the number format of a training step's products on this machine: `float32` or `bfloat16`."""
    if recipe["precision"] != "auto":
        return str(recipe["precision"])
    supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if supported else "float32"


@dataclass
class _Best:
    """The best epoch so far: fewest validation errors or lowest validation loss, as the recipe selects."""

    epoch: int = 0
    reached: tuple[float, float] = (float("inf"), float("inf"))
    state: dict[str, Any] = field(default_factory=dict)

    def update(self, epoch: int, error: float, loss: float, body: nn.Module) -> bool:
        """Keep a copy of the body's weights if the epoch is better than all before; return whether it is."""
        # equal errors are ranked by the loss; an epoch whose loss is not finite is never the best
        reached = (error, loss)
        better = bool(np.isfinite(loss)) and reached < self.reached
        if better:
            self.epoch, self.reached, self.state = epoch, reached, copy.deepcopy(body.state_dict())
        return better


@dataclass
class _Loop:
    """What all epochs of one training run use; see `fit`."""

    model: Model
    rows: EncodedRows
    objective: Callable[..., Tensor]
    parameters: Parameters
    optimizer: torch.optim.Optimizer
    masks: dict[str, Tensor]
    constrain: Constraint | None
    distillation: Distillation | None
    narrow: bool  # whether products are in bfloat16
    micro: MicroBatches | None = None  # what computes gradients by micro-batches, if the recipe says so
    ranks: Group | None = None

    def epoch(self, batches: Sequence[Tensor]) -> float:
        """Train on all batches once; return the mean loss, in nats."""
        self.model.body.train()
        total = 0.0
        for batch in batches:
            total += self._step(batch) * len(batch)
        return total / len(self.rows.labels)

    def _step(self, batch: Tensor) -> float:
        """One optimizer step on the rows at these positions; return their loss."""
        loss = self._backward(batch) if self.micro is None else self.micro.backward(batch, self.ranks)
        if self.constrain:
            self.constrain(self.parameters)
        self.optimizer.step()
        with torch.no_grad():
            for name, mask in self.masks.items():  # momentum would move a pruned weight even without a gradient
                self.parameters[name].mul_(mask)
        return loss

    def _backward(self, batch: Tensor) -> float:
        """Leave the gradient of a batch in the parameters, and return its loss."""
        rows = self.rows
        features = self.model.encoder.trim(rows.at(batch))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.narrow):
            logits = self.model.body(features).float()
        loss = self.objective(logits, rows.labels[batch], rows.weights[batch], rows.groups[batch])
        if self.distillation:
            loss = self.distillation(features, logits, loss, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return float(loss.item())


def fit(
    model: Model,
    data: TrainingData,
    recipe: TrainingRecipe,
    *,
    order: int,
    masks: dict[str, Tensor] | None = None,
    constrain: Constraint | None = None,
    distillation: Distillation | None = None,
    ranks: int = 1,
) -> list[EpochRow]:
    """Train a model's body in place and restore its best epoch on validation rows.

    Weights that the architecture computes from other tensors, as under weight norm, are ordinary ones afterwards.

    Args:
        model: a model whose encoder is fitted; the encoder is not changed.
        data: rows to train and to validate on.
        recipe: the training recipe of the study file.
        order: seed of the order of rows.
        masks: name of a parameter of the body -> boolean tensor of its shape; where False, the weight is kept at zero.
        constrain: called with the body's parameters before each optimizer step, to change their gradients.
        distillation: (features, logits, loss of the labels) of a batch -> the loss that is minimised instead.
        ranks: processes that share the micro-batches of a recipe with `micro_batch_size`; their number changes no bit.

    Returns:
        The training curve, one row for each epoch; losses are means in nats.

    Raises:
        InputError: training diverged.
    """
    if recipe["optimizer"] == "lbfgs":
        raise InputError(
            "training: optimizer 'lbfgs' trains from data only, and not further after another operation; name a "
            "training recipe with another optimizer."
        )
    torch.use_deterministic_algorithms(True)
    options = components.chosen(recipe["objective"])
    training, validation = data.encoded(model, options.get("attribute"))
    prepare = components.load("objectives", recipe["objective"]["method"])
    objective = prepare(training.labels, training.groups, training.weights, **options)
    if training.features.dim() == 4:
        # convolutions take two thirds of the time
        model.body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adapt = components.load("adaptations", recipe["adapt"]["method"])
    finish = adapt(model.body, **components.chosen(recipe["adapt"]))
    narrow = precision(recipe) == "bfloat16"
    optimizer = make_optimizer(recipe, dict(model.body.named_parameters()))
    parameters = dict(model.body.named_parameters(remove_duplicate=False))
    loop = _Loop(model, training, objective, parameters, optimizer, masks or {}, constrain, distillation, narrow)
    with _with_micro_batches(loop, recipe, ranks):
        history, best = _run(loop, validation, recipe, order)
    if not best.epoch:
        raise InputError("training: the validation loss was never finite; lower the learning rate.")
    model.body.load_state_dict(best.state)
    finish()
    model.make_plain()
    model.body.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    history[best.epoch - 1]["best"] = True
    return history


@contextlib.contextmanager
def _with_micro_batches(loop: _Loop, recipe: TrainingRecipe, ranks: int) -> Iterator[None]:
    """Compute gradients by micro-batches, on one thread of each rank, if the recipe says so."""
    if (size := recipe.get("micro_batch_size")) is None:
        yield
        return
    method = recipe["objective"]["method"]
    weigh = components.load("objectives", method, "row_weights")
    rows, options = loop.rows, components.chosen(recipe["objective"])
    weights = weigh(rows.labels, rows.groups, rows.weights, **options).float()
    largest = min(recipe["batch_size"], len(rows.labels))
    number, trained = -(-largest // size), [p.numel() for p in loop.model.body.parameters() if p.requires_grad]
    loop.micro = MicroBatches(
        loop.model.body,
        loop.model.encoder,
        dataclasses.replace(rows, weights=weights),
        size,
        loop.narrow,
        torch.empty(number, sum(trained)),
        torch.empty(number, dtype=torch.float64),
        loop.distillation,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with started(loop.micro, loop.model, min(ranks, number), largest) as loop.ranks:
            yield
    finally:
        torch.set_num_threads(threads)


def _run(loop: _Loop, validation: EncodedRows, recipe: TrainingRecipe, order: int) -> tuple[list[EpochRow], _Best]:
    """Run all epochs, or stop early; return the training curve and the best epoch."""
    model, rows, epochs = loop.model, loop.rows, recipe["epochs"]
    normalised = any(isinstance(module, _BatchNorm) for module in model.body.modules())
    if normalised and min(recipe["batch_size"], len(rows.labels)) < 2:
        raise InputError(
            "training: batch normalisation needs two rows in each batch; raise batch_size to at least 2, and train on "
            "more than one row."
        )
    schedule = make_schedule(recipe, loop.optimizer)
    shuffle = torch.Generator().manual_seed(order)
    history: list[EpochRow] = []
    best = _Best()
    for epoch in range(1, epochs + 1):
        started, rate = time.perf_counter(), loop.optimizer.param_groups[0]["lr"]
        permutation = _shuffled(rows, recipe.get("shuffle", "rows"), shuffle)
        batches = model.encoder.batches(rows.features, permutation, recipe["batch_size"])
        loss = loop.epoch(_without_single_rows(batches) if normalised else batches)
        schedule.step()
        validation_loss, accuracy = evaluate(model, validation, loop.objective)
        history.append(
            {
                "epoch": epoch,
                "learning_rate": rate,
                "train_loss": loss,
                "validation_loss": validation_loss,
                "validation_accuracy": accuracy,
                "wall_s": time.perf_counter() - started,
                "best": False,
            }
        )
        hits = f", accuracy {accuracy:.4f}" if model.signature.label is None else ""
        print(f"epoch {epoch}/{epochs}: loss {loss:.4f}, validation {validation_loss:.4f}{hits}")
        error = 1 - accuracy if recipe["select"] == "accuracy" else 0.0
        better = best.update(epoch, error, validation_loss, model.body)
        if not better and recipe["patience"] and epoch - best.epoch >= recipe["patience"]:
            break
    return history, best


def _shuffled(rows: EncodedRows, way: str, random: torch.Generator) -> Tensor:
    """Positions of all rows (n,) in random order; see `shuffle` in the study file's schema."""
    if way == "rows":
        return torch.randperm(len(rows.labels), generator=random)
    size = block_rows(math.prod(rows.features.shape[1:]))
    blocks = torch.arange(len(rows.labels)).split(size)
    parts = []
    for window in torch.randperm(len(blocks), generator=random).split(SHUFFLED_BLOCKS):
        positions = torch.cat([blocks[number] for number in window])
        parts.append(positions[torch.randperm(len(positions), generator=random)])
    return torch.cat(parts)


def _without_single_rows(batches: Sequence[Tensor]) -> list[Tensor]:
    """Append a batch of one row to the batch before it (or the next one, if it is the first).

    Batch normalisation has no variance of one row. Appending keeps every row in every epoch, unlike leaving it out.
    """
    joined: list[Tensor] = []
    for batch in batches:
        if joined and (len(batch) == 1 or len(joined[-1]) == 1):
            joined[-1] = torch.cat([joined[-1], batch])
        else:
            joined.append(batch)
    return joined


def evaluate(model: Model, rows: EncodedRows, objective: Callable[..., Tensor] | None = None) -> tuple[float, float]:
    """Compute the mean cross-entropy, in nats, and the accuracy of a model's body on encoded rows.

    Of labels that are numbers, compute the mean of the objective instead, of standardised numbers; the accuracy is NaN.
    """
    model.body.eval()
    total, correct = 0.0, 0.0
    with torch.no_grad():
        size = min(EVALUATION_ROWS, model.encoder.max_rows)
        for batch in model.encoder.batches(rows.features, torch.arange(len(rows.labels)), size):
            features = model.encoder.trim(rows.at(batch))
            if model.signature.label is not None and objective is not None:
                mean = objective(model.body(features), rows.labels[batch], rows.weights[batch], rows.groups[batch])
                total, correct = total + float(mean) * len(batch), float("nan")
                continue
            loss, hits = model.task.score(model.body(features), rows.labels[batch])
            total, correct = total + loss, correct + hits
    return total / len(rows.labels), correct / len(rows.labels)
