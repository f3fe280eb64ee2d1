"""Resample rows so that every combination of group and label is equally frequent."""

import dataclasses

import numpy as np

from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.core.table import Augmented, Table

OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute, one of the dataset's groups."},
}


def augment(training: Table, rng: np.random.Generator, *, attribute: str) -> Augmented:
    """Draw n of n rows with replacement, evenly from all combinations; a row's weight is how often it was drawn.

    No row is copied: a row drawn three times counts three times in the loss, a row never drawn does not count. Rows
    that belong to no group keep weight 1.

    Raises:
        InputError: the dataset has no such attribute, or no training row has it.
    """
    if attribute not in training.groups:
        hint = did_you_mean(attribute, training.groups)
        raise InputError(
            f"augmentation balance_groups: attribute {attribute!r} is not a group{hint}; there are: "
            f"{listed(training.groups)}"
        )
    group = training.groups[attribute]
    member = np.flatnonzero(group >= 0)
    if not len(member):
        raise InputError(f"augmentation balance_groups: no training row has a value of {attribute!r}")
    combination = group[member] * len(training.classes) + training.label[member]
    combinations = np.unique(combination)
    weights = np.ones(len(training), np.float32)
    weights[member] = 0
    # the remainder of the division goes to the first combinations, so that the number of draws is exact
    draws = np.full(len(combinations), len(member) // len(combinations))
    draws[: len(member) % len(combinations)] += 1
    for code, count in zip(combinations, draws, strict=True):
        rows = member[combination == code]
        np.add.at(weights, rng.choice(rows, size=count, replace=True), 1)
    return dataclasses.replace(Augmented.nothing(training), row_weights=weights)
