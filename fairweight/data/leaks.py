"""Find the inputs of a table that alone predict the label."""

import numpy as np

from fairweight.core.artifacts import number_of_blocks, number_of_rows, read_table
from fairweight.statistics.lone_predictors import ALMOST, MOST_ROWS, lone_accuracy, lone_r2


def leaks(table: str) -> dict[str, float]:
    """Inputs that alone predict the label of nearly all rows.

    Args:
        table: Parquet file of the dataset, read one row block after the other.

    Returns:
        Column -> balanced accuracy on rows that are held out, or R2 of labels that are numbers (see
        `lone_predictors`), where it is at least `ALMOST`; nothing for rows without labels.
    """
    step = max(number_of_rows(table) // MOST_ROWS, 1)
    parts = (read_table(table, block=block) for block in range(number_of_blocks(table)))
    samples = [part.take(np.arange(0, len(part), step)) for part in parts]
    labels = np.concatenate([part.label for part in samples])
    if not samples[0].measured and (labels < 0).any():
        return {}
    columns = {
        name: np.concatenate([part.numeric[:, position] for part in samples])
        for position, name in enumerate(samples[0].numeric_names)
    }
    columns |= {
        name: np.concatenate([part.categorical[:, position] for part in samples])
        for position, name in enumerate(samples[0].levels)
    }
    alone = lone_r2 if samples[0].measured else lone_accuracy
    accuracies = {name: alone(values, labels) for name, values in columns.items()}
    return {name: value for name, value in accuracies.items() if value is not None and value >= ALMOST}
