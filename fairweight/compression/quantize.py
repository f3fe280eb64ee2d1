"""Quantization of an ONNX file, with checks that the result is quantized and computes the function of its parent."""

import functools
import inspect
import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import onnx

from fairweight.compression.calibration import Batch
from fairweight.compression.file_growth import growth
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.rounding_check import ROWS, FunctionChecks, check_function
from fairweight.core import components
from fairweight.core.artifacts import atomic, read_rows, read_split, write_json
from fairweight.core.errors import InputError
from fairweight.core.random_streams import generator
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.core.table import Table
from fairweight.inference import load_engine
from fairweight.inference.load_engine import Run
from fairweight.inference.model_checks import rounding_products, stored
from fairweight.inference.onnx_file import UNKNOWN, operators, put_signature, read_signature, write_tokenizer
from fairweight.inference.operator_kinds import FLOAT_OPERATORS, INTEGER_OPERATORS, PACKED_OPERATORS
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Signature, autoregressive

if TYPE_CHECKING:
    from fairweight.compression.trained_quantization import Training

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
        report: JSON file to write: what the method reports, and the keys of QuantizationChecks and FunctionChecks; of
            an imported model also `calibration_spread`, the largest share of decisions on validation rows that
            changes if one of two other draws of rows calibrates the file.
        recipe: `method` and its options.
        seed, variant: key of the draw of calibration rows.
        weights: for a method that trains: `model` and `about` of the parent, and `augmented` rows.
        finetune: for a method that trains: training recipe of the root.

    Raises:
        InputError: there are too few rows to calibrate on, the engine crashes on the file, or its predictions change
            more than rounding explains.
        NotApplicable: the method takes no part of the model, left it as it was, or made its file no smaller.
    """
    logging.getLogger("root").setLevel(logging.ERROR)  # onnxruntime advises pre-processing at every call
    signature = read_signature(parent)
    drawn: list[int] = []  # number of rows of each call of `calibration`

    def calibration(rows: int, *draw: int) -> list[Batch]:
        training = read_split(split)["train"]
        drawn.append(rows)
        rows_drawn = generator("calibrate", variant, seed, *draw).permutation(training)[:rows]
        inputs = ModelInputs.from_rows(signature, read_rows(table, rows_drawn))
        return [feeds for _, feeds in inputs.batches(BATCH)]

    place, validation = f"variants: {variant}: quantize", _validation(table, split)
    method = components.load("quantization", recipe["method"])
    named = inspect.signature(method).parameters  # a method receives the further arguments that its signature names
    supplied: dict[str, Any] = {}
    if "accuracy" in named:
        supplied["accuracy"] = functools.partial(_accuracy, rows=validation, signature=signature)
    training: Training | None = None
    if weights and finetune and components.trains("quantization", recipe["method"]):
        from fairweight.compression import trained_quantization  # noqa: PLC0415 - other methods need no torch

        training = trained_quantization.Training.start(table, split, weights, finetune, variant=variant, seed=seed)
        supplied |= {"network": training.network, "export": training.export}
    options = components.chosen(recipe) | {name: value for name, value in supplied.items() if name in named}
    with atomic(destination) as temporary, tempfile.TemporaryDirectory() as folder:
        try:
            result = method(Path(parent), temporary, calibration, **options)
            reported = result if isinstance(result, dict) else {"method": result}
            content = _cleaned(temporary, signature)
            temporary.write_bytes(content)
            run = load_engine.load(REFERENCE_ENGINE, temporary, threads=1, place=place, file=destination)
            floating = training.floating(Path(folder) / "float.onnx") if training else Path(parent)
            function = _function(floating, temporary, run, validation, signature)
            if drawn and signature.binding and not supplied:
                apply = functools.partial(method, Path(parent), **options)
                files = [_recalibrated(apply, Path(folder), draw, calibration, signature) for draw in (1, 2)]
                reported |= {"calibration_spread": _largest_change(run, files, validation, signature)}
        except InputError as error:
            message = str(error).rstrip(".")
            raise type(error)(f"{message if message.startswith(place) else f'{place}: {message}'}.") from None
        checks = check(parent, content)
        if reason := _without_gain(parent, content, checks, signature):
            raise NotApplicable(f"{place}: method {reported['method']!r} {reason}.")
    write_tokenizer(destination, signature)
    write_json(report, {**reported, **checks, **function})


def _recalibrated(
    apply: Callable[..., object], folder: Path, draw: int, calibration: Callable[..., list[Batch]], signature: Signature
) -> Path:
    """A file that is calibrated on another draw of rows."""
    path = folder / f"calibrated-{draw}.onnx"
    apply(path, lambda rows: calibration(rows, draw))
    path.write_bytes(_cleaned(path, signature))
    return path


def _largest_change(run: Run, files: list[Path], rows: Table, signature: Signature) -> float:
    """Largest share of decisions on some rows by which other files differ from a loaded one."""
    inputs = ModelInputs.from_rows(signature, rows)
    chosen = inputs.outputs(run, BATCH).argmax(axis=1)
    others = [inputs.outputs(load_engine.load(REFERENCE_ENGINE, path, threads=1), BATCH) for path in files]
    return max(float((other.argmax(axis=1) != chosen).mean()) for other in others)


def _validation(table: str, split: str) -> Table:
    """Validation rows; training rows where there are none.

    Where nothing is trained, all rows are test rows: then these, as the comparison with the parent chooses nothing.
    """
    parts = read_split(split)
    rows = next(parts[name] for name in ("validation", "train", "test") if len(parts[name]) or name == "test")
    return read_rows(table, rows)


def _function(floating: Path, path: Path, run: Run, rows: Table, signature: Signature) -> FunctionChecks:
    """Compare the quantized file with the float file that it was made from."""
    most = getattr(components.module("tasks", signature.task), "CHECKED_ROWS", ROWS)
    inputs = ModelInputs.from_rows(signature, rows.take(np.arange(min(len(rows), most))))
    return check_function(floating, path, run, inputs, likelihoods=autoregressive(signature.task))


def _accuracy(path: Path, *, rows: Table, signature: Signature) -> float:
    """Accuracy of a file, which may lack its signature, on some rows; R2 where the label is a number."""
    with tempfile.TemporaryDirectory() as folder:
        signed = Path(folder) / "signed.onnx"
        signed.write_bytes(_cleaned(path, signature))  # engines read in the signature how to run an imported file
        run = load_engine.load(REFERENCE_ENGINE, signed, threads=1)
    outputs = ModelInputs.from_rows(signature, rows).outputs(run, BATCH)
    if rows.measured:
        return float(1 - np.mean((outputs[:, 0] - rows.label) ** 2) / np.var(rows.label))
    return float((outputs.argmax(axis=1) == rows.label).mean())


def _cleaned(path: Path, signature: Signature) -> bytes:
    """The file with the metadata that the quantizer dropped, and without the shapes that it inferred for itself."""
    proto = onnx.load(str(path))
    put_signature(proto, signature)
    del proto.graph.value_info[:]
    content: bytes = proto.SerializeToString()
    return content


def _without_gain(parent: str, content: bytes, checks: QuantizationChecks, signature: Signature) -> str | None:
    """Say why a quantized file is no variant of its own; None where it is one.

    Of a model that is trained here, the report says how much smaller it becomes. A file from elsewhere may be narrow or
    small before, and the user asks what can replace it.
    """
    if not checks["integer_operators"] and not checks["narrow_weights_share"]:
        return "left everything in float32"
    if not signature.binding:
        return None
    if _narrow(stored(onnx.load_model_from_string(content))) <= _narrow(stored(onnx.load(parent))):
        return "left all weights as they were"
    before = Path(parent).read_bytes()
    if len(content) >= len(before):
        return f"made the file {growth(before, content)}; choose another one"
    return None


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
    matrices = {name: w.nbytes for name, w in weights.items() if _is_float_matrix(w)}
    widened = not integer and not matrices  # floats are multiplied by weights that are stored in fewer bits
    if ratio >= SMALLER and not counts[UNKNOWN] and (widened or not floating):
        verdict = "weights only" if packed or floating else "quantized"
    else:
        verdict = "partly quantized" if small else "half precision"
    return {
        "integer_operators": integer,
        "weight_only_operators": packed,
        "float_operators": floating,
        "integer_weights_share": small / total,
        "narrow_weights_share": _narrow(weights) / total,
        "float_matrices": matrices,
        "size_ratio": ratio,
        "verdict": verdict,
    }


def _narrow(weights: Mapping[str, np.ndarray[Any, Any]]) -> int:
    """Number of weights that are stored in less than 32 bits."""
    return sum(weight.size for weight in weights.values() if weight.dtype.itemsize < 4)


def _is_float_matrix(weight: np.ndarray[Any, Any]) -> bool:
    return sum(size > 1 for size in weight.shape) > 1 and weight.dtype in (np.float32, np.float64)
