"""Quantization of a shipped file, with the proof that it is quantized."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fairweight import components
from fairweight.artifacts import atomic, read_split, read_table, write_json
from fairweight.errors import InputError
from fairweight.randomness import generator
from fairweight.shipped import FLOAT_OPERATORS, INTEGER_OPERATORS, operators, put_signature, read_signature

SMALLER = 3.0  # a file that is not so many times smaller is called partly quantized
BATCH = 64


def quantize(
    *,
    parent: str,
    table: str,
    split: str,
    destination: str,
    report: str,
    recipe: dict[str, Any],
    seed: int,
    variant: str,
) -> None:
    """Quantize a parent's ONNX file.

    Args:
        parent: the parent's ONNX file.
        table, split: Parquet files of the data; calibration takes training rows only.
        destination: ONNX file to write.
        report: JSON file to write: method, size ratio, integer and float operators that run, verdict.
        recipe: `method` and its options.
        seed, variant: key of the draw of calibration rows.

    Raises:
        InputError: too few rows to calibrate on, or a method left every operator in float.
    """
    logging.getLogger("root").setLevel(logging.ERROR)  # onnxruntime advises pre-processing at every call
    signature = read_signature(parent)

    def calibration(rows: int) -> list[dict[str, Any]]:
        training = read_split(split)["train"]
        drawn = generator("calibrate", variant, seed).permutation(training)[:rows]
        feeds = signature.feeds(read_table(table).take(drawn))
        starts = range(0, len(drawn), BATCH)
        return [{name: array[start : start + BATCH] for name, array in feeds.items()} for start in starts]

    options = {key: value for key, value in recipe.items() if key != "method"}
    with atomic(destination) as temporary:
        try:
            method = components.load("quantization", recipe["method"])(Path(parent), temporary, calibration, **options)
        except InputError as error:
            raise InputError(f"variants: {variant}: quantize: {error}.") from None
        proto = onnx.load(str(temporary))
        put_signature(proto, signature)  # the quantizer drops the metadata
        del proto.graph.value_info[:]  # shapes that the quantizer inferred for itself
        temporary.write_bytes(proto.SerializeToString())
        checks = check(parent, temporary)
        if not checks["integer_operators"]:
            raise InputError(f"variants: {variant}: quantize: method {method!r} left every operator in float.")
    write_json(report, {"method": method, **checks})


def check(parent: str, path: Path) -> dict[str, Any]:
    """What makes a file quantized: operators as onnxruntime runs them, bytes against the parent, weights by type."""
    counts = operators(path)
    ratio = Path(parent).stat().st_size / path.stat().st_size
    integer = sum(n for name, n in counts.items() if name in INTEGER_OPERATORS)
    floating = sum(n for name, n in counts.items() if name in FLOAT_OPERATORS)
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    small = sum(w.size for w in weights.values() if w.dtype in (np.int8, np.uint8))
    return {
        "integer_operators": integer,
        "float_operators": floating,
        "integer_weights_share": small / max(1, sum(w.size for w in weights.values())),
        "size_ratio": ratio,
        "verdict": "quantized" if ratio >= SMALLER and not floating else "partly quantized",
    }
