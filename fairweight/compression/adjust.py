"""Decision thresholds by group, fitted on validation rows and stored in the metadata of the parent's file."""

import json
from typing import Any

import numpy as np
import onnx

from fairweight.core import components
from fairweight.core.artifacts import atomic, read_rows, read_split, write_json
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe
from fairweight.inference.onnx_file import read_signature, write_tokenizer
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.inference.thresholds import ADJUSTMENT
from fairweight.training.model_inputs import ModelInputs

Array = np.ndarray[Any, Any]
BATCH = 256


def adjust(
    *,
    parent: str,
    table: str,
    split: str,
    destination: str,
    report: str,
    recipe: MethodRecipe,
    variant: str,
    seed: int,
) -> None:
    """Fit thresholds to the scores of a parent's file, and write the file with the thresholds in its metadata.

    Args:
        parent: ONNX file of the parent.
        table, split: Parquet files of the data; thresholds are fitted on validation rows.
        destination: ONNX file to write: the parent's graph, with the thresholds that turn its scores into decisions.
        report: JSON file to write: the thresholds by group.
        recipe: `method` and its options.
        variant, seed: key of the random numbers of a randomized decision.

    Raises:
        InputError: the label is not binary, or the method cannot be fitted to these groups.
    """
    place = f"variants: {variant}: adjust"
    rows = read_rows(table, read_split(split)["validation"])
    attribute = recipe["attribute"]
    if len(rows.classes) != 2:
        raise InputError(f"{place}: takes a binary label, not {len(rows.classes)} classes.")
    rows = rows.take(np.flatnonzero(rows.groups[attribute] >= 0))
    if not len(rows):
        raise InputError(f"{place}: no validation row has a value of {attribute!r}.")
    run = components.load("engines", REFERENCE_ENGINE)(parent, threads=1)
    signature = read_signature(parent)
    scores = ModelInputs.from_rows(signature, rows).outputs(run, BATCH)[:, 1]
    options = components.chosen(recipe)
    try:
        mixtures: dict[int, list[dict[str, float]]] = components.load("adjustments", recipe["method"])(
            scores, rows.label, rows.groups[attribute], **options
        )
    except InputError as error:
        raise InputError(f"{place}: {error}.") from None
    levels = rows.group_levels[attribute]
    about = {
        "attribute": attribute,
        "groups": {levels[code]: [_finite(m) for m in members] for code, members in mixtures.items()},
        "draws": [variant, seed],
    }
    proto = onnx.load(parent)
    proto.metadata_props.add(key=ADJUSTMENT, value=json.dumps(about, ensure_ascii=False))
    with atomic(destination) as temporary:
        temporary.write_bytes(proto.SerializeToString())
    write_tokenizer(destination, signature)
    write_json(report, {"method": recipe["method"], "rows": len(rows), **about})


def _finite(member: dict[str, float]) -> dict[str, float | bool | None]:
    """Replace an infinite threshold by None, as JSON has no infinity; `always` is whether every row is positive."""
    always = member.get("above", 0) == -np.inf or member.get("below", 0) == np.inf
    return {k: None if k != "weight" and np.isinf(v) else v for k, v in member.items()} | {"always": always}
