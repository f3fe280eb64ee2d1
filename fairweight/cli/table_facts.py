"""What the rows of a user's table say of a study: leaks, groups that are too small, criteria that stay undecided."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fairweight.cli.table_file import Raw
from fairweight.core.errors import InputError
from fairweight.core.table import Table
from fairweight.core.yaml_file import parse_yaml
from fairweight.data.categorical_codes import to_table
from fairweight.data.raw_rows import raw_blocks
from fairweight.data.survey import Survey, checked_categories, survey
from fairweight.data.value_formats import Formats
from fairweight.evaluation.testable_losses import LossPlan
from fairweight.evaluation.testable_rates import Counts, Plan, points
from fairweight.statistics.lone_predictors import ALMOST, lone_accuracy, lone_r2
from fairweight.statistics.significance import seeds_needed
from fairweight.study.schema import resolve
from fairweight.study.study import Study


@dataclass(frozen=True)
class Facts:
    """What the rows say of a study, once the study file says what they are.

    Attributes:
        problem: why the data cannot be read as the study file says; None where they can.
        leaks: input -> balanced accuracy with which it alone predicts the label.
        small: groups that are too small for a rate, one line each.
        undecidable: criteria that stay undecided whatever a variant predicts, one line each.
        wide: criteria whose margin is smaller than the losses that the rows can exclude, one line each.
        unreachable: why nothing can be proven; None where something can.
        tests: variants that are tested together.
        fewest_seeds: number of seeds with which one of them can be proven at all.
    """

    problem: str | None = None
    leaks: dict[str, float] = field(default_factory=dict)
    small: list[str] = field(default_factory=list)
    undecidable: list[str] = field(default_factory=list)
    wide: list[str] = field(default_factory=list)
    unreachable: str | None = None
    tests: int = 0
    fewest_seeds: int = 2
    measured: bool = False  # whether the label is a number, so that leaks are R2

    def leak_in_words(self, column: str) -> str:
        """How well an input alone predicts the label."""
        figure = self.leaks[column]
        return f"R2 {figure:.3f}" if self.measured else f"balanced accuracy {figure:.1%}"


def table_facts(text: str, raw: Raw) -> Facts:
    """Read the rows as a study file says, and find what they say of the study.

    Args:
        text: of a study file with one dataset.
        raw: its rows.
    """
    config = resolve(parse_yaml(text, "study"))
    ((name, recipe),) = config["datasets"].items()
    tests = Study(config).largest_family(name)
    fewest_seeds = seeds_needed(config["criteria"]["error_rate"], max(tests, 1), 1)
    try:
        blocks = list(raw_blocks(raw.rows, recipe["drop"], Formats.from_recipe(recipe)))
        totals = Survey()
        for block in blocks:
            totals += survey(block, recipe, [])
        categories = checked_categories(totals, recipe)
        tables = [to_table(block, categories, recipe, []) for block in blocks]
    except InputError as error:
        return Facts(problem=str(error), tests=tests, fewest_seeds=fewest_seeds)
    labels = np.concatenate([table.label for table in tables])
    codes = {name: np.concatenate([table.groups[name] for table in tables]) for name in categories.group_levels}
    share, smallest = recipe["split"]["test"], config["fairness"]["smallest_group"]
    if tables[0].measured:
        groups = LossPlan.counted(codes, categories.group_levels, share)
        sizes = (tests, config["seeds"], smallest)
        losses = LossPlan(name, round(share * len(labels)), groups, config["criteria"], *sizes)
        return _facts_of_numbers(losses, _leaks(tables, labels), fewest_seeds)
    expected = Counts.of_rows(labels, categories.classes, codes, categories.group_levels).share(share)
    plan = Plan(
        name,
        expected,
        config["criteria"],
        tests=tests,
        seeds=config["seeds"],
        smallest=smallest,
    )
    rows = [row for row in plan.margins() if row["reason"] is not None and plan.tests]
    return Facts(
        leaks=_leaks(tables, labels),
        small=list(_small_groups(expected, smallest)),
        undecidable=[plan.in_words(row) for row in rows if not row["decidable"]],
        wide=[
            f"{plan.in_words(row)}: your rows can only exclude losses above {points(row['provable'])} points"
            for row in rows
            if row["decidable"] and row["provable"] is not None
        ],
        unreachable=plan.unreachable,
        tests=tests,
        fewest_seeds=fewest_seeds,
    )


def _facts_of_numbers(plan: LossPlan, leaks: dict[str, float], fewest_seeds: int) -> Facts:
    """What the rows say of a study of a label that is a number."""
    rows = [row for row in plan.margins() if row["reason"] is not None and plan.tests and not plan.unreachable]
    return Facts(
        leaks=leaks,
        small=[
            f"{attribute}={group}: {n:,} rows expected among {plan.rows:,} test rows, {plan.smallest:,} needed"
            for attribute, group, n in plan.small()
        ],
        undecidable=[plan.in_words(row) for row in rows if row["provable"] is None],
        wide=[
            f"{plan.in_words(row)}: your rows can at best exclude rises above {100 * row['provable']:.2g} %"
            for row in rows
            if row["provable"] is not None
        ],
        unreachable=plan.unreachable,
        tests=plan.tests,
        fewest_seeds=fewest_seeds,
        measured=True,
    )


def _leaks(tables: list[Table], labels: np.ndarray) -> dict[str, float]:
    """Input -> balanced accuracy, or R2, with which it alone predicts the label, where it does."""
    numeric, categorical = (
        np.concatenate([getattr(table, kind) for table in tables]) for kind in ("numeric", "categorical")
    )
    names = [*tables[0].numeric_names, *tables[0].levels]
    alone = lone_r2 if tables[0].measured else lone_accuracy
    accuracies = [alone(values, labels) for values in (*numeric.T, *categorical.T)]
    return {name: value for name, value in zip(names, accuracies, strict=True) if value is not None and value >= ALMOST}


def _small_groups(expected: Counts, smallest: int) -> Iterator[str]:
    """Groups of which too few test rows are expected, in all or of one class."""
    total = f"among {expected.overall.sum():,} test rows, {smallest:,} needed"
    for attribute, groups in expected.groups.items():
        for group, by_class in groups.items():
            if by_class.sum() < smallest:
                yield f"{attribute}={group}: {by_class.sum():,} rows expected {total}"
            elif expected.binary:
                for label, rows in zip(expected.classes, by_class, strict=True):
                    if rows < smallest:
                        yield f"{attribute}={group}: {rows:,} rows of class {label} expected {total}"
