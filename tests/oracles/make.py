"""Write reference.json: group metrics computed by AIF360 and Aequitas, which need an environment of their own.

python -m venv oracles && oracles/bin/pip install aif360==0.6.1 aequitas==1.1.0
oracles/bin/python tests/oracles/make.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from aequitas.group import Group
from aif360.datasets import BinaryLabelDataset
from aif360.metrics import ClassificationMetric

AIF360 = {
    "demographic_parity_difference": "statistical_parity_difference",
    "demographic_parity_ratio": "disparate_impact",
    "equal_opportunity_difference": "equal_opportunity_difference",
    "false_positive_rate_difference": "false_positive_rate_difference",
    "equalized_odds_difference": "equalized_odds_difference",
    "equalized_odds_difference_mean": "average_abs_odds_difference",
}
AEQUITAS = {
    "true_positive_rate": "tpr",
    "false_positive_rate": "fpr",
    "false_negative_rate": "fnr",
    "true_negative_rate": "tnr",
    "positive_predictive_value": "precision",
    "negative_predictive_value": "npv",
    "base_rate": "prev",
    "selection_rate": "pprev",
}


def rows(seed: int) -> pd.DataFrame:
    """Random labels and predictions of two groups of unequal size; with seed 0 one group has no positives."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 400))
    group = (rng.random(n) < rng.uniform(0.1, 0.5)).astype(int)
    label = (rng.random(n) < np.where(group == 1, 0.3, 0.5)).astype(int)
    if seed == 0:
        label[group == 1] = 0
    prediction = np.where(rng.random(n) < 0.75, label, 1 - label)
    return pd.DataFrame({"group": group, "label": label, "prediction": prediction})


def by_aif360(frame: pd.DataFrame) -> dict[str, float]:
    """Differences of group 1 from group 0."""
    data = BinaryLabelDataset(df=frame[["group", "label"]], label_names=["label"], protected_attribute_names=["group"])
    predicted = data.copy()
    predicted.labels = frame[["prediction"]].to_numpy(float)
    metric = ClassificationMetric(data, predicted, unprivileged_groups=[{"group": 1}], privileged_groups=[{"group": 0}])
    return {ours: float(getattr(metric, theirs)()) for ours, theirs in AIF360.items()}


def by_aequitas(frame: pd.DataFrame) -> dict[str, list[float | None]]:
    """Rates of group 0 and 1."""
    table = frame.rename(columns={"label": "label_value", "prediction": "score"}).assign(
        group=frame["group"].astype(str)
    )
    rates, _ = Group().get_crosstabs(table, attr_cols=["group"])
    rates = rates.sort_values("attribute_value")
    return {ours: [None if pd.isna(v) else float(v) for v in rates[theirs]] for ours, theirs in AEQUITAS.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    made = []
    for seed in range(12):
        frame = rows(seed)
        entry = {name: frame[name].tolist() for name in frame} | {"aequitas": by_aequitas(frame)}
        made.append(
            entry | ({"aif360": by_aif360(frame)} if seed else {})
        )  # AIF360 divides by the number of positives, which is 0
    Path(__file__).with_name("reference.json").write_text(json.dumps(made) + "\n")
