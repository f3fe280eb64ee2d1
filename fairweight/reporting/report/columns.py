"""Measures as the report shows them: headings of columns and axes, values with bounds, and p-values in a sentence."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairweight.core.formatting import TWO_LINES, Writer, p_value, with_interval
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.reporting.report.results import Results

INTERVAL = "95\N{NO-BREAK SPACE}% interval"
POINTS = Writer(
    interval=f"{{value}} points ({INTERVAL} {{low}} to {{high}})"
)  # a change with its interval, in a sentence


@dataclass(frozen=True)
class Column:
    """A measure as a table column or an axis shows it.

    Attributes:
        key: key of the measure.
        attribute: attribute whose groups are compared, for a measure of groups.
        batch_size: rows of a batch, for a measure that depends on it.
    """

    key: str
    attribute: str | None = None
    batch_size: int | None = None

    @property
    def record(self) -> ShownMeasure:
        """The record of the measure."""
        return measure(self.key)

    @property
    def title(self) -> str:
        """The title of the measure with attribute and batch size, without unit."""
        by = f" by {self.attribute}" if self.attribute else ""
        batch = f", batch {self.batch_size}" if self.batch_size else ""
        return f"{self.record.title}{by}{batch}"

    @property
    def heading(self) -> str:
        """Title with unit; what the energy model derives is marked."""
        unit = f", {self.record.unit}" if self.record.unit else ""
        return f"{self.title}{unit}{' (modelled)' if self.record.modelled else ''}"

    def rows(self, results: Results) -> pd.DataFrame:
        """The rows of the variants' table that the column shows."""
        return results.measured(self.key, self.attribute, self.batch_size)


def in_sentence(title: str) -> str:
    """A title inside a sentence: its first letter is small, unless it begins an abbreviation."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def change_heading(record: ShownMeasure) -> str:
    """Heading of the change of a measure; the change of a percentage is in percentage points."""
    unit = "points" if record.unit == "%" else record.unit
    return f"Change in {in_sentence(record.title)}{f', {unit}' if unit else ''}"


def metric_title(metric: str) -> str:
    """Title of a metric of groups, which may have no record: "False positive rate gap"."""
    return measure(metric).title.replace(" difference", " gap")


def energy_cell(row: Any, digits: int = 1, scale: float = 1.0) -> str:
    """Central energy of a row with the bounds of the energy model below it.

    Args:
        row: has energy_j_low, energy_j_central and energy_j_high, in J.
        digits: decimals.
        scale: factor from J to the unit that is shown.
    """
    central, low, high = (row[f"energy_j_{bound}"] for bound in ("central", "low", "high"))
    return with_interval(central, low, high, digits, scale, writer=TWO_LINES)


def p_equals(value: float, symbol: str = "p") -> str:
    """A p-value in a sentence: "p = 0.023" or "p below 0.001"."""
    text = p_value(value)
    return f"{symbol} {text}" if text.startswith("below") else f"{symbol} = {text}"
