"""The quality that answers are about: accuracy of classes, or the mean loss of numbers in the unit of the label."""

import math
from dataclasses import dataclass

from fairweight.core.errors import InputError
from fairweight.core.labels import ABSOLUTE
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.reporting.report.results import Results

POINTS = ShownMeasure("change", "Change", "points", 2, "higher", scale=100.0)
LEVELS = {ABSOLUTE: "mean_absolute_error", "squared_error": "mean_squared_error"}  # loss -> its measure
SIGNIFICANT = 3  # digits after the first one of the standard deviation of the labels
OF_LOSSES = ("loss", "group_loss", "bias")  # criteria that are about losses of numbers


@dataclass(frozen=True)
class Quality:
    """What is compared, and how it is written.

    Attributes:
        metric: name in the table of comparisons.
        level: how a value is written; its key is the measure in the summary tables.
        change: how a change against the baseline is written.
        lower: whether lower is better.
    """

    metric: str
    level: ShownMeasure
    change: ShownMeasure
    lower: bool

    @property
    def numbers(self) -> bool:
        """Whether the label is a number."""
        return self.metric != "accuracy"

    @property
    def title(self) -> str:
        """Title of the level."""
        return self.level.title


ACCURACY = Quality("accuracy", measure("accuracy"), POINTS, lower=False)


def quality_of(results: Results, dataset: str) -> Quality:
    """The quality of the models of a dataset."""
    numbers = results.card(dataset).get("numbers")
    if numbers is None:
        return ACCURACY
    loss = str(results.study["criteria"].get("loss", ABSOLUTE))
    squared = loss != ABSOLUTE
    unit = f"{numbers['unit']}\N{SUPERSCRIPT TWO}" if squared and numbers["unit"] else str(numbers["unit"])
    digits = digits_of(numbers["sd"] ** 2 if squared else numbers["sd"])
    record = measure(LEVELS[loss])
    return Quality(
        loss,
        ShownMeasure(record.key, record.title, unit, digits, "lower"),
        ShownMeasure("change", "Change", unit, digits + 1, "lower"),
        lower=True,
    )


def in_unit(results: Results, dataset: str, key: str) -> ShownMeasure:
    """How a measure of numbers is written: in the unit of the label, unless it has a unit of its own."""
    record, numbers = measure(key), results.card(dataset)["numbers"]
    if record.stored_unit != "label":
        return record
    digits = digits_of(numbers["sd"])
    return ShownMeasure(key, record.title, str(numbers["unit"]), digits, record.better, stored_unit="label")


def digits_of(spread: float) -> int:
    """Decimals of a number by the standard deviation of such numbers."""
    return min(max(SIGNIFICANT - math.floor(math.log10(spread)), 0), 8) if spread > 0 else SIGNIFICANT


def refuse_numbers(results: Results, target: str) -> None:
    """Refuse what is not written yet about labels that are numbers.

    Raises:
        InputError: the study has such labels.
    """
    if named := [dataset for dataset in results.datasets if "numbers" in results.card(dataset)]:
        raise InputError(
            f"{target}: it is written for labels that are classes, and those of dataset {named[0]!r} are numbers; the "
            "report and the tables in its folder hold the results."
        )
