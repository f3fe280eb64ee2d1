"""Guards of models that predict numbers: one number for all rows, no better than none or a simple one, diverged."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from fairweight.core.labels import ABSOLUTE, LOSSES
from fairweight.core.recipes import Criteria

Array = np.ndarray[Any, Any]
FEWEST_SEEDS = 3  # with two seeds, nothing says which of them diverged
FAR_ABOVE = 2.0  # mean loss of a seed, in medians of the other seeds, from which it counts as diverged
DEVIATIONS = 6.0  # the same in standard deviations of the other seeds
NAIVE = {ABSOLUTE: "the median of the training labels"}
MEAN = "the mean of the training labels"


def of_numbers(models: pd.DataFrame) -> bool:
    """Whether rows of models are those of `compare_losses.model_rows`."""
    return "loss" in models and bool(models["loss"].notna().all())


def reasons(models: pd.DataFrame, criteria: Criteria) -> Iterator[tuple[str, str]]:
    """Guards that hold for the models of one recipe, with the reason of each.

    Args:
        models: one row per seed, columns `compare_losses.MODELS`, of the loss of the criteria.
        criteria: `criteria` of the study file: `error_rate` and `margins`.
    """
    seeds, total = models["seed"].tolist(), len(models)
    title = LOSSES[str(models["loss"].iloc[0])].title.lower()
    constant = models["constant"].to_numpy(bool)
    if constant.any():
        yield "one_class", f"{_in(seeds, constant)}one number is predicted for all {_rows(models):,} test rows"
    diverged = _diverged(models) & ~constant
    if diverged.any():
        worst = float(models["mean_loss"].to_numpy()[diverged].max())
        yield "diverged", f"{_in(seeds, diverged)}training diverged: the {title} is {worst:.3g}"
    rest = models[~constant & ~diverged]
    if rest.empty:
        return
    mean = f", the mean of {len(rest)} seeds," if total > 1 else ""
    reached = f"the {title} of {rest['mean_loss'].mean():.4g}{mean}"
    if (p_value := _not_better(rest, "naive")) is not None and p_value > criteria["error_rate"]:
        naive = NAIVE.get(str(models["loss"].iloc[0]), MEAN)
        yield (
            "majority",
            f"{reached} is not shown to be below the {rest['naive_loss'].iloc[0]:.4g} of always predicting {naive} "
            f"(p = {p_value:.2g}, t-test of {_rows(models):,} test rows)",
        )
    if reason := _simple(rest, reached, criteria):
        yield "simple_model", reason


def _rows(models: pd.DataFrame) -> int:
    return int(models["rows"].iloc[0])


def _not_better(models: pd.DataFrame, name: str, better: bool = True) -> float | None:
    """p-value against no gain over another predictor, or against no loss; None where there is no other.

    The mean over seeds has at most the mean of their standard errors, as they predict the same rows.
    """
    if models[f"{name}_gain"].isna().any():
        return None
    gain, error = float(models[f"{name}_gain"].mean()), float(models[f"{name}_error"].mean())
    if error == 0:
        return float(gain <= 0 if better else gain >= 0)
    statistic = gain / error
    return float((stats.t.sf if better else stats.t.cdf)(statistic, max(_rows(models) - 1, 1)))


def _simple(models: pd.DataFrame, reached: str, criteria: Criteria) -> str | None:
    """Why models are worse than the simple model by more than the accepted loss, and clearly so; None otherwise."""
    p_value = _not_better(models, "simple", better=False)
    if p_value is None or p_value > criteria["error_rate"]:
        return None
    simple, behind = float(models["simple_loss"].iloc[0]), -float(models["simple_gain"].mean())
    margin: Any = criteria["margins"].get("loss") or {}
    accepted = float(margin.get("absolute", margin.get("relative", 0.0) * simple))
    if behind <= accepted:
        return None
    return (
        f"{reached} is above the {simple:.4g} of a ridge regression of the same inputs (p = {p_value:.2g}, t-test of "
        f"{_rows(models):,} test rows)"
    )


def _diverged(models: pd.DataFrame) -> Array:
    """Seeds whose loss is far above that of the others, or whose predictions are not numbers: bool (K,)."""
    losses = models["mean_loss"].to_numpy(float)
    far: Array = ~models["finite"].to_numpy(bool)
    for position in range(len(losses)) if len(losses) >= FEWEST_SEEDS else ():
        others = np.delete(losses, position)
        middle = float(np.median(others))
        spread = DEVIATIONS * float(stats.median_abs_deviation(others, scale="normal"))
        far[position] |= losses[position] > max(FAR_ABOVE * middle, middle + spread)
    return far


def _in(seeds: list[int], mask: Array) -> str:
    """Start of a sentence: "in seed 3 (1 of 8 seeds), "; nothing for the only model."""
    if len(seeds) == 1:
        return ""
    if mask.all():
        return f"in all {len(seeds)} seeds, "
    names = ", ".join(str(int(seed)) for seed, held in zip(seeds, mask, strict=True) if held)
    return f"in seed{'' if mask.sum() == 1 else 's'} {names} ({int(mask.sum())} of {len(seeds)}), "
