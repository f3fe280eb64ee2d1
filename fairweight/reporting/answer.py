"""One answer of a study as plain data: what to ship, the verdict matrix, and what stands beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairweight.core.formatting import missing
from fairweight.core.shown_measures import ShownMeasure
from fairweight.reporting.goals import is_baseline
from fairweight.reporting.quality import Quality
from fairweight.statistics.decision import PROVEN, REFUTED, UNDECIDED

SYMBOLS: dict[str, str] = {PROVEN: "\N{CHECK MARK}", REFUTED: "\N{BALLOT X}", UNDECIDED: "?"}
WARNING, NOT_MEASURED, ALONE = "warning", "not measured", "alone"
NO_SAVING = "no saving"  # variants are proven, and the baseline ships
MOST_ROWS = 12  # rows of a matrix that are shown at once
TAGS = {
    "transfer_bytes": "smallest",
    "latency": "fastest",
    "energy_per_prediction": "least energy per prediction",
    "life_cycle_energy": "least energy over its life",
}
RISES = ("false_positive_rate",)  # rates that may not rise; the others may not fall


@dataclass(frozen=True)
class Change:
    """A change against the baseline, or another value, with its interval, in the unit of its column."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def read(cls, row: Mapping[str, Any], scale: float) -> "Change":
        """Value and bounds of a row of a summary table."""
        return cls(*(None if missing(row[key]) else float(row[key]) * scale for key in ("value", "low", "high")))


@dataclass(frozen=True)
class Test:
    """The weakest evidence on one criterion of one variant.

    Attributes:
        verdict: of this criterion alone, before the correction for several variants.
        change: what was observed.
        bound: what must not be crossed; None where there is no number.
        above: whether values above the bound violate the criterion.
        about: rate, group and attribute, in words.
        further: tests of this criterion with the same verdict that are not shown, unless it is proven.
        p_proven: of the null hypothesis that the criterion is violated, not corrected.
        alone: whether it is proven before, but not after the correction for the variants of the family.
    """

    verdict: str
    change: Change
    bound: float | None
    above: bool
    about: str
    further: int
    reason: str | None
    p_proven: float
    alone: bool = False

    @property
    def symbol(self) -> str:
        """The verdict as a symbol; in parentheses where it does not hold after the correction."""
        return f"({SYMBOLS[self.verdict]})" if self.alone else SYMBOLS[self.verdict]

    @property
    def kind(self) -> str:
        """The verdict in a word: "alone" where it does not hold after the correction."""
        return ALONE if self.alone else self.verdict


@dataclass(frozen=True)
class Criterion:
    """A column of the matrix.

    Attributes:
        key: as in the study file.
        title, short: its names for page and terminal.
        limit: what it allows, in words.
        shown: how its values are written.
        signed: whether its values are changes.
        low, high: ends of the scale that all its cells share.
    """

    key: str
    title: str
    short: str
    limit: str
    shown: ShownMeasure
    signed: bool
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """A cost that all variants have: how it is written, and its largest value, in the unit that is shown."""

    goal: str
    title: str
    shown: ShownMeasure
    most: float


@dataclass
class Row:
    """One variant of the matrix.

    Attributes:
        name: with augmentation and engine where they differ.
        cell: values of CELL.
        verdict: None of a baseline, or where it is not tested.
        ships: whether it is recommended.
        reason: why it is not proven, without what guards say.
        guard: the guard that blocks it, in short.
        tests: criterion -> weakest evidence.
        costs: goal -> value in the unit that is shown.
        accuracy: mean over seeds, a share; of numbers the mean loss (see `quality`).
        change: of the accuracy in points, or of the loss in its unit.
        loses_most: group, attribute and change of its accuracy or loss.
        tags: what it is best in, among the proven variants and the baseline.
    """

    name: str
    cell: dict[str, Any]
    baseline: bool
    verdict: str | None
    ships: bool
    reason: str | None
    guard: str | None = None
    tests: dict[str, Test] = field(default_factory=dict)
    costs: dict[str, float | None] = field(default_factory=dict)
    accuracy: float | None = None
    change: Change | None = None
    loses_most: tuple[str, str, Change] | None = None
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What to ship of one dataset, model, augmentation and baseline.

    Attributes:
        place: dataset, model, and augmentation and engine where they differ, as text.
        headline: what to ship.
        status: a verdict, WARNING, NOT_MEASURED, or NO_SAVING.
        chip: the status in words, with its symbol.
        rests_on: error rate and number of seeds.
        goal: row of the table `goals` that the recommendation follows; None where no file is measured.
        warnings: guards of the baselines and of what ships, those that block first.
        notes: guards of the other variants.
        notes_brief: the same in short.
        majority: share of the largest class among the test rows.
        logistic_regression: accuracy of one of the same inputs; None where none was fitted.
        untested: rates of groups with too few rows, of the variant that ships or else of any: rows of `untested`.
        file: path of the file that ships, below the study's folder; None where none does.
        chosen: the row that ships; None where nothing does.
        quality: what is compared, see `quality.Quality`.
    """

    family: dict[str, Any]
    dataset: str
    model: str
    place: str
    headline: str
    status: str
    chip: str
    rests_on: str
    goal: dict[str, Any] | None
    warnings: list[str]
    notes: list[str]
    notes_brief: str
    criteria: list[Criterion]
    costs: list[Cost]
    rows: list[Row]
    majority: float | None
    logistic_regression: float | None
    untested: list[dict[str, Any]]
    file: str | None
    chosen: Row | None
    quality: Quality

    @property
    def base(self) -> Row:
        """The baseline, in the engine of the row that ships."""
        engine = (self.chosen or self.rows[0]).cell["engine"]
        return next((row for row in self.rows if row.baseline and row.cell["engine"] == engine), self.rows[0])

    @property
    def proven(self) -> list[Row]:
        """The variants that are proven."""
        return [row for row in self.rows if row.verdict == PROVEN]

    def visible(self, most: int = MOST_ROWS) -> list[Row]:
        """At most `most` rows: baselines and what ships, then proven ones, then the others, in their order."""
        ranked = sorted(self.rows, key=lambda row: (not (row.baseline or row.ships or row.tags), row.verdict != PROVEN))
        kept = {id(row) for row in ranked[:most]}
        return [row for row in self.rows if id(row) in kept]


def saves(answer: Answer) -> bool:
    """Whether what ships saves something against its baseline."""
    return answer.goal is not None and answer.chosen is not None and not is_baseline(answer.goal)
