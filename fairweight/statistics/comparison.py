"""Comparison of a variant with its baseline over seeds: changes of each group, paired by seed, on the same rows."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict, cast

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


class LabelScores(NamedTuple):
    """Probabilities of n rows by K models, reduced to what their losses and margins need."""

    label: Array  # (n, K) probability of the label
    margin: Array  # (n, K) the same minus the largest other probability

    @classmethod
    def from_probabilities(cls, probabilities: Array, labels: Array) -> "LabelScores":
        """Reduce probabilities of one model (n, classes) to (n,) each."""
        places = labels.astype(np.int64)[:, None]
        of_label = np.take_along_axis(probabilities, places, axis=1)[:, 0]
        others = probabilities.copy()
        np.put_along_axis(others, places, -np.inf, axis=1)
        return cls(of_label, of_label - others.max(axis=1))


@dataclass(frozen=True)
class Pair:
    """K models of a variant and K of its baseline on n rows, one pair per seed."""

    labels: Array  # int (n,)
    variant: Array  # int predictions (n, K)
    baseline: Array
    variant_scores: LabelScores | None
    baseline_scores: LabelScores | None


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
    differs = pair.variant != pair.baseline
    seeds = pair.variant.shape[1]
    by_row = crossed_uncertainty.row_means(differs)
    by_group = layout.member @ crossed_uncertainty.counted(layout.strata, differs, layout.number).marked[:, 0]
    pies = _is_pie(pair) if seeds > 1 else None
    rows = []
    for (attribute, group, member), counts in zip(_groups(layout), by_group, strict=True):
        n = int(member.sum())
        rows.append(_churn(counts, by_row[member], attribute, group, smallest))
        if pies is not None and n:
            hits = int(pies[member].sum())
            low, high = wilson(float(hits), n)
            rows.append(
                EMPTY
                | {"metric": "pie_rate", "attribute": attribute, "group": group, "value": hits / n}
                | {"low": float(low), "high": float(high), "n": n, "denominator": n, "seeds": seeds}
                | {"status": "ok" if n >= smallest else "insufficient"}
            )
    return rows


def _churn(counts: Array, by_row: Array, attribute: str | None, group: str | None, smallest: int) -> ComparisonRow:
    """Share of rows of a group whose prediction differs, from their number by seed (K,) and shares of seeds (n,)."""
    n, seeds = len(by_row), len(counts)
    row = change(
        counts / n if n else np.full(seeds, np.nan),
        np.zeros(seeds),
        _variance_of_mean(by_row) if n else float("nan"),
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


def _variance_of_mean(by_row: Array) -> float:
    """Variance over rows of the mean of values of rows (n,), each a mean over seeds."""
    return float(np.var(by_row, ddof=1) / len(by_row)) if len(by_row) > 1 else float("nan")


def _is_pie(pair: Pair) -> Array:
    classes = int(max(pair.variant.max(), pair.baseline.max())) + 1
    pies = np.empty(len(pair.labels), bool)
    for rows in crossed_uncertainty.blocks(len(pies)):
        modal = []
        for predictions in (pair.variant[rows], pair.baseline[rows]):
            votes = np.stack([(predictions == c).sum(axis=1) for c in range(classes)], axis=1)
            modal.append(votes == votes.max(axis=1, keepdims=True))
        pies[rows] = ~(modal[0] & modal[1]).any(axis=1)
    return pies


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
    for metric, function, ours, theirs in (
        ("log_loss", log_loss, pair.variant_scores.label, pair.baseline_scores.label),
        ("margin", _in_double_precision, pair.variant_scores.margin, pair.baseline_scores.margin),
    ):
        changes, baseline, by_row = _sums_by_group(function, ours, theirs, layout)
        for (attribute, group, member), change_sums, baseline_sums in zip(
            _groups(layout), changes, baseline, strict=True
        ):
            n = int(member.sum())
            if n:
                rows.append(
                    change(
                        change_sums / n,
                        baseline_sums / n,
                        _variance_of_mean(by_row[member]),
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


def _sums_by_group(
    function: Callable[[Array], Array], ours: Array, theirs: Array, layout: Layout
) -> tuple[Array, Array, Array]:
    """Sums over the rows of each group (G, K) of changes and of the baseline's values, and mean changes of rows (n,).

    The sums are those of NumPy over all rows at once, to the last bit: of several columns it adds row by row, of one
    it adds halves of halves.

    Args:
        function: makes a block of values from one of scores.
        ours, theirs: scores of the variant and of the baseline (n, K).
        layout: groups of the rows.
    """
    members = layout.member > 0
    changes, baseline = np.zeros((2, len(members), ours.shape[1]))
    by_row = np.empty(len(ours))
    several = ours.shape[1] > 1
    for rows in crossed_uncertainty.blocks(len(ours)) if several else [slice(0, len(ours))]:
        before = function(theirs[rows])
        moved = function(ours[rows]) - before
        by_row[rows] = moved.mean(axis=1)
        for group, strata in enumerate(members):
            member = strata[layout.strata[rows]]
            for sums, values in ((changes, moved[member]), (baseline, before[member])):
                sums[group] = (np.concatenate([sums[group, None], values]) if several else values).sum(axis=0)
    return changes, baseline, by_row


def log_loss(probabilities: Array) -> Array:
    """Log loss in nats from probabilities of labels; a probability of 0 counts as the smallest positive float32."""
    return -np.log(np.maximum(probabilities.astype(float), np.finfo(np.float32).tiny))


def _in_double_precision(values: Array) -> Array:
    return values.astype(float)


def _groups(layout: Layout) -> Iterator[tuple[str | None, str | None, Array]]:
    for (attribute, group), strata in zip(layout.names, layout.member > 0, strict=True):
        yield attribute, group, strata[layout.strata]


def harm(
    accuracy: Array, layout: Layout, enough: Array, gaps: dict[str, Array], hits_gained: Array
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
        hits_gained: seeds that predict a row right minus those whose baseline does, int (n,).
    """
    rows = []
    seeds = accuracy.shape[1]
    by_stratum, gained = _counts_by_stratum(layout, hits_gained)
    members = layout.member > 0
    for attribute, groups in layout.attributes.items():
        kept = groups[enough[groups]]
        if len(kept) < 2:
            continue
        means = accuracy[kept].mean(axis=1)
        most, least = (layout.names[kept[position]][1] for position in (means.argmin(), means.argmax()))
        about = EMPTY | {"attribute": attribute, "seeds": seeds, "status": "ok"}
        observed = np.stack([by_stratum[members[group]].sum(axis=0) for group in kept], axis=1)
        present = observed.any(axis=1)
        by_chance, p_value = significance.unequal_changes(gained[present] / seeds, observed[present].astype(float))
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


def _counts_by_stratum(layout: Layout, values: Array) -> tuple[Array, Array]:
    """Rows of each stratum with each of few integers: int (F, V), and the integers, ascending (V,)."""
    least = int(values.min(initial=0))
    number = int(values.max(initial=0)) - least + 1
    places = layout.strata.astype(np.int64) * number + values - least
    counts = np.bincount(places, minlength=layout.number * number).reshape(layout.number, number)
    return counts, np.arange(least, least + number)


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
