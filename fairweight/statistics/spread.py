"""Spread of measures over seeds, and changes against the baseline, paired by seed."""

import pandas as pd


def spread(measures: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Mean, standard deviation, smallest and largest value over the seeds of each combination of keys.

    Args:
        measures: tidy, with the keys, `seed` and `value`; rows without a value are not counted.
        keys: columns that distinguish combinations; they may hold nulls.

    Returns:
        keys, mean, sd (n - 1; null for one seed), min, max, n.
    """
    grouped = measures.groupby(keys, dropna=False, observed=True, sort=False)["value"]
    return grouped.agg(mean="mean", sd="std", min="min", max="max", n="count").reset_index()


def paired_changes(measures: pd.DataFrame, baselines: dict[str, str], keys: list[str]) -> pd.DataFrame:
    """Change of each variant against its baseline, seed by seed.

    Args:
        measures: tidy, with the keys (`variant` among them), `seed` and `value`.
        baselines: variant -> the variant that it is compared with.
        keys: columns that distinguish combinations.

    Returns:
        keys, baseline, seed, value (variant minus baseline); variants that are their own baseline are left out.
    """
    compared = measures[measures["variant"].map(lambda v: baselines[v] != v)].copy()
    compared["baseline"] = compared["variant"].map(baselines)
    others = [k for k in keys if k != "variant"]
    reference = measures.rename(columns={"variant": "baseline", "value": "baseline_value"})
    # pandas treats nulls among the keys as equal in a merge, as this needs
    joined = compared.merge(
        reference[[*others, "baseline", "seed", "baseline_value"]], on=[*others, "baseline", "seed"]
    )
    joined["value"] = joined["value"] - joined["baseline_value"]
    return joined[[*keys, "baseline", "seed", "value"]]
