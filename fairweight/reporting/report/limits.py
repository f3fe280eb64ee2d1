"""What cannot be concluded: gaps by chance, groups too small, questions left open, differences too small to be seen."""

from html import escape

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import as_stated, number, p_value
from fairweight.reporting.report.page import listing, plain, table
from fairweight.reporting.report.results import Results


def chance_gaps(results: Results, dataset: str) -> HTML | None:
    """Gaps between groups of the baselines beside what equal groups would show by chance."""
    test = results.assessments
    test = test[
        (test["dataset"] == dataset) & (test["part"] == "test") & test["class"].isna() & test["by_chance"].notna()
    ]
    test = test[test["attribute"].notna() & test["group"].isna()]
    baselines = set(results.comparisons["baseline"]) or set(test["variant"])
    test = test[test["variant"].isin(baselines) & (test["augmentation"] == "none")]
    if test.empty:
        return None
    seed = test["seed"].min()
    rows = [
        [_title(row["metric"]), row["attribute"], row["variant"], row["model"], f"{int(row['groups'])}", number(row["value"], 2, 100),
         number(row["by_chance"], 2, 100), p_value(row["p_value"]), plain(row["reason"])]
        for _, row in test[test["seed"] == seed].iterrows()
    ]  # fmt: skip
    caption = (
        f"{results.title(dataset)}, seed {int(seed)}: the largest difference between two groups of the baseline, what to expect "
        "by chance if all groups were equal (simulated with the groups' own sizes), and the p-value of that. A gap near its "
        "expectation is no finding."
    )
    header = ["Gap", "By", "Variant", "Model", "Groups", "Points", "By chance", "p", "Left out"]
    return table(header, rows, caption, text_columns=4)


def _title(metric: str) -> str:
    return metric.replace("_", " ")


def limits(results: Results) -> HTML:
    """What cannot be concluded from this study."""
    items: list[str] = []
    rate = results.study["criteria"]["error_rate"]
    few = results.assessments[
        (results.assessments["part"] == "test") & (results.assessments["status"] == "insufficient")
    ]
    few = few[few["attribute"].notna() & few["group"].notna() & few["class"].isna()]
    few = few[~few["attribute"].str.contains(" x ", regex=False)]
    smallest = results.study["fairness"]["smallest_group"]
    for dataset, of in few.groupby("dataset"):
        named = [
            f"{escape(str(g))} ({escape(str(a))}): {', '.join(sorted({_title(m) for m in part['metric']}))}"
            for (a, g), part in of.groupby(["attribute", "group"])
        ]
        items.append(
            f"{escape(results.title(dataset))}: of these groups fewer than {smallest} rows count, so that nothing is said of them, in gaps or as the worst: {'; '.join(named)}."
        )
    items += _left_out(results)
    notes = results.comparisons["seeds_note"].dropna() if len(results.comparisons) else pd.Series(dtype=object)
    if len(notes):
        why: dict[str, list[str]] = {}
        for note in dict.fromkeys(notes):
            fails, _, because = note.partition(": ")
            why.setdefault(fails, []).append(because)
        listed = "; ".join(f"{escape(fails)}: {escape('; '.join(because))}" for fails, because in why.items())
        items.append(f"A change of a single group that is alone among those tested with it {listed}.")
    open_ = results.decisions[results.decisions["verdict"] == "undecided"]
    keys = ["dataset", "model", "reason"]
    for (dataset, model, reason), of in results.ordered(open_).groupby(keys, sort=False) if len(open_) else []:
        whether = f"whether {escape(', '.join(of['variant']))} {'keeps' if len(of) == 1 else 'keep'} the criteria is undecided"
        items.append(
            f"{escape(results.title(dataset))}, {escape(model)}: {whether}: {escape(reason)}. This is no proof that {'it does' if len(of) == 1 else 'they do'} not."
        )
    if not results.noise_floors:
        items.append(
            "There is no noise floor: no variant is a replicate of its baseline (`replicate: 1`), so what retraining alone would change is unknown."
        )
    items += [
        f"A variant is called proven with at most {as_stated(rate, 100)} % chance of error for each dataset and model, not for all of them together; changes of single groups are exploratory, and a false discovery rate is not an error rate of one claim.",
        "The tests speak of people like those of the test rows. Whether the labels themselves are fair, or the people are those that the model will meet, no test here can say.",
        "A gap that is not shown is not shown to be absent; the power statement below says how large it may be.",
    ]
    return listing(items, most=30)


def _left_out(results: Results) -> list[str]:
    """What engines of the study cannot run, and why."""
    without: dict[tuple[str, str], list[str]] = {}
    for entry in results.provenance["left_out"]:
        without.setdefault((entry["engine"], entry["reason"]), []).append(entry["variant"])
    return [
        f"In {escape(engine)} nothing is measured of {escape(', '.join(variants))}: {escape(reason)}."
        for (engine, reason), variants in without.items()
    ]


def power(results: Results) -> HTML:
    """What could be detected, said before the run."""
    assumed = results.study["criteria"]["power"]
    rows = []
    for _, row in results.power.iterrows():
        margin = pd.notna(row["provable"])
        least = number(row["provable" if margin else "detectable"], 2, 100)
        if isinstance(row["reason"], str):
            least = row["reason"]
        group = "smallest ranked" if margin else row["group"] if isinstance(row["group"], str) else "all rows"
        rows.append(
            [
                results.title(row["dataset"]),
                plain(row["attribute"]),
                group,
                _title(row["rate"]),
                least,
                f"{int(row['rows']):,}",
            ]
        )
    caption = (
        f"The power statement: the smallest loss in points that a one-sided test finds with probability {assumed['probability']:g}, "
        f"with the seeds and test rows of this study, at the first step of Holm's correction. It assumes that {as_stated(assumed['churn'], 100)} % of rows are predicted otherwise and "
        f"that changes differ between seeds by {as_stated(assumed['seed_sd'], 100)} points (standard deviation); an estimate, made before the run. "
        "For the worst group and the fairness gap it is the smallest margin that can be proven, even if not one prediction changes: it depends on the rows of the smallest group that is ranked."
    )
    header = ["Dataset", "By", "Group", "Rate", "Detectable loss or provable margin, points", "Rows"]
    return table(header, rows, caption, text_columns=4)
