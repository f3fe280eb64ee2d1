"""Thresholds of its own for each group, with Fairlearn (Hardt, Price & Srebro 2016)."""

from typing import Any

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin

from fairweight.core.errors import InputError

Array = np.ndarray[Any, Any]
OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute; it is needed when the model predicts, too."},
    "constraint": {"enum": ["equalized_odds", "demographic_parity", "true_positive_rate_parity", "false_positive_rate_parity"], "default": "equalized_odds", "description": "What is to be equal between the groups."},
    "objective": {"enum": ["accuracy_score", "balanced_accuracy_score"], "default": "accuracy_score", "description": "What is kept as high as the constraint allows."},
}  # fmt: skip


class _Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose one input is the score itself."""

    def fit(self, x: Array, y: Array) -> "_Scores":  # noqa: ARG002 - scikit-learn's signature
        """Nothing is learned."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Both probabilities (n, 2)."""
        return np.column_stack([1 - x[:, 0], x[:, 0]])


def fit(
    scores: Array, labels: Array, groups: Array, *, attribute: str, constraint: str, objective: str
) -> dict[int, list[dict[str, Any]]]:
    """Find the thresholds on validation rows.

    Args:
        scores: probability of the positive class (n,).
        labels: 0 or 1 (n,).
        groups: codes (n,), none below 0.
        attribute: whose groups these are.
        constraint: what is to be equal.
        objective: what is to be high.

    Returns:
        Group -> members of a mixture: `weight`, and either `above` or `below` (a threshold; null predicts `constant`).

    Raises:
        InputError: a group has one class only.
    """
    for code in np.unique(groups):
        if len(np.unique(labels[groups == code])) < 2:
            raise InputError(f"a group of {attribute!r} has one class only among the validation rows")
    # float32 scores make Fairlearn's hull crash under pandas 3
    x = np.asarray(scores, np.float64)[:, None]
    optimizer = ThresholdOptimizer(
        estimator=_Scores().fit(x, labels), constraints=constraint, objective=objective, prefit=True,
        predict_method="predict_proba",
    )  # fmt: skip
    optimizer.fit(x, labels, sensitive_features=groups)
    found = optimizer.interpolated_thresholder_.interpolation_dict
    return {int(code): _members(mixture) for code, mixture in found.items()}


def _members(mixture: Any) -> list[dict[str, Any]]:
    ignored = float(mixture.get("p_ignore", 0.0))
    members = []
    for number in ("0", "1"):
        operation, weight = mixture[f"operation{number}"], float(mixture[f"p{number}"]) * (1 - ignored)
        if weight > 0:
            side = "above" if operation.operator == ">" else "below"
            members.append({"weight": weight, side: float(operation.threshold)})
    if ignored > 0:
        # a constant between 0 and 1 is a chance to be positive
        constant = float(mixture["prediction_constant"])
        members.append({"weight": ignored * constant, "above": float("-inf")})
    return members
