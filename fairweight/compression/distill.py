"""Distillation: training of a smaller student on the outputs of a trained parent."""

import torch
from torch import Tensor

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.training.model import Model
from fairweight.training.tracing import check_outputs
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import Distillation, fit, write_curve
from fairweight.training.written_model import write_checked


def distill(
    *,
    parent: str,
    parent_about: str,
    table: str,
    split: str,
    augmented: str,
    model: str,
    about: str,
    curve: str,
    recipe: MethodRecipe,
    finetune: TrainingRecipe,
    seed: int,
    variant: str,
) -> None:
    """Train a student from its initialisation on the probabilities of the parent and the labels.

    Args:
        parent, parent_about: safetensors and JSON files of the parent.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write.
        recipe: `method`, its options, and `student`: name and options of its architecture.
        finetune: training recipe of the student.
        seed, variant: key of the initialisation and the order of rows.

    Raises:
        InputError: the architecture of the student does not fit the data, its outputs are not logits, or it cannot be
            rebuilt from its files.
    """
    teacher = Model.load(parent, parent_about)
    data = TrainingData.read(table, split, augmented)
    torch.manual_seed(integer("initialise", variant, seed))
    student = Model({"signature": teacher.about["signature"], "architecture": recipe["student"]})
    student.encoder.load_state_dict(teacher.encoder.state_dict())
    place, example = f"variants: {variant}: distill", data.example(student)
    try:
        check_outputs(student.body, example, len(student.signature.classes))
    except InputError as error:
        raise InputError(f"{place}: student {recipe['student']['architecture']}: {error}.") from None
    distillation = teacher_loss(teacher, recipe)
    history = fit(student, data, finetune, order=integer("distill", variant, seed), distillation=distillation)
    write_checked(
        student,
        model,
        about,
        example,
        place,
        recipe=teacher.about["recipe"],
        seed=teacher.about["seed"],
        replicate=teacher.about["replicate"],
        distillation=recipe,
        sparsity={"all": 0.0},
    )
    write_curve(curve, history)


def teacher_loss(teacher: Model, recipe: MethodRecipe) -> Distillation:
    """Loss of a student of this teacher.

    Args:
        teacher: predicts every batch.
        recipe: `method` of distillation and its options.

    Returns:
        (features, logits of the student (b, classes), loss of the labels) -> scalar loss.
    """
    options = components.chosen(recipe, "finetune", "student")
    mixed_loss = components.load("distillations", recipe["method"])(**options)
    teacher.eval()

    def loss(features: Tensor, logits: Tensor, label_loss: Tensor) -> Tensor:
        with torch.no_grad():
            teacher_logits = teacher.body(features)
        mixed: Tensor = mixed_loss(logits, teacher_logits, label_loss)
        return mixed

    return loss
