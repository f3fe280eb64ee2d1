"""Whether one input alone predicts the label, as a column does that is known only after the label."""

from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

Array = np.ndarray[Any, Any]
ALMOST = 0.98  # balanced accuracy from which an input alone predicts the label
SPLITS = 5  # of a number, one after the other
MOST_LEAVES = 1_024  # of the tree that predicts a number
FEWEST = 5  # held-out rows of a class
MOST_ROWS = 20_000  # on which the accuracy is computed


def lone_accuracy(values: Array, label: Array) -> float | None:
    """Balanced accuracy of predicting held-out labels from one input alone.

    Half of the rows are held out at random. On the others, a small decision tree is fitted to a number; a category
    predicts the class that has the largest share of its rows there, and one that does not occur predicts nothing.

    Args:
        values: floats, NaN where missing, or codes of categories (n,).
        label: code of the class (n,).

    Returns:
        Mean over the classes of the share of held-out rows that are predicted; None if fewer than two classes have
        enough of them.
    """
    step = -(-len(label) // MOST_ROWS) or 1
    values, label = np.asarray(values)[::step], np.asarray(label)[::step]
    order = np.random.default_rng(0).permutation(len(label))
    fitted, held_out = order[::2], order[1::2]
    truth, sizes = np.unique(label[held_out], return_counts=True)
    classes = truth[sizes >= FEWEST]
    if len(classes) < 2:
        return None
    predict = _by_tree if values.dtype.kind == "f" else _by_category
    predicted = predict(values[fitted], label[fitted], values[held_out])
    return float(np.mean([(predicted[label[held_out] == code] == code).mean() for code in classes]))


def lone_r2(values: Array, label: Array) -> float | None:
    """R2 of predicting held-out labels that are numbers from one input alone, by a decision tree.

    Args:
        values: floats, NaN where missing, or codes of categories (n,).
        label: numbers (n,).

    Returns:
        Share of the variance of held-out labels that is explained; None if there are too few rows, or it has none.
    """
    step = -(-len(label) // MOST_ROWS) or 1
    values, label = np.asarray(values)[::step], np.asarray(label, float)[::step]
    order = np.random.default_rng(0).permutation(len(label))
    fitted, held_out = order[::2], order[1::2]
    if len(held_out) < FEWEST**2 or not np.ptp(label[held_out]):
        return None
    with np.errstate(over="ignore"):
        inputs = np.where(np.isfinite(values), values, np.nan).astype(np.float32)[:, None]
    inputs[np.isinf(inputs)] = np.nan
    tree = DecisionTreeRegressor(min_samples_leaf=2, max_leaf_nodes=MOST_LEAVES, random_state=0)
    predicted = tree.fit(inputs[fitted], label[fitted]).predict(inputs[held_out])
    return float(1 - np.mean((predicted - label[held_out]) ** 2) / np.var(label[held_out]))


def _by_tree(values: Array, label: Array, others: Array) -> Array:
    with np.errstate(over="ignore"):
        fitted, held_out = (part.astype(np.float32)[:, None] for part in (values, others))
    for part in (fitted, held_out):
        part[np.isinf(part)] = np.nan
    tree = DecisionTreeClassifier(max_depth=SPLITS, class_weight="balanced", random_state=0)
    predicted: Array = tree.fit(fitted, label).predict(held_out)
    return predicted


def _by_category(values: Array, label: Array, others: Array) -> Array:
    kinds, codes = np.unique(values, return_inverse=True)
    cells, sizes = np.unique(np.stack([codes.reshape(-1), label]), axis=1, return_counts=True)
    shares = sizes / np.bincount(label)[cells[1]]
    order = np.argsort(shares, kind="stable")  # the largest share of each kind comes last
    best = np.full(len(kinds), -1)
    best[cells[0][order]] = cells[1][order]
    places = np.minimum(np.searchsorted(kinds, others), len(kinds) - 1)
    return np.where(kinds[places] == others, best[places], -1)
