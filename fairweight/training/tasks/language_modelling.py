"""Language modelling: of every text each token is foretold from those before it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("text",)  # what a row may be
LABELLED = False  # whether the dataset has a `target`
OUTPUT = "nll"  # what a shipped file returns for each row, (n, 2)
# legal training losses, and families of metrics that the predictions are assessed by
OBJECTIVES = ("standard",)
PUBLISHED = True  # nothing is trained: the weights are published ones
AUTOREGRESSIVE = True  # the file that ships has a cache of keys and values, and decodes token by token
HUB_TASK = "text-generation"  # name of the task on a model hub
QUANTIZATION = ("weight_only",)  # methods that keep the graph with its cache
METRICS = ("likelihood", "stereotypes")
CHECKED_ROWS = 4  # texts by which a file is checked: each is hundreds of products of the whole model


def score(logits: "Tensor", labels: "Tensor") -> tuple[float, int]:
    """Sum of the cross-entropy in nats, and hits, of logits (n, t, vocabulary) against tokens (n, t); -1 is padding."""
    from torch.nn import functional  # noqa: PLC0415 - predictions are made and assessed without torch

    foretold, tokens = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    loss = functional.cross_entropy(foretold, tokens, reduction="sum", ignore_index=-1).item()
    return loss, int((foretold.argmax(dim=1) == tokens).sum())


def shipped(logits: "Tensor") -> "Tensor":
    """What a shipped file returns: logits (n, t, vocabulary), of which an engine's caller takes what it needs."""
    return logits


def predict(output: NDArray[np.float32], rows: Table) -> dict[str, NDArray[Any]]:
    """Predictions of n texts.

    Args:
        output: summed negative log-likelihood in nats, and number of tokens foretold (n, 2).
        rows: the rows.

    Returns:
        `nll` in nats, `tokens` foretold and `utf8_bytes` of each text (n,).
    """
    assert rows.texts is not None  # study.py lets no other rows through
    lengths = np.array([len(str(text).encode()) for text in rows.texts], dtype=np.int64)
    return {"nll": output[:, 0].astype(float), "tokens": output[:, 1].astype(np.int64), "utf8_bytes": lengths}
