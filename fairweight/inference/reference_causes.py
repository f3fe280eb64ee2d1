"""Why an imported model differs from its original: values that it does not know, or that the original's program filled.

A category that is not among those of a model's encoder is read as none of them: a zip code that has lost its leading
zero, for example. Where a value is missing, a file gets an empty text or NaN. Programs that train models write
something else there, such as `?` or `missing`, before the model sees it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fairweight.core.errors import did_you_mean, listed, quoted
from fairweight.core.table import MISSING, Table
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Feeds, Signature

Array = NDArray[Any]
Agree = Callable[[Array, Array], Array]  # outputs of some rows, and their positions -> which agree with the original

SHOWN = 3  # unknown values that are named
ENCODERS = {"OneHotEncoder": "cats_strings", "LabelEncoder": "keys_strings"}  # operator -> attribute with categories
UNCHANGED = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze")  # operators that leave the values as they are
PICKED = ("ArrayFeatureExtractor", "Gather")  # operators that pick columns of a tensor
OFTEN = 2.0  # times as often that rows without a value of a column differ, where its gaps may be the reason
FILLED = 0.95  # share of these rows that have to agree where the gaps of a column are filled
TRIED = 200  # rows on which fillings are tried
FILLINGS = ("?", "missing", "Missing", "unknown", "Unknown", "nan", "NaN", "None", "NA", "null", "other", "Other")


def known_categories(proto: onnx.ModelProto, signature: Signature) -> dict[str, frozenset[str]]:
    """Columns of text that go into an encoder of ai.onnx.ml as they are -> the categories that it knows.

    Args:
        proto: the imported graph.
        signature: of the model, with its binding.
    """
    bound = {each["name"]: tuple(each["columns"]) for each in (signature.binding or {"inputs": []})["inputs"]}
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    known: dict[str, frozenset[str]] = {}
    for node in proto.graph.node:  # in the order of computation
        columns = bound.get(node.input[0], ()) if node.input else ()
        if node.op_type in UNCHANGED:
            bound[node.output[0]] = columns
        elif node.op_type in PICKED and len(columns) > 1 and node.input[1] in constants:
            positions = onnx.numpy_helper.to_array(constants[node.input[1]]).ravel()
            bound[node.output[0]] = tuple(columns[position] for position in positions)
        elif node.op_type in ENCODERS and len(columns) == 1:
            texts = next((a.strings for a in node.attribute if a.name == ENCODERS[node.op_type]), ())
            known[columns[0]] = known.get(columns[0], frozenset()) | {text.decode("utf-8", "replace") for text in texts}
    return {column: categories for column, categories in known.items() if categories}


def of_unknown_values(known: Mapping[str, Collection[str]], rows: Table, far: Array) -> str | None:
    """Find the column whose values the model does not know.

    Args:
        known: column -> the categories that the model knows, see `known_categories`.
        rows: the compared rows (n).
        far: whether the model differs from the original (n,).

    Returns:
        The column and the values, as a clause; None where they are not the reason.
    """
    unknown: dict[str, Array] = {}
    for place, (name, levels) in enumerate(rows.levels.items()):
        others = [level not in known.get(name, levels) and level != MISSING for level in levels]
        unknown[name] = np.isin(rows.categorical[:, place], np.flatnonzero(others))
    unknown = {name: rows_of for name, rows_of in unknown.items() if _explains(rows_of, far)}
    if not unknown:
        return None
    column = max(unknown, key=lambda name: int((unknown[name] & far).sum()))
    codes = rows.categorical[:, list(rows.levels).index(column)]
    counts = Counter(rows.levels[column][code] for code in codes[unknown[column] & far])
    values = [value for value, _ in counts.most_common()]
    return (
        f"{quoted(column)}: values that the model does not know: {listed(map(quoted, values[:SHOWN]))}"
        f"{f' and {len(values) - SHOWN:,} more' if len(values) > SHOWN else ''}, in {counts.total():,} of them"
        f"{did_you_mean(values[0], sorted(known[column]))}; write them as the model was trained with them"
    )


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
