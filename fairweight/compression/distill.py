"""Distillation: a smaller student learns from a trained parent."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fairweight.core import components
from fairweight.core.artifacts import write_rows
from fairweight.core.random_streams import integer
from fairweight.training.model import Model
from fairweight.training.train import CURVE, Data, fit


def distill(
    *, parent: str, parent_about: str, table: str, split: str, augmented: str, model: str, about: str, curve: str,
    recipe: dict[str, Any], finetune: dict[str, Any], seed: int, variant: str,
) -> None:  # fmt: skip
    """Train a student from its initialisation on the parent's probabilities and the labels.

    Args:
        parent, parent_about: the parent's safetensors and JSON files.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write.
        recipe: `method`, its options, and `student`: name and options of its architecture.
        finetune: training recipe of the student.
        seed, variant: key of initialisation and order of rows.

    Raises:
        InputError: the student's architecture does not fit the data.
    """
    teacher = Model.load(parent, parent_about)
    data = Data.read(table, split, augmented)
    torch.manual_seed(integer("initialise", variant, seed))
    student = Model({"signature": teacher.about["signature"], "architecture": recipe["student"]})
    student.encoder.load_state_dict(teacher.encoder.state_dict())
    history = fit(
        student, data, finetune, order=integer("distill", variant, seed), distillation=taught(teacher, recipe)
    )
    kept = {key: teacher.about[key] for key in ("recipe", "seed", "replicate")}
    student.save(model, about, **kept, distillation=recipe, sparsity={"all": 0.0})
    write_rows(curve, history, CURVE)


def taught(teacher: Model, recipe: dict[str, Any]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss of a student of this teacher.

    Args:
        teacher: it is asked for every batch.
        recipe: `method` and its options.

    Returns:
        (features, student's logits (b, classes), loss of the labels) -> scalar.
    """
    options = components.chosen(recipe, "finetune", "student")
    mixed = components.load("distillations", recipe["method"])(**options)
    teacher.eval()

    def loss(features: Tensor, logits: Tensor, of_labels: Tensor) -> Tensor:
        with torch.no_grad():
            expected = teacher.body(features)
        return mixed(logits, expected, of_labels)

    return loss
