"""Classification: every row (tabular, image or text) belongs to one of two or more classes."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("tabular", "image", "text")  # legal forms of rows
LABELLED = True  # whether the dataset has a `target`
OUTPUT = "probabilities"  # output of an exported file for each row, (n, classes)
# legal training losses, and families of metrics that the predictions are assessed by
OBJECTIVES = ("fairness_penalty", "group_balanced", "group_dro", "reweighing", "standard")
METRICS = ("agreement", "calibration", "consistency", "fairness", "quality", "roc")


def score(logits: "Tensor", labels: "Tensor") -> tuple[float, int]:
    """Compute the sum of the cross-entropy in nats, and the hits, of logits (n, classes) against labels (n,)."""
    from torch.nn import functional  # noqa: PLC0415 - predictions are made and assessed without torch

    loss = functional.cross_entropy(logits, labels, reduction="sum").item()
    return loss, int((logits.argmax(dim=1) == labels).sum())


def shipped(logits: "Tensor") -> "Tensor":
    """Compute the output of an exported file: probabilities (n, classes)."""
    return logits.softmax(dim=1)


def predict(output: NDArray[np.float32], rows: Table) -> dict[str, NDArray[Any]]:
    """Derive the predictions of n rows from the output of an exported file.

    Args:
        output: probabilities (n, classes), and of an imported file one more column for other classes (see
            `bound_outputs.as_probabilities`).
        rows: the rows.

    Returns:
        `label`, `prediction` (n,), `probabilities` (n, classes); for two classes also the positive class's as `score`
        (n,). The prediction of a class that the dataset does not have is the number of its classes, which is wrong for
        every label.
    """
    probabilities = output[:, : len(rows.classes)]
    columns = {"label": rows.label, "prediction": output.argmax(axis=1), "probabilities": probabilities}
    return columns | ({"score": output[:, 1]} if len(rows.classes) == 2 else {})
