"""Kinds of label: one record each, which says by what losses a task is judged (standard library only).

A task states its kind in the literal `LABEL`; without one, it is `classes` if the task is labelled. Study, comparison,
decision, guards and report read the record of the kind, and no name of a task.
"""

from dataclasses import dataclass
from typing import Literal

from fairweight.core import components

Kind = Literal["classes", "numbers", "tokens"]


@dataclass(frozen=True)
class Loss:
    """A loss of one row; of losses, lower is better.

    Attributes:
        key: name in the tables of comparisons.
        title: name for people.
        unit: `label`, `label squared`, `nats` or `share`: the unit of the label is that of the dataset.
    """

    key: str
    title: str
    unit: str


@dataclass(frozen=True)
class LabelKind:
    """What the general code must know of a kind of label.

    Attributes:
        name: value of the literal `LABEL`.
        losses: losses of a row; the first one is that of the criteria, if the study names no other.
        rates: whether predictions are right or wrong, so that groups have rates.
        naive: prediction that reads no input, which a useful model must beat.
        margins: keys of `criteria: margins` that are about such labels.
    """

    name: Kind
    losses: tuple[Loss, ...]
    rates: bool
    naive: str
    margins: tuple[str, ...]


ABSOLUTE, SQUARED, BIAS = "absolute_error", "squared_error", "mean_error"
KINDS = {
    kind.name: kind
    for kind in (
        LabelKind(
            "classes",
            (Loss("zero_one", "Error", "share"), Loss("log_loss", "Log loss", "nats")),
            True,
            "the largest class",
            ("accuracy", "worst_group_accuracy", "group_accuracy", "group_rates", "fairness_gap"),
        ),
        LabelKind(
            "numbers",
            (Loss(ABSOLUTE, "Mean absolute error", "label"), Loss(SQUARED, "Mean squared error", "label squared")),
            False,
            "the median or the mean of the training labels",
            ("loss", "group_loss", "bias"),
        ),
        LabelKind("tokens", (Loss("nll", "Negative log-likelihood", "nats"),), False, "unigram frequencies", ()),
    )
}
_NAMED = {str(name): kind for name, kind in KINDS.items()}
LOSSES = {loss.key: loss for kind in KINDS.values() for loss in kind.losses}
# accepted losses against the baseline where a study with labels that are numbers states none
DEFAULT_MARGINS: dict[str, dict[str, float] | None] = {
    "loss": {"relative": 0.02},
    "group_loss": {"relative": 0.05},
    "bias": {"relative": 0.05},
}


def kind(task: str) -> LabelKind:
    """Kind of the labels of a task."""
    labelled = "classes" if components.literal("tasks", task, "LABELLED") else "tokens"
    return _NAMED[str(components.literal("tasks", task, "LABEL") or labelled)]


def measured(task: str) -> bool:
    """Whether the labels of a task are numbers."""
    return kind(task).name == "numbers"
