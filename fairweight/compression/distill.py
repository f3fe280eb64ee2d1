"""Distillation: training of a smaller student on the outputs of a parent: a trained network, or any ONNX file."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.inference import load_engine
from fairweight.inference.onnx_file import read_signature
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model import Model
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.tracing import check_outputs
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import Distillation, fit, write_curve
from fairweight.training.written_model import write_checked

BATCH = 256
SMALLEST = 1e-7  # a probability of 0, of which the logarithm is taken


def distill(
    *,
    parent: str,
    parent_about: str | None,
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
        parent, parent_about: safetensors and JSON files of the parent; or an ONNX file, and nothing.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write.
        recipe: `method`, its options, and `student`: name and options of its architecture.
        finetune: training recipe of the student.
        seed, variant: key of the initialisation and the order of rows.

    Raises:
        InputError: the architecture of the student does not fit the data, its outputs are not logits, or it cannot be
            rebuilt from its files.
    """
    data, place = TrainingData.read(table, split, augmented), f"variants: {variant}: distill"
    torch.manual_seed(integer("initialise", variant, seed))
    if parent_about:
        teacher = Model.load(parent, parent_about)
        student, distillation = _of_network(teacher, data, recipe)
        origin = teacher.about
    else:
        student, distillation = _of_file(parent, data, recipe, place)
        origin = {"recipe": finetune, "seed": seed, "replicate": 0}
    example = data.example(student)
    try:
        check_outputs(student.body, example, student.signature.outputs)
    except InputError as error:
        raise InputError(f"{place}: student {recipe['student']['architecture']}: {error}.") from None
    history = fit(student, data, finetune, order=integer("distill", variant, seed), distillation=distillation)
    write_checked(
        student,
        model,
        about,
        example,
        place,
        recipe=origin.get("recipe", finetune),
        seed=origin["seed"],
        replicate=origin["replicate"],
        distillation=recipe,
        sparsity={"all": 0.0},
    )
    write_curve(curve, history)


def _of_network(teacher: Model, data: TrainingData, recipe: MethodRecipe) -> tuple[Model, Distillation]:
    """A student of a network with random weights, and its loss."""
    student = Model({"signature": teacher.about["signature"], "architecture": recipe["student"]})
    if teacher.about.get("imported"):  # it takes numbers as they are, and a student learns from standardised ones
        data.fit(student.encoder)
        return student, logits_loss(_logits(teacher, data), recipe)
    student.encoder.load_state_dict(teacher.encoder.state_dict())
    return student, teacher_loss(teacher, recipe)


def _of_file(parent: str, data: TrainingData, recipe: MethodRecipe, place: str) -> tuple[Model, Distillation]:
    """A student of an ONNX file with random weights, and its loss."""
    if data.columns.texts is not None:
        raise InputError(f"{place}: a student of an ONNX file takes numbers, categories or images, and not texts.")
    student = Model({"signature": data.signature().to_dict(), "architecture": recipe["student"]})
    data.fit(student.encoder)
    return student, file_loss(parent, data, recipe)


def teacher_loss(teacher: Model, recipe: MethodRecipe) -> Distillation:
    """Loss of a student of a network.

    Args:
        teacher: predicts every batch.
        recipe: `method` of distillation and its options.
    """
    mixed_loss = _mixed_loss(recipe)
    teacher.eval()

    def loss(features: Tensor, logits: Tensor, label_loss: Tensor, positions: Tensor) -> Tensor:  # noqa: ARG001
        with torch.no_grad():
            teacher_logits = teacher.body(features)
        mixed: Tensor = mixed_loss(logits, teacher_logits, label_loss)
        return mixed

    return loss


def file_loss(path: str, data: TrainingData, recipe: MethodRecipe) -> Distillation:
    """Loss of a student of an ONNX file, which predicts all rows before the training.

    Args:
        path: ONNX file with a signature.
        data: the rows that the student is trained on.
        recipe: `method` of distillation and its options.
    """
    signature = read_signature(path)
    run = load_engine.load(REFERENCE_ENGINE, path, threads=torch.get_num_threads())
    outputs = [ModelInputs.from_rows(signature, rows).outputs(run, BATCH) for rows, _ in data.fitted()]
    # logits are known up to a constant for each row, which no loss of softmaxes depends on; classes of the file that
    # the dataset does not have are left out
    probabilities = np.concatenate(outputs)[:, : len(signature.classes)].astype(np.float32)
    return logits_loss(torch.from_numpy(probabilities).clamp_min(SMALLEST).log(), recipe)


def _logits(teacher: Model, data: TrainingData) -> Tensor:
    """Logits of a network for all rows that a student is trained on (n, classes)."""
    teacher.eval()
    with torch.no_grad():
        return torch.cat([teacher.body(teacher.encode(rows)) for rows, _ in data.fitted()])


def logits_loss(teacher: Tensor, recipe: MethodRecipe) -> Distillation:
    """Loss of a student of known logits.

    Args:
        teacher: logits (n, classes) for all rows that the student is trained on.
        recipe: `method` of distillation and its options.
    """
    mixed_loss = _mixed_loss(recipe)

    def loss(features: Tensor, logits: Tensor, label_loss: Tensor, positions: Tensor) -> Tensor:  # noqa: ARG001
        mixed: Tensor = mixed_loss(logits, teacher[positions], label_loss)
        return mixed

    return loss


def _mixed_loss(recipe: MethodRecipe) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """(logits of the student (b, classes), logits of the teacher, loss of the labels) -> scalar loss."""
    options = components.chosen(recipe, "finetune", "student")
    mixed: Callable[[Tensor, Tensor, Tensor], Tensor] = components.load("distillations", recipe["method"])(**options)
    return mixed
