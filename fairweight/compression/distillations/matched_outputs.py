"""Distillation on the outputs of the teacher: their squared distance from the student's (Ba & Caruana 2014)."""

from collections.abc import Callable

from torch import Tensor

OPTIONS = {
    "teacher_share": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.7,
        "description": "Weight of the teacher's outputs in the loss; the labels have the rest.",
    },
}


def prepare(*, teacher_share: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Make the loss of a student.

    Args:
        teacher_share: see OPTIONS.

    Returns:
        (outputs of the student (b, k), outputs of the teacher (b, k), scalar loss of the labels) -> scalar: the mean
        squared distance of logits, or of standardised numbers, mixed with the loss of the labels.
    """

    def loss(student: Tensor, teacher: Tensor, label_loss: Tensor) -> Tensor:
        return teacher_share * ((student - teacher) ** 2).mean() + (1 - teacher_share) * label_loss

    return loss
