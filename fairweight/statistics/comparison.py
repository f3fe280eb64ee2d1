"""Comparison of a variant with its baseline over seeds: changes of each group, paired by seed, on the same rows."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

import numpy as np

from fairweight.statistics import crossed_uncertainty, paired_shares, significance
from fairweight.statistics.intervals import wilson
from fairweight.statistics.paired_shares import Pairs
from fairweight.statistics.rates import Layout

Array = np.ndarray[Any, Any]
Status = Literal["ok", "insufficient", "undefined"]


class ComparisonRow(TypedDict):
    """One number of a comparison and what it is about; None where it does not apply."""

    metric: str | None
    attribute: str | None
    group: str | None
    value: float | None  # mean over seeds of variant minus baseline, or a rate of disagreement between the two
    low: float | None  # interval at 95 %, crossed: seeds and rows
    high: float | None
    bootstrap_low: float | None  # percentiles of the crossed bootstrap
    bootstrap_high: float | None
    baseline_value: float | None
    relative: float | None  # value over baseline value
    normalised: float | None  # value minus that of all rows
    seed_error: float | None  # standard error from seeds
    row_error: float | None  # standard error from rows
    p_value: float | None
    sign_flip_p: float | None
    wilcoxon_p: float | None
    effect_size: float | None
    by_chance: float | None  # expected value if there were nothing to find
    test: str | None
    n: int | None
    denominator: int | None
    seeds: int | None
    status: Status | None
    reason: str | None


# columns of a comparison and their Arrow types
SCHEMA = {
    "metric": "string",
    "attribute": "string",
    "group": "string",
    "value": "double",
    "low": "double",
    "high": "double",
    "bootstrap_low": "double",
    "bootstrap_high": "double",
    "baseline_value": "double",
    "relative": "double",
    "normalised": "double",
    "seed_error": "double",
    "row_error": "double",
    "p_value": "double",
    "sign_flip_p": "double",
    "wilcoxon_p": "double",
    "effect_size": "double",
    "by_chance": "double",
    "test": "string",
    "n": "int64",
    "denominator": "int64",
    "seeds": "int64",
    "status": "string",
    "reason": "string",
}
EMPTY = cast(ComparisonRow, dict.fromkeys(SCHEMA))


@dataclass(frozen=True)
class Pair:
    """K models of a variant and K of its baseline on n rows, one pair per seed."""

    labels: Array  # int (n,)
    variant: Array  # int predictions (n, K)
    baseline: Array
    variant_scores: Array | None  # probabilities (n, K, classes)
    baseline_scores: Array | None


def change(
    per_seed: Array,
    baseline: Array,
    row_variance: float,
    rows: int,
    *,
    metric: str,
    attribute: str | None = None,
    group: str | None = None,
    n: int | None = None,
    smallest: int = 1,
    unseen: float = 1.0,
    bootstrap: tuple[float, float] | None = None,
) -> ComparisonRow:
    """Make the row of a change, with its crossed interval and the sign-flip and Wilcoxon tests over seeds.

    Args:
        per_seed: variant minus baseline (K,).
        baseline: the baseline's values (K,).
        row_variance: variance of the mean change over test rows.
        rows: rows that the value rests on.
        metric: name of what changes.
        attribute, group: the group that it is about; an attribute alone is a comparison of its groups.
        n: rows that it is about.
        smallest: a value that rests on fewer rows is `insufficient`.
        unseen: number of groups whose changes the sample may happen not to show; 0 where no other row could differ.
        bootstrap: percentiles of the crossed bootstrap, if there is one.
    """
    about = EMPTY | {"metric": metric, "attribute": attribute, "group": group, "n": n}
    about = about | {"denominator": rows, "seeds": len(per_seed)}
    if not np.isfinite(per_seed).all():
        return about | {"status": "undefined", "reason": "no such rows"}
    # rows that happen not to differ are no proof that none does: one more could have (after Agresti & Min 2005)
    estimate = crossed_uncertainty.estimate(per_seed, row_variance + unseen / (rows + 2) ** 2, rows)
    low, high = estimate.interval()
    reference = float(np.mean(baseline))
    row = _with_tests(about, per_seed, estimate) | {
        "value": estimate.value,
        "low": low,
        "high": high,
        "baseline_value": reference,
        "relative": estimate.value / reference if reference else None,
        "seed_error": float(np.sqrt(estimate.seed_variance)),
        "row_error": float(np.sqrt(estimate.row_variance)),
        "status": "ok" if rows >= smallest else "insufficient",
        "reason": None if rows >= smallest else f"fewer than {smallest} rows",
    }
    return row if bootstrap is None else row | {"bootstrap_low": bootstrap[0], "bootstrap_high": bootstrap[1]}


def _with_tests(row: ComparisonRow, per_seed: Array, estimate: crossed_uncertainty.Estimate) -> ComparisonRow:
    """A row with the tests of the null hypothesis that nothing changes; with one seed there are none.

    Sign flips test whether retraining would show the change on these rows. The crossed test asks, by an approximation,
    whether other rows would. A change counts only if both agree.
    """
    if len(per_seed) < 2:
        return row | {"test": "none: one seed"}
    flipped = significance.sign_flip(per_seed)
    return row | {
        "p_value": max(flipped, min(1.0, 2 * min(estimate.p_above(0), estimate.p_below(0)))),
        "sign_flip_p": flipped,
        "wilcoxon_p": significance.wilcoxon(per_seed),
        "effect_size": significance.effect_size(per_seed),
        "test": "sign-flip and crossed",
    }


def of_one_model(row: ComparisonRow, pairs: Pairs) -> ComparisonRow:
    """Row of a change with interval and p-value of the score test (Tango 1998), about one model on other rows."""
    low, high = paired_shares.tango_interval(pairs)
    p_value = 2 * min(paired_shares.tango_above(pairs, 0), paired_shares.tango_below(pairs, 0))
    test = "score test of this model's rows"
    return row | {"low": low, "high": high, "p_value": min(1.0, p_value), "test": test}


def disagreement(pair: Pair, layout: Layout, smallest: int) -> list[ComparisonRow]:
    """Churn (Milani Fard et al. 2016) and the rate of PIEs (Hooker et al. 2019) of each group.

    A row is a PIE, a "pruning identified exemplar", if the modal label of the variant's models differs from that of the
    baseline's. Where labels tie, each of them is modal, and the row is a PIE only if no label is modal in both.

    Args:
        pair: predictions of both.
        layout: groups of the rows.
        smallest: values that rest on fewer rows are `insufficient`.
    """
    differs = (pair.variant != pair.baseline).astype(float)
    seeds = pair.variant.shape[1]
    pies = _is_pie(pair)
    rows = []
    for attribute, group, member in _groups(layout):
        n = int(member.sum())
        rows.append(_churn(differs[member], attribute, group, smallest))
        if seeds > 1 and n:
            share = pies[member].astype(float)
            low, high = wilson(share.sum(), n)
            rows.append(
                EMPTY
                | {"metric": "pie_rate", "attribute": attribute, "group": group, "value": float(share.mean())}
                | {"low": float(low), "high": float(high), "n": n, "denominator": n, "seeds": seeds}
                | {"status": "ok" if n >= smallest else "insufficient"}
            )
    return rows


def _churn(differs: Array, attribute: str | None, group: str | None, smallest: int) -> ComparisonRow:
    """Share of rows of a group whose prediction differs, from differs (n, K)."""
    n, seeds = differs.shape
    per_seed = differs.mean(axis=0) if n else np.full(seeds, np.nan)
    row_variance = crossed_uncertainty.of_rows(differs).row_variance if n else float("nan")
    row = change(
        per_seed,
        np.zeros(seeds),
        row_variance,
        n,
        metric="churn",
        attribute=attribute,
        group=group,
        n=n,
        smallest=smallest,
    )
    # disagreement is never below 0, so that it is compared with the noise floor and not tested against 0
    return row | {
        "low": None if row["low"] is None else max(row["low"], 0.0),
        "p_value": None,
        "sign_flip_p": None,
        "wilcoxon_p": None,
        "effect_size": None,
        "baseline_value": None,
        "relative": None,
        "test": None,
    }


def _is_pie(pair: Pair) -> Array:
    classes = int(max(pair.variant.max(), pair.baseline.max())) + 1
    modal = []
    for predictions in (pair.variant, pair.baseline):
        votes = np.stack([(predictions == c).sum(axis=1) for c in range(classes)], axis=1)
        modal.append(votes == votes.max(axis=1, keepdims=True))
    return ~(modal[0] & modal[1]).any(axis=1)


def row_values(pair: Pair, layout: Layout, smallest: int) -> list[ComparisonRow]:
    """Change of log loss (nats) and of margin of each group; none where scores are no probabilities.

    The margin is the label's probability minus the largest other probability.

    Args:
        pair: predictions and probabilities of both.
        layout: groups of the rows.
        smallest: values that rest on fewer rows are `insufficient`.
    """
    if pair.variant_scores is None or pair.baseline_scores is None:
        return []
    rows = []
    for metric, function in (("log_loss", log_loss), ("margin", _margin)):
        baseline = function(pair.baseline_scores, pair.labels)
        changes = function(pair.variant_scores, pair.labels) - baseline
        for attribute, group, member in _groups(layout):
            n = int(member.sum())
            if n:
                rows.append(
                    change(
                        changes[member].mean(axis=0),
                        baseline[member].mean(axis=0),
                        crossed_uncertainty.of_rows(changes[member]).row_variance,
                        n,
                        metric=metric,
                        attribute=attribute,
                        group=group,
                        n=n,
                        smallest=smallest,
                        unseen=0,
                    )
                )
    return rows


def log_loss(scores: Array, labels: Array) -> Array:
    """Log loss in nats of each row and seed (n, K); a probability of 0 counts as the smallest positive float32."""
    of_label = np.take_along_axis(scores, labels[:, None, None], axis=2)[:, :, 0].astype(float)
    return -np.log(np.maximum(of_label, np.finfo(np.float32).tiny))


def _margin(scores: Array, labels: Array) -> Array:
    places = labels[:, None, None]
    of_label = np.take_along_axis(scores, places, axis=2)[:, :, 0]
    others = scores.copy()
    np.put_along_axis(others, places, -np.inf, axis=2)
    return (of_label - others.max(axis=2)).astype(float)


def _groups(layout: Layout) -> Iterator[tuple[str | None, str | None, Array]]:
    members = layout.member[:, layout.strata] > 0
    for (attribute, group), member in zip(layout.names, members, strict=True):
        yield attribute, group, member


def harm(
    accuracy: Array, layout: Layout, enough: Array, gaps: dict[str, Array], row_changes: Array
) -> list[ComparisonRow]:
    """Excess harm, the change of the group that loses most, and levelling down, of each attribute.

    Excess harm is the range of the groups' mean changes. It counts only if two tests agree, as a change does: sign
    flips, whether retraining would show it on these rows, and a permutation of rows, whether other rows would. A
    variant levels down if the accuracy gap shrinks while every group loses.

    Args:
        accuracy: change of each group and seed (G, K).
        layout: groups of the rows.
        enough: groups with enough rows (G,).
        gaps: attribute -> change of the accuracy gap, one per seed (K,).
        row_changes: change of each row's hit, a mean over seeds (n,).
    """
    rows = []
    seeds = accuracy.shape[1]
    members = layout.member[:, layout.strata] > 0
    for attribute, groups in layout.attributes.items():
        kept = groups[enough[groups]]
        if len(kept) < 2:
            continue
        means = accuracy[kept].mean(axis=1)
        most, least = (layout.names[kept[position]][1] for position in (means.argmin(), means.argmax()))
        about = EMPTY | {"attribute": attribute, "seeds": seeds, "status": "ok"}
        inside = members[kept].any(axis=0)
        by_chance, p_value = significance.unequal_changes(
            row_changes[inside], members[kept][:, inside].argmax(axis=0), len(kept)
        )
        if seeds > 1:
            p_value = max(p_value, significance.range_flip(accuracy[kept].T))
        rows.append(
            about
            | {"metric": "excess_harm", "value": float(np.ptp(means)), "by_chance": by_chance, "p_value": p_value}
            | {"test": "permutation of rows and sign-flip of the range", "reason": f"from {most} to {least}"}
        )
        rows.append(about | {"metric": "worst_group_change", "group": most, "value": float(means.min())})
        down = bool(np.mean(gaps[attribute]) < 0 and (means < 0).all()) if attribute in gaps else False
        rows.append(about | {"metric": "levelling_down", "value": float(down)})
    return rows


def normalised_recall(variant: Array, baseline: Array, layout: Layout) -> list[ComparisonRow]:
    """Change of each class's recall relative to that of the accuracy, with Welch's test.

    Source: Hooker et al. 2019, section 3.

    Args:
        variant, baseline: accuracy of each group and seed (G, K), class groups under the attribute `class`.
        layout: groups of the rows.
    """
    rows = []
    for position in layout.attributes.get("class", []):
        recall, reference = variant[position] - variant[0], baseline[position] - baseline[0]
        if np.isfinite(recall).all() and np.isfinite(reference).all():
            p_value = significance.welch(recall, reference)
            rows.append(
                EMPTY
                | {"metric": "normalised_recall_difference", "attribute": "class", "group": layout.names[position][1]}
                | {"value": float(recall.mean() - reference.mean()), "p_value": p_value, "test": "Welch"}
                | {"seeds": len(recall), "status": "ok"}
            )
    return rows


@functools.cache
def reason_for_seeds(seeds: int, tests: int, error_rate: float, sides: int = 2) -> str | None:
    """Why tests over few seeds cannot be significant, and how many seeds they need; None where they can be."""
    if significance.smallest_p(seeds, sides) * tests <= error_rate:
        return None
    needed = significance.seeds_needed(error_rate, tests, sides)
    return (
        f"cannot reach significance with {seeds} seed{'' if seeds == 1 else 's'}: {tests} "
        f"{'one' if sides == 1 else 'two'}-sided test{'' if tests == 1 else 's'} at {error_rate:g} "
        f"need{'s' if tests == 1 else ''} {needed}"
    )
