"""Data cards: what the study file says of a dataset, what the dataset holds, and warnings about it."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import cast

from fairweight.core.artifacts import read_json, read_table, write_json
from fairweight.core.errors import LONGEST_NAME, InputError, joined, listed, shown
from fairweight.core.lookalikes import code_points, hidden, look, strange_letters
from fairweight.core.recipes import DatasetRecipe, RawFile
from fairweight.data.leaks import leaks
from fairweight.data.tally import Contents, GroupRows
from fairweight.data.unseen import Unseen, unseen_categories

FEW = 50  # rows of a group, or of its positives or negatives, below which a warning is written
LONGEST_WARNING = 240  # characters of what a warning lists
DESCRIBED = ("title", "licence", "homepage", "files")  # keys of the study file that the card repeats
LAST = ("sha256", "removed")  # entries of the contents that stand below the warnings


class Card(Contents):
    """The entries of `card.json`."""

    dataset: str
    title: str
    licence: str | None
    homepage: str | None
    files: dict[str, RawFile]
    unseen: dict[str, Unseen]  # see `unseen.unseen_categories`
    warnings: list[str]


def write_card(contents: str, table: str, destination: str, *, name: str, recipe: DatasetRecipe) -> None:
    """Write a dataset's card.

    Args:
        contents: JSON file of what the dataset holds (`tally.Contents`).
        table: Parquet file of its rows.
        destination: JSON file to write.
        name: the dataset's name in the study file.
        recipe: its title, licence, homepage, files and split.

    Raises:
        InputError: test rows cannot be drawn.
    """
    try:
        unseen = unseen_categories(table, name=name, recipe=recipe["split"])
    except InputError as error:
        raise InputError(f"datasets: {name}: split: {error}.") from None
    described: DatasetRecipe = {key: recipe[key] for key in DESCRIBED}  # type: ignore[literal-required, assignment]
    categories = read_table(table, block=0).levels
    write_json(destination, card(read_json(contents), unseen, categories, leaks(table), name=name, recipe=described))


def card(
    contents: Contents,
    unseen: dict[str, Unseen],
    categories: Mapping[str, Iterable[str]],
    leaking: Mapping[str, float] = MappingProxyType({}),
    *,
    name: str,
    recipe: DatasetRecipe,
) -> Card:
    """The card of a dataset; see `write_card`.

    `categories` are those of each categorical column, and `leaking` inputs that alone predict the label.
    """
    counts = {key: value for key, value in contents.items() if key not in LAST}
    last = {key: value for key, value in contents.items() if key in LAST}
    declared = {"dataset": name, **recipe, "title": recipe["title"] or name}
    sentences = [*_leaks(leaking, "numbers" in contents), *warnings(contents, unseen, categories)]
    return cast(Card, {**declared, **counts, "unseen": unseen, "warnings": sentences, **last})


def warnings(contents: Contents, unseen: dict[str, Unseen], categories: Mapping[str, Iterable[str]]) -> list[str]:
    """Sentences on unseen categories, numbers written in several ways, names that look alike, and small groups."""
    return [
        *_unseen_categories(unseen),
        *_spellings(contents),
        *_lookalikes(contents, categories),
        *_small_groups(contents),
    ]


def _leaks(leaking: Mapping[str, float], measured: bool) -> Iterator[str]:
    for column, accuracy in leaking.items():
        figure = f"R2 {accuracy:.3f}" if measured else f"balanced accuracy {accuracy:.1%}"
        yield (
            f"{column}: this input alone predicts the label, with {figure} on held-out rows; "
            "remove it from the inputs if it is known only after the label."
        )


def _unseen_categories(unseen: dict[str, Unseen]) -> Iterator[str]:
    for column, entry in unseen.items():
        size, total = entry["rows"], entry["test_rows"]
        noun, verb = "row" if total == 1 else "rows", "has" if size == 1 else "have"
        yield (
            f"{column}: {size:,} of {total:,} test {noun} ({size / total:.1%}) {verb} a category that no other row has "
            f"and that a model reads as none: {listed(map(shown, entry['categories']))}."
        )


def _spellings(contents: Contents) -> Iterator[str]:
    for column, numbers in contents["spellings"].items():
        ways = listed(" and ".join(map(repr, ways)) for ways in numbers)
        yield f"{column}: one number is written in several ways, which count as one value: {ways}."


def _lookalikes(contents: Contents, categories: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Sentences on names that people cannot tell apart, and that count as different."""
    groups = {
        attribute: [group["group"] for group in rows if group["group"] is not None]
        for attribute, rows in contents["groups"].items()
    }
    columns = [*contents["columns"]["numeric"], *contents["columns"]["categorical"]]
    every = {"input columns": columns, "classes": contents["classes"], **categories, **groups}
    for place, names in every.items():
        alike: dict[str, list[str]] = {}
        for name in names:
            alike.setdefault(look(name), []).append(name)
        if pairs := [
            " and ".join(ascii(n) if len(n) <= LONGEST_NAME else shown(n) for n in same)
            for same in alike.values()
            if len(same) > 1
        ]:
            yield f"{place}: names that look alike count as different: {joined(pairs, 'in the data', LONGEST_WARNING)}."
        if strange := [f"{shown(n)} has {code_points(odd)}" for n in names if (odd := hidden(n) + strange_letters(n))]:
            odd_names = joined(strange, "in the data", LONGEST_WARNING)
            yield f"{place}: names with hidden characters or foreign letters: {odd_names}."


def _small_groups(contents: Contents) -> Iterator[str]:
    """One sentence for each group with few rows, in all or in one class of a binary label."""
    for attribute, groups in (contents["groups"] | contents["intersections"]).items():
        for group in groups:
            if group["group"] is None:
                continue
            few = [(size, kind) for kind, size in _sizes(group, contents["classes"]).items() if size < FEW]
            if few:
                size, kind = few[0]
                noun = kind.replace("rows", "row", 1) if size == 1 else kind
                yield f"{group['group']} ({attribute}) has only {size} {noun}: its rates are uncertain."


def _sizes(group: GroupRows, classes: list[str]) -> dict[str, int]:
    """Rows of a group, and of each class of a binary label."""
    sizes = {"rows": group["rows"]}
    if len(classes) == 2:
        positives = round(group["rows"] * (group["base_rate"] or 0))
        for label, size in zip(classes, (group["rows"] - positives, positives), strict=True):
            sizes[f"rows of class {label}"] = size
    return sizes
