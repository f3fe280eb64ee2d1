"""Training of a linear model with L-BFGS: one linear layer, all rows at once, in bounded memory."""

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.core.table import block_rows
from fairweight.data.partitions import Workers, workers
from fairweight.training import lbfgs
from fairweight.training.model import Minimum, Model
from fairweight.training.row_spool import Block, StoredRows, fixed_blocks
from fairweight.training.signature import Signature
from fairweight.training.training_loop import EpochRow


def linear_model(rows: StoredRows, architecture: MethodRecipe, task: str) -> Model:
    """Build a model whose encoder is fitted on the training rows, one block after the other.

    Args:
        rows: rows of the dataset.
        architecture: name and options of the architecture.
        task: the dataset's task.
    """
    seen = [np.zeros(len(levels), bool) for levels in rows.first.levels.values()]
    for part in rows.parts(rows.training):
        for position, used in enumerate(seen):
            used[part.categorical[:, position]] = True
    names = zip(rows.first.levels.items(), seen, strict=True)
    levels = {name: tuple(np.array(every, object)[used]) for (name, every), used in names}
    signature = dataclasses.replace(Signature.fitted(rows.first), categorical=levels, task=task)
    model = Model({"signature": signature.to_dict(), "architecture": architecture})
    arrays = (part.numeric if part.images is None else part.images for part in rows.parts(rows.training))
    model.encoder.fit_blocks(fixed_blocks(arrays, block_rows(rows.values)))
    return model


def fit_linear(
    model: Model, rows: StoredRows, recipe: TrainingRecipe, *, threads: int = 1
) -> tuple[list[EpochRow], Minimum]:
    """Find the weights of a model's linear layer, in place.

    Args:
        model: a model whose encoder is fitted.
        rows: rows of the dataset.
        recipe: a training recipe with the optimizer `lbfgs`.
        threads: threads that work on the blocks; their number changes no bit of the result.

    Returns:
        The training curve, one row for each iteration, and what is recorded of the minimum.

    Raises:
        InputError: the body is no linear layer, or the minimum is not reached.
    """
    layer, weights = _layer(model), _weights(rows, recipe["objective"])
    curve: list[EpochRow] = []
    with tempfile.TemporaryDirectory(prefix="fairweight-rows-") as folder, workers(threads) as spread:
        training, validation = rows.spooled(model, Path(folder), weights)
        solution = lbfgs.minimise(
            training,
            len(model.signature.classes),
            penalty=recipe["weight_decay"],
            tolerance=recipe["tolerance"],
            max_iterations=recipe["max_iterations"],
            workers=spread,
            after=_Recorder(curve, validation, spread, time.perf_counter()).add,
        )
        if not curve:  # zeros are the minimum
            parameters = np.column_stack([solution.weight, solution.bias])
            _Recorder(curve, validation, spread, time.perf_counter()).add(parameters, solution.loss)
    curve[-1]["best"] = True
    weight, bias = solution.logits()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return curve, {
        "objective": solution.objective,
        "gradient_norm": solution.gradient_norm,
        "iterations": solution.iterations,
        "evaluations": solution.evaluations,
        "converged": True,
        "rows": len(weights),
    }


@dataclasses.dataclass
class _Recorder:
    """Adds a row to the training curve after each iteration."""

    curve: list[EpochRow]
    validation: Sequence[Block]
    spread: Workers
    started: float

    def add(self, parameters: NDArray[np.float64], train_loss: float) -> None:
        loss, accuracy = lbfgs.evaluate(self.validation, parameters, self.spread)
        number, now = len(self.curve) + 1, time.perf_counter()
        self.curve.append(
            {
                "epoch": number,
                "learning_rate": 1.0,
                "train_loss": train_loss,
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "wall_s": now - self.started,
                "best": False,
            }
        )
        self.started = now
        print(f"iteration {number}: loss {train_loss:.6f}, validation {loss:.4f}, accuracy {accuracy:.4f}")


def _layer(model: Model) -> nn.Linear:
    """The linear layer that a body consists of.

    Raises:
        InputError: there is anything else that computes.
    """
    layers = [module for module in model.body.modules() if not list(module.children())]
    linear = [module for module in layers if isinstance(module, nn.Linear)]
    others = [m for m in layers if not isinstance(m, nn.Linear | nn.Flatten | nn.Identity)]
    shape = (len(model.signature.classes), int(np.prod(model.encoder.features)))
    if len(linear) != 1 or others or linear[0].bias is None or tuple(linear[0].weight.shape) != shape:
        raise InputError(
            "training: optimizer 'lbfgs' needs a body of one linear layer with a bias, from all features to the "
            "classes; use another optimizer."
        )
    return linear[0]


def _weights(rows: StoredRows, objective: MethodRecipe) -> NDArray[np.float64]:
    """Weights in the loss of training rows and made rows (n,), as the objective gives them."""
    options = components.chosen(objective)
    rows.check_attribute(options.get("attribute"))
    labels, groups = rows.labels_and_groups(options.get("attribute"))
    weigh = components.load("objectives", objective["method"], "row_weights")
    tensors = (torch.from_numpy(array) for array in (labels, groups, rows.weights))
    weights: NDArray[np.float64] = weigh(*tensors, **options).numpy().astype(np.float64)
    return weights


def two_rows(model: Model, rows: StoredRows) -> torch.Tensor:
    """Features of two rows."""
    return model.encode(rows.first.take(np.arange(min(2, len(rows.first)))))
