"""Classification: every row, tabular, an image or a text, belongs to one of two or more classes."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("tabular", "image", "text")  # what a row may be
LABELLED = True  # whether the dataset has a `target`
OUTPUT = "probabilities"  # what a shipped file returns for each row, (n, classes)
# legal training losses, and families of metrics that the predictions are assessed by
OBJECTIVES = ("fairness_penalty", "group_balanced", "group_dro", "reweighing", "standard")
METRICS = ("agreement", "calibration", "consistency", "fairness", "quality", "roc")


def score(logits: "Tensor", labels: "Tensor") -> tuple[float, int]:
    """Sum of the cross-entropy in nats, and hits, of logits (n, classes) against labels (n,)."""
    from torch.nn import functional  # noqa: PLC0415 - predictions are made and assessed without torch

    loss = functional.cross_entropy(logits, labels, reduction="sum").item()
    return loss, int((logits.argmax(dim=1) == labels).sum())


def shipped(logits: "Tensor") -> "Tensor":
    """What a shipped file returns: probabilities (n, classes)."""
    return logits.softmax(dim=1)


def predict(output: NDArray[np.float32], rows: Table) -> dict[str, NDArray[Any]]:
    """Predictions of n rows from what a shipped file returned for them.

    Args:
        output: probabilities (n, classes).
        rows: the rows.

    Returns:
        `label`, `prediction` (n,), `probabilities` (n, classes), and of two classes the positive one's as `score` (n,).
    """
    found = {"label": rows.label, "prediction": output.argmax(axis=1), "probabilities": output}
    return found | ({"score": output[:, 1]} if len(rows.classes) == 2 else {})
