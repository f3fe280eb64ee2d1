"""Quantization of an ONNX file, with a check that the result is quantized."""

import functools
import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import onnx

from fairweight.compression.finetuning import Trained
from fairweight.compression.method_api import Batch
from fairweight.core import components
from fairweight.core.artifacts import atomic, read_split, read_table, write_json
from fairweight.core.errors import InputError
from fairweight.core.random_streams import generator
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.core.table import Table
from fairweight.inference import load_engine
from fairweight.inference.export import exported
from fairweight.inference.model_checks import rounding_products, stored
from fairweight.inference.onnx_file import UNKNOWN, operators, put_signature, read_signature, write_tokenizer
from fairweight.inference.operator_kinds import FLOAT_OPERATORS, INTEGER_OPERATORS, PACKED_OPERATORS
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model import Model
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Signature
from fairweight.training.training_data import TrainingData

SMALLER = 3.0  # below this size ratio the verdict is 'partly quantized'
BATCH = 64


class QuantizationChecks(TypedDict):
    """Evidence that a file is quantized.

    Attributes:
        integer_operators, weight_only_operators, float_operators: number of operators as onnxruntime runs them.
        integer_weights_share, narrow_weights_share: share of weights stored as 8-bit integers, and in below 32 bits.
        float_matrices: name of a matrix that stays in float, such as embeddings -> its bytes.
        size_ratio: bytes of the parent divided by bytes of the file.
        verdict: `quantized`, `weights only`, `partly quantized` or `half precision`.
    """

    integer_operators: int
    weight_only_operators: int
    float_operators: int
    integer_weights_share: float
    narrow_weights_share: float
    float_matrices: dict[str, int]
    size_ratio: float
    verdict: str


def quantize(
    *,
    parent: str,
    table: str,
    split: str,
    destination: str,
    report: str,
    recipe: MethodRecipe,
    seed: int,
    variant: str,
    weights: Mapping[str, str] | None = None,
    finetune: TrainingRecipe | None = None,
) -> None:
    """Quantize a parent's ONNX file.

    Args:
        parent: ONNX file of the parent.
        table, split: Parquet files of the data; methods are calibrated on training rows only.
        destination: ONNX file to write.
        report: JSON file to write: what the method reports, and the keys of QuantizationChecks.
        recipe: `method` and its options.
        seed, variant: key of the draw of calibration rows.
        weights: for a method that trains: `model` and `about` of the parent, and `augmented` rows.
        finetune: for a method that trains: training recipe of the root.

    Raises:
        InputError: there are too few rows to calibrate on, or the method left every operator in float.
    """
    logging.getLogger("root").setLevel(logging.ERROR)  # onnxruntime advises pre-processing at every call
    signature = read_signature(parent)

    def calibration(rows: int) -> list[Batch]:
        training = read_split(split)["train"]
        drawn = generator("calibrate", variant, seed).permutation(training)[:rows]
        return [feeds for _, feeds in ModelInputs.from_rows(signature, read_table(table).take(drawn)).batches(BATCH)]

    method = components.load("quantization", recipe["method"])
    supplied: dict[str, Any] = {}
    if weights and finetune and components.trains("quantization", recipe["method"]):
        trained = Model.load(weights["model"], weights["about"])
        data = TrainingData.read(table, split, weights["augmented"])
        supplied["network"] = Trained(trained, data, finetune, variant=variant, seed=seed)
        supplied["export"] = lambda path: path.write_bytes(exported(trained, data.validation).SerializeToString())
    named = inspect.signature(method).parameters  # a method receives the further arguments that its signature names
    if "accuracy" in named:
        validation = read_table(table).take(read_split(split)["validation"])
        supplied["accuracy"] = functools.partial(_accuracy, rows=validation, signature=signature)
    options = components.chosen(recipe) | {name: value for name, value in supplied.items() if name in named}
    with atomic(destination) as temporary:
        try:
            result = method(Path(parent), temporary, calibration, **options)
        except InputError as error:
            raise InputError(f"variants: {variant}: quantize: {str(error).rstrip('.')}.") from None
        reported = result if isinstance(result, dict) else {"method": result}
        place = f"variants: {variant}: quantize"
        load_engine.load(REFERENCE_ENGINE, temporary, threads=1, place=place, file=destination)
        content = _cleaned(temporary, signature)
        temporary.write_bytes(content)
        checks = check(parent, content)
        if not checks["integer_operators"] and not checks["narrow_weights_share"]:
            raise InputError(
                f"variants: {variant}: quantize: method {reported['method']!r} left everything in float32."
            )
    write_tokenizer(destination, signature)
    write_json(report, {**reported, **checks})


def _accuracy(path: Path, *, rows: Table, signature: Signature) -> float:
    """Accuracy of a file on some rows."""
    run = load_engine.load(REFERENCE_ENGINE, path, threads=1)
    return float((ModelInputs.from_rows(signature, rows).outputs(run, BATCH).argmax(axis=1) == rows.label).mean())


def _cleaned(path: Path, signature: Signature) -> bytes:
    """The file with the metadata that the quantizer dropped, and without the shapes that it inferred for itself."""
    proto = onnx.load(str(path))
    put_signature(proto, signature)
    del proto.graph.value_info[:]
    content: bytes = proto.SerializeToString()
    return content


def check(parent: str, content: bytes) -> QuantizationChecks:
    """Check how far a file is quantized: operators as onnxruntime runs them, bytes, and types of the weights.

    Args:
        parent: ONNX file of the parent.
        content: the quantized ONNX file.
    """
    counts, proto = operators(content), onnx.load_model_from_string(content)
    ratio = Path(parent).stat().st_size / len(content)
    rounding = rounding_products(proto)  # these multiply integers, other products of packed weights floats
    integer = sum(n for name, n in counts.items() if name in INTEGER_OPERATORS) + rounding
    floating = sum(n for name, n in counts.items() if name in FLOAT_OPERATORS)
    packed = sum(counts[name] for name in PACKED_OPERATORS) - rounding
    weights = stored(proto)
    total = max(1, sum(w.size for w in weights.values()))
    small = sum(w.size for w in weights.values() if w.dtype in (np.int8, np.uint8))
    narrow = sum(w.size for w in weights.values() if w.dtype.itemsize < 4)
    if ratio >= SMALLER and not floating and not counts[UNKNOWN]:
        verdict = "weights only" if packed else "quantized"
    else:
        verdict = "partly quantized" if small else "half precision"
    return {
        "integer_operators": integer,
        "weight_only_operators": packed,
        "float_operators": floating,
        "integer_weights_share": small / total,
        "narrow_weights_share": narrow / total,
        "float_matrices": {name: w.nbytes for name, w in weights.items() if _is_float_matrix(w)},
        "size_ratio": ratio,
        "verdict": verdict,
    }


def _is_float_matrix(weight: np.ndarray[Any, Any]) -> bool:
    return sum(size > 1 for size in weight.shape) > 1 and weight.dtype == np.float32
