"""Augmentation of the training rows of one split."""

from typing import Any

from fairweight import components
from fairweight.artifacts import read_split, read_table, write_augmented
from fairweight.errors import InputError
from fairweight.randomness import generator


def augment(table: str, split: str, destination: str, *, name: str, recipe: dict[str, Any], seed: int) -> None:
    """Write what an augmentation makes of the training rows.

    Args:
        table, split: Parquet files of the dataset and of this seed's parts.
        destination: Parquet file to write.
        name: the augmentation's name, for messages and random numbers.
        recipe: `method` and its options.
        seed: the study's seed.

    Raises:
        InputError: the method does not fit the data.
    """
    training = read_table(table).take(read_split(split)["train"])
    options = {key: value for key, value in recipe.items() if key != "method"}
    method = components.load("augmentations", recipe["method"])
    try:
        augmented = method(training, generator("augment", name, seed), **options)
    except InputError as error:
        raise InputError(f"augmentations: {name}: {error}.") from None
    write_augmented(destination, augmented, training)
    print(
        f"{len(augmented.source):,} rows made from {len(training):,}; {(augmented.row_weights != 1).sum():,} reweighted"
    )
