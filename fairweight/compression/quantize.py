"""Quantization of a shipped file, with the proof that it is quantized."""

import functools
import inspect
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.artifacts import atomic, read_split, read_table, write_json
from fairweight.core.errors import InputError
from fairweight.core.random_streams import generator
from fairweight.core.table import Table
from fairweight.inference import load_engine
from fairweight.inference.export import exported
from fairweight.inference.model_checks import rounding_products, stored
from fairweight.inference.onnx_file import (
    FLOAT_OPERATORS,
    INTEGER_OPERATORS,
    operators,
    put_signature,
    read_signature,
    write_beside,
)
from fairweight.training.model import Model
from fairweight.training.model_inputs import Fed
from fairweight.training.signature import Signature
from fairweight.training.train import Data

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
    weights: dict[str, str] | None = None,
    finetune: dict[str, Any] | None = None,
) -> None:
    """Quantize a parent's ONNX file.

    Args:
        parent: the parent's ONNX file.
        table, split: Parquet files of the data; calibration takes training rows only.
        destination: ONNX file to write.
        report: JSON file to write: method, size ratio, integer and float operators that run, verdict.
        recipe: `method` and its options.
        seed, variant: key of the draw of calibration rows.
        weights: for a method that trains: `model` and `about` of the parent, and `augmented` rows.
        finetune: for a method that trains: the training recipe of the root.

    Raises:
        InputError: too few rows to calibrate on, or a method left every operator in float.
    """
    logging.getLogger("root").setLevel(logging.ERROR)  # onnxruntime advises pre-processing at every call
    signature = read_signature(parent)

    def calibration(rows: int) -> list[dict[str, Any]]:
        training = read_split(split)["train"]
        drawn = generator("calibrate", variant, seed).permutation(training)[:rows]
        return [feeds for _, feeds in Fed.of(signature, read_table(table).take(drawn)).batches(BATCH)]

    options = components.chosen(recipe)
    method = components.load("quantization", recipe["method"])
    # a method takes the further means that it names
    wanted = inspect.signature(method).parameters
    if "accuracy" in wanted:
        validation = read_table(table).take(read_split(split)["validation"])
        options["accuracy"] = functools.partial(_accuracy, rows=validation, signature=signature)
    if "network" in wanted and weights and finetune:
        loaded = Model.load(weights["model"], weights["about"])
        data = Data.read(table, split, weights["augmented"])
        options["network"] = Trained(loaded, data, finetune, variant=variant, seed=seed)
        options["export"] = lambda path: path.write_bytes(exported(loaded, data.validation).SerializeToString())
    with atomic(destination) as temporary:
        try:
            said = method(Path(parent), temporary, calibration, **options)
        except InputError as error:
            raise InputError(f"variants: {variant}: quantize: {error}.") from None
        load_engine.load("onnxruntime", temporary, threads=1, place=f"variants: {variant}: quantize")
        proto = onnx.load(str(temporary))
        put_signature(proto, signature)  # the quantizer drops the metadata
        del proto.graph.value_info[:]  # shapes that the quantizer inferred for itself
        content = proto.SerializeToString()
        temporary.write_bytes(content)
        checks = check(parent, content)
        about = said if isinstance(said, dict) else {"method": said}
        if not checks["integer_operators"] and not checks["narrow_weights_share"]:
            raise InputError(f"variants: {variant}: quantize: method {about['method']!r} left everything in float32.")
    write_beside(destination, signature)
    write_json(report, {**about, **checks})


def _accuracy(path: Path, *, rows: Table, signature: Signature) -> float:
    """Accuracy of a file on some rows."""
    run = load_engine.load("onnxruntime", path, threads=1)
    return float((Fed.of(signature, rows).outputs(run, BATCH).argmax(axis=1) == rows.label).mean())


def check(parent: str, content: bytes) -> dict[str, Any]:
    """What makes a file quantized: operators as onnxruntime runs them, bytes against the parent, weights by type.

    Matrices that stay in float, such as embeddings, are named with their bytes.
    """
    counts, proto = operators(content), onnx.load_model_from_string(content)
    ratio = Path(parent).stat().st_size / len(content)
    rounding = rounding_products(proto)  # these multiply integers, other products of packed weights floats
    integer = sum(n for name, n in counts.items() if name in INTEGER_OPERATORS) + rounding
    floating = sum(n for name, n in counts.items() if name in FLOAT_OPERATORS)
    packed = counts["MatMulNBits"] - rounding
    weights = stored(proto)
    total = max(1, sum(w.size for w in weights.values()))
    small = sum(w.size for w in weights.values() if w.dtype in (np.int8, np.uint8))
    narrow = sum(w.size for w in weights.values() if w.dtype.itemsize < 4)
    if ratio >= SMALLER and not floating:
        verdict = "weights only" if packed else "quantized"
    else:
        verdict = "partly quantized" if small else "half precision"
    return {
        "integer_operators": integer,
        "weight_only_operators": packed,
        "float_operators": floating,
        "integer_weights_share": small / total,
        "narrow_weights_share": narrow / total,
        "float_matrices": {
            n: w.nbytes for n, w in weights.items() if sum(size > 1 for size in w.shape) > 1 and w.dtype == np.float32
        },
        "size_ratio": ratio,
        "verdict": verdict,
    }
