"""Why an imported model differs from its original: most often, values are missing that the original's program filled.

Where a value is missing, a file gets an empty text or NaN. Programs that train models write something else there, such
as `?` or `missing`, before the model sees it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.errors import quoted
from fairweight.core.table import MISSING, Table
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Feeds, Signature

Array = NDArray[Any]
Agree = Callable[[Array, Array], Array]  # outputs of some rows, and their positions -> which agree with the original

OFTEN = 2.0  # times as often that rows without a value of a column differ, where its gaps may be the reason
FILLED = 0.95  # share of these rows that have to agree where the gaps of a column are filled
TRIED = 200  # rows on which fillings are tried
FILLINGS = ("?", "missing", "Missing", "unknown", "Unknown", "nan", "NaN", "None", "NA", "null", "other", "Other")


def of_missing_values(
    run: Callable[[Feeds], Array], signature: Signature, rows: Table, far: Array, agree: Agree
) -> str | None:
    """Find the column whose missing values are the reason, and what the original got in their place.

    Args:
        run: input tensors by name -> probabilities (n, classes).
        signature: of the model.
        rows: the compared rows (n).
        far: whether the model differs from the original (n,).
        agree: outputs of the rows at some positions, and the positions -> which agree.

    Returns:
        The column and the remedy, as a clause; None where missing values are not the reason.
    """
    gaps = {name: missing for name, missing in _missing(signature, rows).items() if _explains(missing, far)}
    if not gaps:
        return None
    column = max(gaps, key=lambda name: int((gaps[name] & far).sum()))
    positions = np.flatnonzero(gaps[column] & far)
    start = f"{len(positions):,} of them lack {quoted(column)}, which the model gets as "
    if column not in rows.levels:
        return f"{start}NaN; write the number there that the original got"
    filling = _filling(run, signature, rows, column, positions[:TRIED], agree)
    if filling is None:
        return f"{start}''; write there what the original got, such as '?', and list it in no 'missing'"
    return f"{start}'', and agree with {filling!r}; write {filling!r} there, and list it in no 'missing'"


def _missing(signature: Signature, rows: Table) -> dict[str, Array]:
    """Columns that the model takes and that have gaps -> where they are missing (n,)."""
    taken = {column for bound in (signature.binding or {"inputs": []})["inputs"] for column in bound["columns"]}
    gaps = {name: np.isnan(rows.numeric[:, place]) for place, name in enumerate(rows.numeric_names) if name in taken}
    for place, (name, levels) in enumerate(rows.levels.items()):
        if name in taken and MISSING in levels:
            gaps[name] = rows.categorical[:, place] == levels.index(MISSING)
    return {name: missing for name, missing in gaps.items() if missing.any()}


def _explains(missing: Array, far: Array) -> bool:
    """Whether rows without a value differ much more often than the others."""
    others = far[~missing]
    return bool(far[missing].any()) and far[missing].mean() > OFTEN * (others.mean() if len(others) else 0.0)


def _filling(
    run: Callable[[Feeds], Array], signature: Signature, rows: Table, column: str, positions: Array, agree: Agree
) -> str | None:
    """The text with which rows without a value of a column agree with the original; None where none is known."""
    assert signature.binding is not None  # only a bound model takes texts
    feeds = ModelInputs.from_rows(signature, rows.take(positions)).feeds
    for text in (*FILLINGS, *(level for level in rows.levels[column] if level != MISSING)):
        filled = dict(feeds)
        for bound in signature.binding["inputs"]:
            if column in bound["columns"] and bound["type"] == "string":
                values = feeds[bound["name"]].reshape(len(positions), -1).copy()
                values[:, list(bound["columns"]).index(column)] = text
                filled[bound["name"]] = values.reshape(feeds[bound["name"]].shape)
        if agree(run(filled).astype(float), positions).mean() >= FILLED:
            return text
    return None
