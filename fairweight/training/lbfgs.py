"""L-BFGS for one linear layer: the mean cross-entropy with an L2 penalty, over all rows, block by block.

The objective is, with weights w_i of the rows and the matrix W of the layer (without its bias b),

    sum_i w_i cross_entropy(W x_i + b, y_i) / sum_i w_i + penalty / 2 |W|^2

in float64. With two classes, W is one row, whose logit is that of the second class. This is the objective of Spark's
`LogisticRegression` (`regParam = penalty`, `elasticNetParam = 0`, `standardization = False` on the same features), and
of scikit-learn's (`C = 1 / (n penalty)`), whose value is larger by the factor n.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from fairweight.core.errors import InputError
from fairweight.data.partitions import Kept
from fairweight.training.row_spool import Block

Array = NDArray[np.float64]
CACHED_VALUES = 2**17  # features of one product: they stay in the processor's cache between the two products
ROUNDING = 64 * np.finfo(float).eps  # relative change of the objective that rounding explains; that of scikit-learn


@dataclass(frozen=True)
class Solution:
    """The minimum.

    Attributes:
        weight: float64 (classes, d); of two classes (1, d), of the second one.
        bias: float64 (classes,) or (1,).
        objective: value of the objective, in nats.
        loss: its mean cross-entropy.
        gradient_norm: largest absolute component of the gradient.
        iterations, evaluations: of L-BFGS; an evaluation is one pass over all rows.
    """

    weight: Array
    bias: Array
    objective: float
    loss: float
    gradient_norm: float
    iterations: int
    evaluations: int

    def logits(self) -> tuple[Array, Array]:
        """Matrix (classes, d) and bias (classes,) with the same probabilities for a softmax over all classes."""
        if len(self.bias) > 1:
            return self.weight, self.bias
        # half of it for either class
        return np.concatenate([-self.weight, self.weight]) / 2, np.concatenate([-self.bias, self.bias]) / 2


@dataclass(frozen=True)
class Problem:
    """Sizes of what is minimised.

    Attributes:
        classes: number of classes.
        features: number of features.
        weight: sum of the weights of all rows.
    """

    classes: int
    features: int
    weight: float


def minimise(
    blocks: Kept[Block],
    problem: Problem,
    *,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    after: Callable[[Array, float], None] = lambda _parameters, _loss: None,
) -> Solution:
    """Minimise the objective from zeros.

    Sums are taken within a block and then in the order of the blocks, so that the number of threads changes no bit.

    Args:
        blocks: the rows, kept by the workers that compute with them.
        problem: number of classes and features, and the weight of all rows.
        penalty: weight of the L2 penalty.
        tolerance: the largest absolute component of the gradient at which to stop.
        max_iterations: most iterations.
        after: called after each iteration with the parameters (outputs, d + 1), the bias last, and their mean loss.

    Raises:
        InputError: the minimum is not reached.
    """
    outputs, columns = 1 if problem.classes == 2 else problem.classes, problem.features + 1
    total = problem.weight

    def objective(flat: Array) -> tuple[float, Array]:
        parameters = flat.reshape(outputs, columns)
        loss, gradient = 0.0, np.zeros_like(parameters)
        for block_loss, block_gradient in blocks.in_order(partial(loss_and_gradient, parameters=parameters)):
            loss += block_loss
            gradient += block_gradient
        loss, gradient = loss / total, gradient / total
        gradient[:, :-1] += penalty * parameters[:, :-1]
        return loss + penalised(parameters), gradient.reshape(-1)

    def penalised(parameters: Array) -> float:
        return penalty / 2 * float(np.square(parameters[:, :-1]).sum())

    def each(intermediate_result: Any) -> None:  # scipy passes the result by this name
        parameters = np.array(intermediate_result.x).reshape(outputs, columns)
        after(parameters, float(intermediate_result.fun) - penalised(parameters))

    options = {"gtol": tolerance, "ftol": ROUNDING, "maxiter": max_iterations, "maxls": 50, "maxfun": 1_000_000}
    start = np.zeros(outputs * columns)
    with threadpool_limits(1):  # sums of a product that several threads share depend on their number
        result = minimize(objective, start, method="L-BFGS-B", jac=True, callback=each, options=options)
    _check(result, tolerance, max_iterations)
    parameters = result.x.reshape(outputs, columns)
    return Solution(
        weight=parameters[:, :-1],
        bias=parameters[:, -1],
        objective=float(result.fun),
        loss=float(result.fun) - penalised(parameters),
        gradient_norm=float(np.abs(result.jac).max()),
        iterations=int(result.nit),
        evaluations=int(result.nfev),
    )


def _check(result: Any, tolerance: float, most: int) -> None:
    """Refuse a result of scipy that is no minimum."""
    norm = float(np.abs(result.jac).max())
    if not np.isfinite(result.fun):
        raise InputError("training: the objective of 'lbfgs' is not finite; check the numeric inputs for huge values.")
    if not result.success and norm > tolerance:
        remedy = "raise max_iterations or tolerance" if result.nit >= most else "raise tolerance or weight_decay"
        raise InputError(
            f"training: 'lbfgs' has not converged: after {result.nit:,} iterations the largest component of the "
            f"gradient is {norm:.2g}, above the tolerance {tolerance:g}; {remedy}."
        )


def loss_and_gradient(block: Block, parameters: Array) -> tuple[float, Array]:
    """Weighted sums over the rows of a block.

    Args:
        block: the rows.
        parameters: (outputs, d + 1), the bias last; one output stands for two classes.

    Returns:
        Sum of the cross-entropy, in nats, and its gradient (outputs, d + 1).
    """
    features = block.features()
    size = max(1, CACHED_VALUES // features.shape[1])
    loss, gradient = 0.0, np.zeros_like(parameters)
    for start in range(0, len(features), size):
        part = slice(start, start + size)
        rows = features[part].astype(np.float64)
        logits = rows @ parameters[:, :-1].T + parameters[:, -1]
        summed, slope = cross_entropy(logits, block.labels[part], block.weights[part])
        loss += summed
        gradient[:, :-1] += slope.T @ rows
        gradient[:, -1] += slope.sum(axis=0)
    return loss, gradient


def cross_entropy(logits: Array, labels: NDArray[np.int64], weights: Array) -> tuple[float, Array]:
    """Weighted sum of the cross-entropy of logits (n, outputs), and its derivative by the logits (n, outputs)."""
    if logits.shape[1] == 1:
        sign = np.where(labels == 1, 1.0, -1.0)
        margin = sign * logits[:, 0]
        small = np.exp(-np.abs(margin))
        losses = np.log1p(small) - np.minimum(margin, 0)
        wrong = np.where(margin > 0, small, 1.0) / (1 + small)  # probability of the other class
        return float(losses @ weights), (-sign * wrong * weights)[:, None]
    logits = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    sums = exponentials.sum(axis=1)
    rows = np.arange(len(labels))
    losses = np.log(sums) - logits[rows, labels]
    slope = exponentials / sums[:, None]
    slope[rows, labels] -= 1
    return float(losses @ weights), slope * weights[:, None]


def evaluate(blocks: Kept[Block], parameters: Array, rows: int) -> tuple[float, float]:
    """Mean cross-entropy, in nats, and accuracy of parameters (outputs, d + 1) on blocks whose `rows` rows weigh 1."""
    loss, hits = 0.0, 0
    with threadpool_limits(1):
        for block_loss, block_hits in blocks.in_order(partial(_scored, parameters=parameters)):
            loss, hits = loss + block_loss, hits + block_hits
    return loss / max(rows, 1), hits / max(rows, 1)


def _scored(block: Block, parameters: Array) -> tuple[float, int]:
    features = block.features()
    size, loss, hits = max(1, CACHED_VALUES // features.shape[1]), 0.0, 0
    for start in range(0, len(features), size):
        part = slice(start, start + size)
        logits = features[part].astype(np.float64) @ parameters[:, :-1].T + parameters[:, -1]
        loss += cross_entropy(logits, block.labels[part], block.weights[part])[0]
        predicted = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)
        hits += int((predicted == block.labels[part]).sum())
    return loss, hits
