"""What cannot be concluded: gaps by chance, groups too small, questions left open, differences too small to detect."""

from html import escape

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import as_stated, count, p_value
from fairweight.core.lineage import FAMILY
from fairweight.core.shown_measures import measure
from fairweight.evaluation.testable_rates import points
from fairweight.reporting import guards
from fairweight.reporting.report.columns import in_sentence, metric_title
from fairweight.reporting.report.life_cycle import disturbed_rounds
from fairweight.reporting.report.page import listing, plain, table
from fairweight.reporting.report.results import Results

RATE = measure("accuracy")  # gaps, margins and losses are shown as differences of rates, in percentage points


def chance_gaps(results: Results, dataset: str) -> HTML | None:
    """Table of the gaps between groups of the baselines, beside those expected by chance; None where there are none."""
    test = results.assessments
    test = test[
        (test["dataset"] == dataset) & (test["part"] == "test") & test["class"].isna() & test["by_chance"].notna()
    ]
    test = test[test["attribute"].notna() & test["group"].isna()]
    baselines = set(results.comparisons["baseline"]) or set(test["variant"])
    test = results.plain(test[test["variant"].isin(baselines)])
    if test.empty:
        return None
    seed = test["seed"].min()
    rows = [
        [
            metric_title(row["metric"]),
            row["attribute"],
            row["variant"],
            row["model"],
            plain(row["reason"]).removeprefix("without "),
            f"{int(row['groups'])}",
            RATE.text(row["value"]),
            RATE.text(row["by_chance"]),
            p_value(row["p_value"]),
        ]
        for _, row in test[test["seed"] == seed].iterrows()
    ]
    notes = (
        "A gap is the largest difference between two groups, in percentage points. Expected by chance is the mean "
        "gap if all groups were equal, simulated with the sizes of the groups; p is the probability of a gap at "
        "least as large. A gap close to the expected one is no evidence of a difference between groups."
    )
    header = ["Gap", "By", "Variant", "Model", "Left out", "Groups", "Points", "Expected by chance, points", "p"]
    caption = f"{results.title(dataset)}, seed {int(seed)}: gaps between groups of the baseline."
    return table(header, rows, caption, notes=notes, text_columns=5)


def limits(results: Results) -> HTML:
    """A list of what cannot be concluded from this study."""
    items = [
        *_guards(results),
        *_small_groups(results),
        *_classes_in_groups(results),
        *_left_out(results),
        *_too_few_seeds(results),
        *_undecided(results),
    ]
    seeds = set(results.decisions["seeds"].dropna())
    if seeds - {1}:
        items.append(
            "Proven is said of the recipe: of the mean over the seeds that it would give on other rows. The file that "
            "ships is one of them, with a verdict of its own beside it, which is about its test rows alone. Where all "
            "seeds change the same few rows and the sample happens to show none of them, a loss at the margin can be "
            "called proven more often than the error rate says, in groups of about 100 rows."
        )
    if 1 in seeds:
        items.append(
            "With one seed, proven is said of this model on other rows, and not of another training run of the recipe."
        )
    items += _disturbances(results)
    if not results.noise_floors:
        items.append(
            "There is no noise floor: no variant is a replicate of its baseline (<code>replicate: 1</code>), so that "
            "the effect of retraining alone is unknown."
        )
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    items += [
        f"The chance of wrongly calling a variant proven is at most {rate} % for each dataset, model and augmentation, "
        "not for all of them together. Changes of single groups are exploratory: a false discovery rate is not the "
        "error rate of a single claim.",
        "The tests are valid for people like those in the test rows. They cannot show whether the labels themselves "
        "are fair, or whether these are the people that the model will meet.",
        "A gap that is not shown may still exist; the power statement below shows how large it may be.",
    ]
    return listing(items)


def _guards(results: Results) -> list[str]:
    """Models that learned nothing, diverged or are no compression, one item per dataset, model and augmentation."""
    return [
        f"{escape(results.title(first['dataset']))}, {escape(first['model'])}: {escape('; '.join(reasons))}."
        for first in results.decisions[FAMILY].drop_duplicates().to_dict("records")
        if (reasons := guards.of_family(results, first))
    ]


def _small_groups(results: Results) -> list[str]:
    """Groups with too few rows to be ranked."""
    few = results.assessments[
        (results.assessments["part"] == "test") & (results.assessments["status"] == "insufficient")
    ]
    few = few[few["attribute"].notna() & few["group"].notna() & few["class"].isna()]
    few = few[~few["attribute"].str.contains(" x ", regex=False)]
    smallest = count(results.study["fairness"]["smallest_group"], "row")
    items = []
    for dataset, part in few.groupby("dataset"):
        names = "; ".join(
            f"{escape(str(group))} ({escape(str(attribute))}): {_titles(rows['metric'])}"
            for (attribute, group), rows in part.groupby(["attribute", "group"])
        )
        items.append(
            f"{escape(results.title(dataset))}: these rates rest on fewer than {smallest} of a group, and are left "
            f"out of gaps and of the worst group. {names}."
        )
    return items


def _classes_in_groups(results: Results) -> list[str]:
    """Datasets with more than two classes, of which single classes may lose within a group."""
    wanted = results.study["criteria"]["attributes"]
    items = []
    for card in results.cards:
        attributes = [name for name in card["groups"] if wanted is None or name in wanted]
        if attributes and len(card["classes"]) > 2 and card["dataset"] in set(results.decisions["dataset"]):
            items.append(
                f"{escape(results.title(card['dataset']))}: what single classes lose within a group of "
                f"{escape(', '.join(attributes))} has no criterion. With {len(card['classes']):,} classes, the "
                "accuracy of each group is tested; the table of assessments has the rates of each class and group."
            )
    return items


def _disturbances(results: Results) -> list[str]:
    """Datasets whose profile was disturbed by other processes."""
    sentences = {dataset: disturbed_rounds(results, dataset) for dataset in results.datasets}
    return [f"{escape(results.title(name))}: {escape(text)}" for name, text in sentences.items() if text]


def _titles(metrics: pd.Series) -> str:
    return ", ".join(sorted({in_sentence(metric_title(metric)) for metric in metrics}))


def _left_out(results: Results) -> list[str]:
    """Variants that an engine of the study cannot run, and why."""
    variants: dict[tuple[str, str], list[str]] = {}
    for entry in results.provenance["left_out"]:
        variants.setdefault((entry["engine"], entry["reason"]), []).append(entry["variant"])
    return [
        f"Not measured in the engine {escape(engine)}: {escape(', '.join(names))}. Reason: {escape(reason)}."
        for (engine, reason), names in variants.items()
    ]


def _too_few_seeds(results: Results) -> list[str]:
    """Why the seeds do not suffice for a claim on a single group."""
    notes = results.comparisons["seeds_note"].dropna() if len(results.comparisons) else pd.Series(dtype=object)
    reasons: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        conclusion, _, because = note.partition(": ")
        reasons.setdefault(conclusion, []).append(because)
    listed = "; ".join(f"{escape(text)}: {escape('; '.join(because))}" for text, because in reasons.items())
    return [f"If only one of the groups that are tested together changes, its change {listed}."] if reasons else []


def _undecided(results: Results) -> list[str]:
    """Variants of which it is undecided whether they keep the criteria."""
    undecided = results.decisions[results.decisions["verdict"] == "undecided"]
    if undecided.empty:
        return []
    items = []
    several = results.decisions["augmentation"].nunique() > 1
    for (dataset, model, reason), part in results.ordered(undecided).groupby(
        ["dataset", "model", "reason"], sort=False
    ):
        keep, do = ("keeps", "it does") if len(part) == 1 else ("keep", "they do")
        place = f"{results.title(dataset)}, {model}"
        if several:
            place += f", augmentation {', '.join(dict.fromkeys(part['augmentation']))}"
        items.append(
            f"{escape(place)}: it is undecided whether {escape(', '.join(dict.fromkeys(part['variant'])))} {keep} the "
            f"criteria: {escape(reason)}. This does not prove that {do} not."
        )
    return items


def _criterion(row: pd.Series) -> str:
    """A criterion with the rate that it limits, in words."""
    name, rate = (str(row[key]).replace("_", " ") for key in ("criterion", "rate"))
    return name.capitalize() if rate in name else f"{name.capitalize()}: {rate}"


def power(results: Results) -> HTML:
    """Table of the differences that the study could detect, computed before the run."""
    rows = []
    for _, row in results.power.iterrows():
        margin = isinstance(row["criterion"], str)
        group = "smallest tested group" if margin else row["group"] if isinstance(row["group"], str) else "all rows"
        least = row["provable" if margin else "detectable"]
        rows.append(
            [
                results.title(row["dataset"]),
                plain(row["attribute"]),
                group,
                _criterion(row) if margin else metric_title(row["rate"]),
                row["reason"] if isinstance(row["reason"], str) else points(least),
                f"{int(row['rows']):,}",
            ]
        )
    assumed = results.study["criteria"]["power"]
    notes = (
        "The detectable loss is the smallest that a one-sided test detects with probability "
        f"{assumed['probability']:g}, with the seeds and test rows of this study, at the first step of Holm's "
        "correction. For each criterion with a margin, the table shows the smallest margin that can be proven if not "
        "one prediction changes; it depends on the rows of the smallest tested group. Both are "
        f"estimates made before the run. They assume that {as_stated(assumed['churn'], 100)} % of the predictions "
        f"differ from the baseline's, and that changes vary between seeds by {as_stated(assumed['seed_sd'], 100)} "
        "points (standard deviation)."
    )
    header = ["Dataset", "By", "Group", "Rate", "Detectable loss or provable margin, points", "Rows"]
    return table(header, rows, "Power: the smallest differences this study could show.", notes=notes, text_columns=4)
