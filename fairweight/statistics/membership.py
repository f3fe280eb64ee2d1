"""Membership inference: how well an attacker tells rows that a model was trained on from rows that it was not.

Every model is attacked in turn, with all other models of the same recipe as its shadow models. Attacks score each row:
a higher score means "more likely a training row".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from fairweight.statistics.intervals import student
from fairweight.statistics.ranking import auc
from fairweight.statistics.significance import benjamini_hochberg, sign_flip

Array = np.ndarray[Any, Any]
SMALLEST = 1e-12  # probabilities are not smaller: an output that underflows gives no infinite confidence
FALSE_DISCOVERIES = 0.05  # expected share of rows that are called exposed and are not
LEVEL = 0.95
ENOUGH = 10  # false positives below which a true positive rate is called imprecise; below 1 it cannot be measured


def confidence(true: Array, other: Array) -> Array:
    """Log odds of the true class (n,): nearly normal over models, unlike the probability (Carlini 2022).

    Args:
        true: probability of the true class (n,).
        other: sum of the probabilities of all other classes (n,).
    """
    odds: Array = np.log(np.maximum(true, SMALLEST)) - np.log(np.maximum(other, SMALLEST))
    return odds


@dataclass(frozen=True)
class _Moments:
    """Confidence of the models that have a row, or have it not, without the attacked model: (K, n) and a scalar."""

    count: Array
    mean: Array
    sd: Array  # (K, 1): of all rows together, because a few models give no variance of a single row


def _moments(confidences: Array, chosen: Array) -> _Moments:
    """Leave-one-out moments of the chosen entries: for model k, over the other models."""
    count = chosen.sum(axis=0) - chosen
    total = np.where(chosen, confidences, 0).sum(axis=0) - np.where(chosen, confidences, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    squares = np.where(chosen, confidences**2, 0).sum(axis=0) - np.where(chosen, confidences**2, 0)
    usable = count >= 2
    within = np.where(usable, squares - count * np.nan_to_num(mean) ** 2, 0).sum(axis=1)
    freedom = np.where(usable, count - 1, 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(np.maximum(within / freedom, 0))
    return _Moments(count, mean, sd[:, None])


def likelihood_ratios(confidences: Array, members: Array) -> Array:
    """Scores of the likelihood ratio attack with variances of all rows together (LiRA, online; Carlini 2022).

    Args:
        confidences: (K, n), see `confidence`; K models, n rows.
        members: bool (K, n), whether the model was trained on the row.

    Returns:
        Scores (K, n): model k attacked with the other models; NaN for a row that fewer than two of them have, or have
        not.
    """
    inside, outside = _moments(confidences, members), _moments(confidences, ~members)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = stats.norm.logpdf(confidences, inside.mean, inside.sd) - stats.norm.logpdf(
            confidences, outside.mean, outside.sd
        )
    return np.where((inside.count >= 2) & (outside.count >= 2), scores, np.nan)


def true_positive_rate(member: Array, scores: Array, false_positive_rate: float) -> float:
    """Largest share of the members whose score is above a threshold that at most this share of the others exceeds.

    Args:
        member: bool (n,) with rows of both kinds.
        scores: (n,).
        false_positive_rate: share of the others.

    Returns:
        The rate; NaN where the others are too few for one of them to be that share.
    """
    others = np.sort(scores[~member])[::-1]
    allowed = int(false_positive_rate * len(others) + 1e-9)
    if not allowed:
        return float("nan")
    threshold = others[allowed] if allowed < len(others) else -np.inf
    return float((scores[member] > threshold).mean())


def exact_interval(rate: float, total: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a rate from exact binomial tails (Clopper & Pearson 1934).

    Args:
        rate: observed rate.
        total: number of rows that it is of.
        level: coverage.
    """
    successes, tail = rate * total, (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, total - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, total - successes)) if successes < total else 1.0
    return low, high


@dataclass(frozen=True)
class Leakage:
    """One measure of an attack over attacked models, and its change against the baseline on the same models.

    Attributes:
        value, low, high: mean over the attacked models (NaN where it cannot be measured), and its interval: Student's t
            over models, or for a rate the wider one of it and the exact interval of one model's rows.
        change, change_low, change_high, p_value: paired by model; NaN for the baseline itself. The test is that of
            sign-flips.
    """

    value: float
    low: float
    high: float
    change: float = float("nan")
    change_low: float = float("nan")
    change_high: float = float("nan")
    p_value: float = float("nan")


def over_models(values: Array, baseline: Array | None, rows: float | None = None) -> Leakage:
    """Mean of a measure over models, and its change.

    Args:
        values: one value for each attacked model (K,).
        baseline: the same of the baseline (K,), whose model k has the same training rows; None for itself.
        rows: members that a rate is a share of; None for a measure that is no rate.
    """
    mean, low, high = student(values)
    if rows is not None and np.isfinite(mean):
        exact = exact_interval(mean, rows)
        low, high = min(low, exact[0]), max(high, exact[1])
        low, high = max(low, 0.0), min(high, 1.0)
    if baseline is None:
        return Leakage(mean, low, high)
    changes = values - baseline
    p_value = sign_flip(changes) if np.isfinite(changes).all() else float("nan")
    return Leakage(mean, low, high, *student(changes), p_value)


def exposed_rows(confidences: Array, members: Array) -> Array:
    """Rows whose membership the models give away: their confidence is higher where they are training rows.

    A one-sided t test of each row with the variance of its own models; the share of false discoveries is controlled at
    5 % (Benjamini & Hochberg 1995).

    Args:
        confidences, members: (K, n), see `likelihood_ratios`.

    Returns:
        bool (n,); a row that fewer than two models have, or have not, is not among them.
    """
    inside, outside = members.sum(axis=0), (~members).sum(axis=0)
    usable = (inside >= 2) & (outside >= 2)
    exposed = np.zeros(members.shape[1], dtype=bool)
    if not usable.any():
        return exposed
    values, chosen = confidences[:, usable], members[:, usable]
    first, second = inside[usable], outside[usable]
    means = [np.where(m, values, 0).sum(axis=0) / n for m, n in ((chosen, first), (~chosen, second))]
    squares = np.where(chosen, (values - means[0]) ** 2, (values - means[1]) ** 2).sum(axis=0)
    freedom = len(values) - 2
    error = np.sqrt(squares / freedom * (1 / first + 1 / second))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (means[0] - means[1]) / error
    p_values = stats.t.sf(np.nan_to_num(t, nan=0.0), freedom)
    exposed[np.flatnonzero(usable)] = benjamini_hochberg(p_values) <= FALSE_DISCOVERIES
    return exposed


def attack_auc(member: Array, scores: Array) -> float:
    """Area below the ROC curve of an attack: .5 is guessing; NaN without rows of both kinds."""
    return auc(member, scores) if member.any() and not member.all() else float("nan")


def epsilon_bound(hits: float, members: int, false: float, others: int, delta: float) -> float:
    """Lower bound, 95 %, of the epsilon that differential privacy could promise, from one attack (Jagielski 2020).

    Args:
        hits, members: rate of true positives, and the number of members.
        false, others: rate of false positives, and the number of others.
        delta: the delta of the promise.

    Returns:
        At least 0. Any mechanism with (epsilon, delta) has true <= exp(epsilon) x false + delta.
    """
    low, _ = exact_interval(hits, members, 0.95)
    _, high = exact_interval(false, others, 0.95)
    return float(max(0.0, np.log((low - delta) / high))) if low > delta else 0.0
