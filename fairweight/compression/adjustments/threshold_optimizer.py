"""Separate decision thresholds for each group, fitted with Fairlearn (Hardt, Price & Srebro 2016)."""

from typing import Any

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin

from fairweight.core.errors import InputError

Array = np.ndarray[Any, Any]
Members = list[dict[str, float]]  # of a mixture: `weight`, and a threshold `above` or `below` which it is positive
OPTIONS = {
    "attribute": {
        "type": "string",
        "description": "The sensitive attribute; it is also needed when the model predicts.",
    },
    "constraint": {
        "enum": ["equalized_odds", "demographic_parity", "true_positive_rate_parity", "false_positive_rate_parity"],
        "default": "equalized_odds",
        "description": "Quantity that is equal between the groups.",
    },
    "objective": {
        "enum": ["accuracy_score", "balanced_accuracy_score"],
        "default": "accuracy_score",
        "description": "Quantity that is maximised under the constraint.",
    },
}


class _Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose only input is the score itself."""

    def fit(self, x: Array, y: Array) -> "_Scores":  # noqa: ARG002 - scikit-learn's signature
        """Nothing is learned."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Both probabilities (n, 2)."""
        return np.column_stack([1 - x[:, 0], x[:, 0]])


def fit(
    scores: Array, labels: Array, groups: Array, *, attribute: str, constraint: str, objective: str
) -> dict[int, Members]:
    """Fit the thresholds on validation rows.

    Args:
        scores: probability of the positive class (n,).
        labels: 0 or 1 (n,).
        groups: codes (n,), none below 0.
        attribute: name of the attribute that the groups belong to.
        constraint, objective: see OPTIONS.

    Returns:
        Group -> members of a mixture, each with its `weight`, and a threshold `above` or `below` which it predicts the
        positive class. The weights sum to the chance to be positive where all members are.

    Raises:
        InputError: a group has only one class.
    """
    for code in np.unique(groups):
        if len(np.unique(labels[groups == code])) < 2:
            raise InputError(f"a group of {attribute!r} has only one class among the validation rows")
    # float32 scores make Fairlearn's hull crash under pandas 3
    x = np.asarray(scores, np.float64)[:, None]
    optimizer = ThresholdOptimizer(
        estimator=_Scores().fit(x, labels),
        constraints=constraint,
        objective=objective,
        prefit=True,
        predict_method="predict_proba",
    )
    optimizer.fit(x, labels, sensitive_features=groups)
    mixtures = optimizer.interpolated_thresholder_.interpolation_dict
    return {int(code): _members(mixture) for code, mixture in mixtures.items()}


def _members(mixture: Any) -> Members:
    """Members of Fairlearn's mixture that have a weight."""
    ignored = float(mixture.get("p_ignore", 0.0))
    members: Members = []
    for number in ("0", "1"):
        operation, weight = mixture[f"operation{number}"], float(mixture[f"p{number}"]) * (1 - ignored)
        if weight > 0:
            side = "above" if operation.operator == ">" else "below"
            members.append({"weight": weight, side: float(operation.threshold)})
    if ignored > 0:
        # a constant between 0 and 1 is the probability of a positive decision
        constant = float(mixture["prediction_constant"])
        members.append({"weight": ignored * constant, "above": float("-inf")})
    return members
