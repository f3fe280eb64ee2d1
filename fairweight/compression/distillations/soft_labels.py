"""Distillation on the softened probabilities of the teacher (Hinton et al. 2015)."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

OPTIONS = {
    "temperature": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 4.0,
        "description": "The logits of teacher and student are divided by it.",
    },
    "teacher_share": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.7,
        "description": "Weight of the teacher's probabilities in the loss; the labels have the rest.",
    },
}


def prepare(*, temperature: float, teacher_share: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Make the loss of a student.

    Args:
        temperature, teacher_share: see OPTIONS.

    Returns:
        (logits of the student (b, classes), logits of the teacher (b, classes), scalar loss of the labels) -> scalar in
        nats: the divergence from the teacher's softened probabilities times temperature^2, mixed with the loss of the
        labels.
    """

    def loss(student: Tensor, teacher: Tensor, label_loss: Tensor) -> Tensor:
        divergence = functional.kl_div(
            functional.log_softmax(student / temperature, 1),
            functional.log_softmax(teacher / temperature, 1),
            reduction="batchmean",
            log_target=True,
        )
        return teacher_share * temperature**2 * divergence + (1 - teacher_share) * label_loss

    return loss
