"""Training of a linear model with L-BFGS: one linear layer, all rows at once, in bounded memory."""

import dataclasses
import itertools
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.core.table import block_rows
from fairweight.data.partitions import DEFAULT, Kept, Partitions, Workers, workers
from fairweight.training import lbfgs
from fairweight.training.model import Minimum, Model
from fairweight.training.row_spool import Block, encoded_blocks, fixed_blocks
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import EpochRow


def linear_model(data: TrainingData, architecture: MethodRecipe, task: str) -> Model:
    """Build a model whose encoder is fitted on the training rows, one block after the other.

    Args:
        data: rows of the dataset.
        architecture: name and options of the architecture.
        task: the dataset's task.
    """
    signature = dataclasses.replace(data.signature(), task=task)
    model = Model({"signature": signature.to_dict(), "architecture": architecture})
    model.encoder.fit_blocks(fixed_blocks(data.fitted_columns(), block_rows(data.values)))
    return model


def fit_linear(
    model: Model, data: TrainingData, recipe: TrainingRecipe, *, threads: int = 1, partitions: Partitions = DEFAULT
) -> tuple[list[EpochRow], Minimum]:
    """Find the weights of a model's linear layer, in place.

    Args:
        model: a model whose encoder is fitted.
        data: rows of the dataset.
        recipe: a training recipe with the optimizer `lbfgs`.
        threads, partitions: what works on the blocks; see `partitions.workers`. They change no bit of the result.

    Returns:
        The training curve, one row for each iteration, and what is recorded of the minimum.

    Raises:
        InputError: the body is no linear layer, the minimum is not reached, or the cluster is lost.
    """
    layer, weights = _layer(model), _weights(data, recipe["objective"])
    curve: list[EpochRow] = []
    # on a cluster blocks are kept by its workers, and no file is needed
    with tempfile.TemporaryDirectory(prefix="fairweight-rows-") as folder, workers(threads, partitions) as spread:
        place = Path(folder) if spread.local else None
        training, validation = _spread_blocks(model, data, weights, spread, place)
        recorder = _Recorder(curve, validation, len(data.validation), time.perf_counter())
        solution = lbfgs.minimise(
            training,
            _problem(model, weights),
            penalty=recipe["weight_decay"],
            tolerance=recipe["tolerance"],
            max_iterations=recipe["max_iterations"],
            after=recorder.add,
        )
        if not curve:  # zeros are the minimum
            recorder.add(np.column_stack([solution.weight, solution.bias]), solution.loss)
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


def _spread_blocks(
    model: Model, data: TrainingData, weights: NDArray[np.float64], spread: Workers, folder: Path | None
) -> tuple[Kept[Block], Kept[Block]]:
    """Encode training rows, followed by made rows, and validation rows; the workers keep their blocks."""
    labels, _ = data.labels_and_groups(None, np.arange(len(data)))
    rows = itertools.chain(data.parts(data.training), data.made())
    training = spread.keep(encoded_blocks(rows, model, weights, labels, folder, "training"))
    held_out, _ = data.held_out()
    ones = np.ones(len(held_out))
    validation = encoded_blocks(data.parts(data.validation), model, ones, held_out, folder, "validation")
    return training, spread.keep(validation)


def _problem(model: Model, weights: NDArray[np.float64]) -> lbfgs.Problem:
    features = math.prod(model.encoder.features)
    size = block_rows(features)
    total = sum(float(weights[start : start + size].sum()) for start in range(0, len(weights), size))
    return lbfgs.Problem(len(model.signature.classes), features, total)


@dataclasses.dataclass
class _Recorder:
    """Adds a row to the training curve after each iteration."""

    curve: list[EpochRow]
    validation: Kept[Block]
    rows: int  # of validation
    started: float

    def add(self, parameters: NDArray[np.float64], train_loss: float) -> None:
        loss, accuracy = lbfgs.evaluate(self.validation, parameters, self.rows)
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


def _weights(data: TrainingData, objective: MethodRecipe) -> NDArray[np.float64]:
    """Weights in the loss of training rows and made rows (n,), as the objective gives them."""
    options = components.chosen(objective)
    data.check_attribute(options.get("attribute"))
    labels, groups = data.labels_and_groups(options.get("attribute"), np.arange(len(data)))
    own = np.concatenate([data.row_weights, np.ones(len(data.sources), np.float32)])
    weigh = components.load("objectives", objective["method"], "row_weights")
    tensors = (torch.from_numpy(array) for array in (labels, groups, own))
    weights: NDArray[np.float64] = weigh(*tensors, **options).numpy().astype(np.float64)
    return weights
