"""Measures with their values as text: the records of `core.measures` for report, papers and cards."""

from dataclasses import asdict, dataclass
from typing import Any

from fairweight.core import formatting, measures
from fairweight.core.formatting import NOT_ESTIMABLE, TEXT, Writer


@dataclass(frozen=True)
class ShownMeasure(measures.Measure):
    """A measure that writes its values."""

    def text(self, value: Any, *, signed: bool = False, writer: Writer = TEXT) -> str:
        """A stored value as text, without its unit."""
        return writer.escape(formatting.number(value, self.digits, self.scale, signed))

    def with_spread(self, mean: Any, sd: Any, *, signed: bool = False, writer: Writer = TEXT) -> str:
        """Mean ± standard deviation over seeds, without the unit."""
        return formatting.with_spread(mean, sd, self.digits, self.scale, signed, writer=writer)

    def with_interval(self, value: Any, low: Any, high: Any, *, signed: bool = False, writer: Writer = TEXT) -> str:
        """A stored value with its interval, without the unit."""
        return formatting.with_interval(value, low, high, self.digits, self.scale, signed, writer=writer)

    def with_unit(self, value: Any, *, signed: bool = False) -> str:
        """A stored value with its unit: "12.3 kB"."""
        text = self.text(value, signed=signed)
        return text if text == NOT_ESTIMABLE or not self.unit else f"{text} {self.unit}"


RECORDS = tuple(ShownMeasure(**asdict(record)) for record in measures.RECORDS)
MEASURES = {record.key: record for record in RECORDS}
LANGUAGE_FILE_SIZE = ShownMeasure(**asdict(measures.LANGUAGE_FILE_SIZE))


def measure(key: str) -> ShownMeasure:
    """Record of a measure; see `measures.measure`."""
    return MEASURES.get(key) or ShownMeasure(**asdict(measures.measure(key)))
