"""Language modelling: each token of a text is predicted from the tokens before it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("text",)  # legal forms of rows
LABELLED = False  # whether the dataset has a `target`
OUTPUT = "nll"  # output of an exported file for each row, (n, 2)
# legal training losses, and families of metrics that the predictions are assessed by
OBJECTIVES = ("standard",)
PUBLISHED = True  # nothing is trained: the weights are published ones
AUTOREGRESSIVE = True  # the exported file has a cache of keys and values, and decodes token by token
HUB_TASK = "text-generation"  # name of the task on a model hub
QUANTIZATION = ("weight_only",)  # methods that keep the graph with its cache
METRICS = ("likelihood", "stereotypes", "choices")
CHECKED_ROWS = 4  # texts that a file is checked with: each takes hundreds of products of the whole model


def score(logits: "Tensor", labels: "Tensor") -> tuple[float, int]:
    """Compute the sum of the cross-entropy in nats, and the hits, of next-token predictions.

    Args:
        logits: (n, t, vocabulary).
        labels: tokens (n, t); -1 is padding.
    """
    from torch.nn import functional  # noqa: PLC0415 - predictions are made and assessed without torch

    predicted, tokens = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    loss = functional.cross_entropy(predicted, tokens, reduction="sum", ignore_index=-1).item()
    return loss, int((predicted.argmax(dim=1) == tokens).sum())


def shipped(logits: "Tensor") -> "Tensor":
    """Compute the output of an exported file: logits (n, t, vocabulary), of which an engine's caller uses a part."""
    return logits


def predict(output: NDArray[np.float32], rows: Table) -> dict[str, NDArray[Any]]:
    """Derive the predictions of n texts from the output of an engine.

    Args:
        output: summed negative log-likelihood in nats, and number of predicted tokens (n, 2).
        rows: the rows.

    Returns:
        `nll` in nats, `tokens` (predicted ones) and `utf8_bytes` of each text (n,).
    """
    assert rows.texts is not None  # the study allows no other rows for this task
    lengths = np.array([len(str(text).encode()) for text in rows.texts], dtype=np.int64)
    return {"nll": output[:, 0].astype(float), "tokens": output[:, 1].astype(np.int64), "utf8_bytes": lengths}
