"""A variant against its baseline over seeds: what changes for whom, paired by seed, on the same rows."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairweight.statistics import crossed, significance
from fairweight.statistics.intervals import wilson
from fairweight.statistics.rates import Layout

Array = np.ndarray[Any, Any]
Row = dict[str, Any]

# columns of a comparison and their Arrow types
SCHEMA = {
    "metric": "string",
    "attribute": "string",
    "group": "string",
    "value": "double",  # mean over seeds of variant minus baseline, or a rate of disagreement between the two
    "low": "double",  # interval at 95 %, crossed: seeds and rows
    "high": "double",
    "bootstrap_low": "double",  # percentiles of the crossed bootstrap
    "bootstrap_high": "double",
    "baseline_value": "double",
    "relative": "double",  # value over baseline value
    "normalised": "double",  # value minus that of all rows
    "seed_error": "double",  # standard error from seeds, and from rows
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
UNDEFINED = Row(dict.fromkeys(SCHEMA))


@dataclass(frozen=True)
class Pair:
    """K models of a variant and K of its baseline on n rows, one pair a seed."""

    labels: Array  # int (n,)
    variant: Array  # int predictions (n, K)
    baseline: Array
    variant_scores: Array | None  # probabilities (n, K, classes)
    baseline_scores: Array | None


def change(per_seed: Array, baseline: Array, row_variance: float, rows: int, **about: Any) -> Row:
    """A row for a change with its crossed interval, and the sign-flip and Wilcoxon tests over seeds.

    Args:
        per_seed: variant minus baseline (K,).
        baseline: the baseline's values (K,).
        row_variance: variance of the mean change over test rows.
        rows: rows that the value rests on.
        about: further columns; `smallest` and `n` among them.
    """
    smallest = about.pop("smallest", 1)
    if not np.isfinite(per_seed).all():
        return UNDEFINED | about | {"denominator": rows, "status": "undefined", "reason": "no such rows", "seeds": len(per_seed)}  # fmt: skip
    # rows that happen not to differ are no proof that none does: one more could have (after Agresti & Min 2005)
    found = crossed.estimate(per_seed, row_variance + about.pop("unseen", 1) / (rows + 2) ** 2, rows)
    low, high = found.interval()
    reference = float(np.mean(baseline))
    return (
        UNDEFINED
        | {
            "value": found.value,
            "low": low,
            "high": high,
            "baseline_value": reference,
            "relative": found.value / reference if reference else None,
            "seed_error": float(np.sqrt(found.seed_variance)),
            "row_error": float(np.sqrt(found.row_variance)),
            "denominator": rows,
            "seeds": len(per_seed),
            "status": "ok" if rows >= smallest else "insufficient",
            "reason": None if rows >= smallest else f"fewer than {smallest} rows",
        }
        | _tests(per_seed, found)
        | about
    )


def _tests(per_seed: Array, found: crossed.Estimate) -> Row:
    """Columns of the tests that nothing changes; with one seed there are none.

    Sign flips ask whether retraining would show the change on these rows, the crossed test whether other rows would, by
    an approximation; a change counts if both say so.
    """
    if len(per_seed) < 2:
        return {"test": "none: one seed"}
    flipped = significance.sign_flip(per_seed)
    return {
        "p_value": max(flipped, min(1.0, 2 * min(found.p_above(0), found.p_below(0)))),
        "sign_flip_p": flipped,
        "wilcoxon_p": significance.wilcoxon(per_seed),
        "effect_size": significance.effect_size(per_seed),
        "test": "sign-flip and crossed",
    }


def disagreement(pair: Pair, layout: Layout, smallest: int) -> list[Row]:
    """Churn (Milani Fard et al. 2016) and the rate of PIEs (Hooker et al. 2019) of each group.

    A row is a PIE, identified by the compression, if the modal label of the variant's models is another than that of
    the baseline's.  Where labels tie, each of them is modal, and the row is a PIE only if no label is modal in both.
    """
    differs = (pair.variant != pair.baseline).astype(float)
    seeds = pair.variant.shape[1]
    pies = _is_pie(pair)
    rows = []
    for attribute, group, member in _groups(layout):
        n = int(member.sum())
        about = {"attribute": attribute, "group": group, "n": n, "smallest": smallest}
        per_seed = differs[member].mean(axis=0) if n else np.full(seeds, np.nan)
        row_variance = crossed.of_rows(differs[member]).row_variance if n else float("nan")
        churn = change(per_seed, np.zeros(seeds), row_variance, n, metric="churn", **about) | _no_test()
        rows.append(churn | {"low": None if churn["low"] is None else max(churn["low"], 0.0)})
        if seeds > 1 and n:
            share = pies[member].astype(float)
            low, high = wilson(share.sum(), n)
            rows.append(
                UNDEFINED
                | {"metric": "pie_rate", "attribute": attribute, "group": group, "value": float(share.mean())}
                | {"low": float(low), "high": float(high), "n": n, "denominator": n, "seeds": seeds}
                | {"status": "ok" if n >= smallest else "insufficient"}
            )
    return rows


def _no_test() -> Row:
    # disagreement is never below 0: it is held against the noise floor, not against 0
    return {"p_value": None, "sign_flip_p": None, "wilcoxon_p": None, "effect_size": None, "baseline_value": None, "relative": None, "test": None}  # fmt: skip


def _is_pie(pair: Pair) -> Array:
    classes = int(max(pair.variant.max(), pair.baseline.max())) + 1
    modal = []
    for predictions in (pair.variant, pair.baseline):
        votes = np.stack([(predictions == c).sum(axis=1) for c in range(classes)], axis=1)
        modal.append(votes == votes.max(axis=1, keepdims=True))
    return ~(modal[0] & modal[1]).any(axis=1)


def row_values(pair: Pair, layout: Layout, smallest: int) -> list[Row]:
    """Change of log loss (nats) and of margin of each group: the margin is the label's probability minus the largest other."""
    if pair.variant_scores is None or pair.baseline_scores is None:
        return []
    rows = []
    for metric, function in (("log_loss", log_loss), ("margin", _margin)):
        baseline = function(pair.baseline_scores, pair.labels)
        changes = function(pair.variant_scores, pair.labels) - baseline
        for attribute, group, member in _groups(layout):
            n = int(member.sum())
            if n:
                found = crossed.of_rows(changes[member])
                per_seed, of_baseline = changes[member].mean(axis=0), baseline[member].mean(axis=0)
                about = {"metric": metric, "attribute": attribute, "group": group, "n": n, "smallest": smallest}
                rows.append(change(per_seed, of_baseline, found.row_variance, n, unseen=0, **about))
    return rows


def log_loss(scores: Array, labels: Array) -> Array:
    """Log loss in nats of each row and seed (n, K); a probability of 0 counts as the smallest positive float32."""
    of_label = np.take_along_axis(scores, labels[:, None, None], axis=2)[:, :, 0].astype(float)
    return -np.log(np.maximum(of_label, np.finfo(np.float32).tiny))


def _margin(scores: Array, labels: Array) -> Array:
    here = labels[:, None, None]
    of_label = np.take_along_axis(scores, here, axis=2)[:, :, 0]
    others = scores.copy()
    np.put_along_axis(others, here, -np.inf, axis=2)
    return (of_label - others.max(axis=2)).astype(float)


def _groups(layout: Layout) -> list[tuple[str | None, str | None, Array]]:
    members = layout.member[:, layout.cells] > 0
    return [(*name, member) for name, member in zip(layout.names, members, strict=True)]


def harm(accuracy: Array, layout: Layout, enough: Array, gaps: dict[str, Array]) -> list[Row]:
    """For each attribute: excess harm, the group that loses most, and whether a smaller gap is levelling down.

    Args:
        accuracy: change of each group and seed (G, K).
        enough: groups with enough rows (G,).
        gaps: attribute -> change of the accuracy gap, one a seed (K,).
    """
    rows = []
    seeds = accuracy.shape[1]
    for attribute, groups in layout.attributes.items():
        kept = groups[enough[groups]]
        if len(kept) < 2:
            continue
        means = accuracy[kept].mean(axis=1)
        most, least = kept[means.argmin()], kept[means.argmax()]
        about = {"attribute": attribute, "seeds": seeds, "status": "ok", "n": None, "denominator": None}
        by_chance, p_value = significance.range_flip(accuracy[kept].T) if seeds > 1 else (None, None)
        rows.append(
            UNDEFINED | about
            | {"metric": "excess_harm", "value": float(np.ptp(means)), "by_chance": by_chance, "p_value": p_value}
            | {"test": "sign-flip of the range", "reason": f"from {layout.names[most][1]} to {layout.names[least][1]}"}
        )  # fmt: skip
        rows.append(
            UNDEFINED | about
            | {"metric": "worst_group_change", "group": layout.names[most][1], "value": float(means.min())}
        )  # fmt: skip
        down = bool(np.mean(gaps[attribute]) < 0 and (means < 0).all()) if attribute in gaps else False
        rows.append(UNDEFINED | about | {"metric": "levelling_down", "value": float(down)})
    return rows


def normalised_recall(variant: Array, baseline: Array, layout: Layout) -> list[Row]:
    """Change of each class's recall relative to that of the accuracy, with Welch's test (Hooker et al. 2019, section 3).

    Args:
        variant, baseline: accuracy of each group and seed (G, K), class groups under the attribute `class`.
    """
    rows = []
    for position in layout.attributes.get("class", []):
        one, two = variant[position] - variant[0], baseline[position] - baseline[0]
        if np.isfinite(one).all() and np.isfinite(two).all():
            rows.append(
                UNDEFINED
                | {"metric": "normalised_recall_difference", "attribute": "class", "group": layout.names[position][1]}
                | {"value": float(one.mean() - two.mean()), "p_value": significance.welch(one, two), "test": "Welch"}
                | {"seeds": len(one), "status": "ok"}
            )
    return rows


@functools.cache
def reason_for_seeds(seeds: int, tests: int, error_rate: float, sides: int = 2) -> str | None:
    """Why tests over so few seeds cannot be significant, and how many seeds they need; None where they can."""
    if significance.smallest_p(seeds, sides) * tests <= error_rate:
        return None
    needed = significance.seeds_needed(error_rate, tests, sides)
    return (
        f"cannot reach significance with {seeds} seed{'' if seeds == 1 else 's'}: "
        f"{tests} test{'' if tests == 1 else 's'} at {error_rate:g} need{'s' if tests == 1 else ''} {needed}"
    )
