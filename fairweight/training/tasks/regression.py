"""Regression: every row (tabular or image) has a number, in a unit of its own."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("tabular", "image")  # legal forms of rows
LABELLED = True  # whether the dataset has a `target`
LABEL = "numbers"  # kind of label, one of `core.labels`
OUTPUT = "number"  # output of an exported file for each row, (n, 1)
HUB_TASK = "tabular-regression"  # name of the task on a model hub
# legal operations, training losses, methods, and families of metrics that the predictions are assessed by
OPERATIONS = ("train", "prune", "factorize", "distill", "encode", "quantize")
OBJECTIVES = ("absolute_error", "quantile", "standard")
AUGMENTATIONS = ("affine_noise", "jitter", "masking", "none")
DISTILLATIONS = ("matched_outputs",)
METRICS = ("error", "error_gaps", "intervals")


def score(outputs: "Tensor", labels: "Tensor") -> tuple[float, int]:
    """Compute the sum of the squared error of standardised outputs (n, 1) against labels (n,); there are no hits."""
    return float(((outputs[:, 0] - labels) ** 2).sum()), 0


def shipped(outputs: "Tensor") -> "Tensor":
    """Compute the output of an exported file: numbers in the unit of the label (n, 1), see `Model.forward`."""
    return outputs


def predict(output: NDArray[np.float32], rows: Table) -> dict[str, NDArray[Any]]:
    """Derive the predictions of n rows from the output of an exported file (n, 1): `label` and `prediction` (n,)."""
    return {"label": rows.label, "prediction": output[:, 0].astype(np.float64)}
