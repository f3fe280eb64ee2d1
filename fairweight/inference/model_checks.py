"""Checks of an exported file in an engine: content, resource usage, and outputs by batch size and engine."""

import dataclasses
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import onnx
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import PAST
from fairweight.inference.load_engine import Run
from fairweight.inference.macs import macs
from fairweight.inference.onnx_file import UNKNOWN, operators
from fairweight.inference.operator_kinds import (
    FLOAT_OPERATORS,
    INTEGER_OPERATORS,
    PACKED_OPERATORS,
    Kind,
    attributes,
    graphs,
    kind,
    nodes,
)
from fairweight.inference.quantized_weights import constants, is_float, packing, parameter, scales, unpacked
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model_inputs import ModelInputs

ROWS = 256
# largest difference between engines, for float32 files: of a probability, or of a number in standard deviations of the
# training labels
TOLERANCE = 1e-3
SAME_NUMBER = 0.02  # largest distance of numbers that count as the same prediction, in the same unit
AGREEMENT = 0.98  # smallest share of equal predictions between engines, for narrower files: engines round differently
INT8_LEVEL = 4  # accuracy_level of MatMulNBits at which its inputs are also rounded
POSITIONS = {"GroupQueryAttention": slice(7, 9), "RotaryEmbedding": slice(2, 4)}  # inputs that are made of positions

Array = NDArray[Any]


class Contents(TypedDict):
    """Weights of a file, counted."""

    parameters: int
    bits_per_weight: float | None  # bits of the stored weights, with their scales and zero points, for each parameter
    nonzero_weights: int  # of tensors with two or more dimensions
    layer_sparsity: dict[str, float]  # name of such a tensor -> share of zeros


class Checks(Contents):
    """Checks of one file in one engine."""

    macs: int | None  # multiply-accumulate operations for one row
    integer_share: float | None  # share of products with weights that multiply integers
    batch_invariant_share: float | None  # share of predictions that are the same at batch size 1
    batch_difference: float  # largest difference of an output at batch size 1
    checked_rows: int
    engine_difference: NotRequired[float]  # largest difference of a probability from the reference engine
    engine_agreement: NotRequired[float]  # share of predictions that equal those of the reference engine


def check(
    path: str | Path,
    run: Run,
    inputs: ModelInputs,
    output: Array,
    *,
    engine: str,
    batch_size: int,
    rows: int | None = None,
) -> Checks:
    """Check one file in one engine.

    Args:
        path: ONNX file.
        run: the file, loaded in the engine.
        inputs: input tensors of the rows that the file is assessed on.
        output: its output for them (n, ...), computed with `batch_size` rows a call.
        engine: name of the engine.
        batch_size: rows of one call.
        rows: number of the first rows that are used, if fewer than ROWS.

    Raises:
        InputError: the engine disagrees with the reference engine beyond the tolerance.
    """
    proto = onnx.load(str(path))
    some = dataclasses.replace(inputs, feeds=inputs.at(slice(0, min(ROWS, rows or ROWS))))
    whole = output[: len(some)] if _in_the_same_calls(some, inputs, batch_size) else some.outputs(run, batch_size)
    single = some.outputs(run, 1)
    is_decoder = any(value.name.startswith(PAST) for value in proto.graph.input)
    counted = contents(proto)
    checks: Checks = {
        "parameters": counted["parameters"],
        "bits_per_weight": counted["bits_per_weight"],
        "nonzero_weights": counted["nonzero_weights"],
        "layer_sparsity": counted["layer_sparsity"],
        "macs": macs(proto),
        "integer_share": _integer_share(proto),
        # likelihoods have no largest class
        "batch_invariant_share": None if is_decoder else _same_share(whole, single, inputs.unit),
        "batch_difference": float(np.abs(whole - single).max()) / (inputs.unit or 1.0),
        "checked_rows": len(some),
    }
    if engine != REFERENCE_ENGINE:
        difference, same = _agreement(path, proto, whole, some, engine, batch_size)
        checks |= {"engine_difference": difference, "engine_agreement": same}
    return checks


def _same_share(first: Array, second: Array, unit: float | None) -> float:
    """Share of rows with the same prediction: the same class, or nearly the same number."""
    if unit is None:
        return float((first.argmax(1) == second.argmax(1)).mean())
    return float((np.abs(first - second)[:, 0] <= SAME_NUMBER * unit).mean())


def _integer_share(proto: onnx.ModelProto) -> float | None:
    """Share of the products with weights that multiply integers as onnxruntime runs them.

    None without any product, and where an operator's products are unknown.
    """
    counts, rounding = operators(proto.SerializeToString()), rounding_products(proto)
    integer = sum(counts[name] for name in INTEGER_OPERATORS) + rounding
    packed = sum(counts[name] for name in PACKED_OPERATORS)
    floating = sum(counts[name] for name in FLOAT_OPERATORS) + packed - rounding
    return integer / (integer + floating) if integer + floating and not counts[UNKNOWN] else None


def _in_the_same_calls(some: ModelInputs, inputs: ModelInputs, batch_size: int) -> bool:
    """Whether the first rows had calls of their own when all rows were run; outputs may depend on the other rows."""
    return len(some) == len(inputs) or (inputs.lengths() is None and len(some) % batch_size == 0)


def _agreement(
    path: str | Path, proto: onnx.ModelProto, output: Array, inputs: ModelInputs, engine: str, batch_size: int
) -> tuple[float, float]:
    """Largest difference of a probability from the reference engine, and share of equal predictions."""
    expected = inputs.outputs(components.load("engines", REFERENCE_ENGINE)(path, threads=1), batch_size)
    difference = float(np.abs(output - expected).max()) / (inputs.unit or 1.0)
    same = _same_share(output, expected, inputs.unit)
    narrow = any(array.dtype in (np.int8, np.uint8, np.float16) for array in stored(proto).values())
    if (narrow and same < AGREEMENT) or (not narrow and not difference <= TOLERANCE):
        what = "probabilities by" if inputs.unit is None else "numbers by standard deviations of the label of"
        raise InputError(
            f"{path}: {engine} and {REFERENCE_ENGINE} disagree: {what} {difference:.2g} (tolerance "
            f"{TOLERANCE:g} for float32), {same:.1%} of predictions equal (at least {AGREEMENT:.0%} for narrower "
            "files)."
        )
    return difference, same


def contents(proto: onnx.ModelProto) -> Contents:
    """Count the parameters of a file and the zeros of its weight tensors; a tensor that several layers share once."""
    arrays: dict[str, Array] = {}
    counted: set[str] = set()
    for name, array in stored(proto).items():
        if parameter(name) not in counted:  # several layers may share it, each in the form that it needs
            counted.add(parameter(name))
            arrays[name] = array
    weights = {name: a for name, a in arrays.items() if a.ndim >= 2}
    total = sum(a.size for a in weights.values())
    zeros = {name: int(np.count_nonzero(a == 0)) for name, a in weights.items()}
    parameters = int(sum(a.size for a in arrays.values() if a.ndim >= 1))
    return {
        "parameters": parameters,
        "bits_per_weight": 8 * _stored_bytes(proto) / parameters if parameters else None,
        "nonzero_weights": total - sum(zeros.values()),
        "layer_sparsity": {name: zeros[name] / a.size for name, a in weights.items()},
    }


def _stored_bytes(proto: onnx.ModelProto) -> int:
    """Bytes of the network's tensors, and of the scales and zero points that belong to them."""
    kept = set(stored(proto)) | scales(proto)
    return sum(array.nbytes for name, array in constants(proto).items() if name in kept)


def rounding_products(proto: onnx.ModelProto) -> int:
    """Count the products of packed weights that multiply integers, because they round their inputs to int8."""
    return sum(
        node.op_type == "MatMulNBits" and attributes(node).get("accuracy_level") == INT8_LEVEL
        for node in nodes(proto.graph)
    )


def stored(proto: onnx.ModelProto) -> dict[str, Array]:
    """Return the network's tensors in a file, by name; packed weights are unpacked, so that each is one number.

    Those of branches and loops are included, and weights that are stored as constants. Scales and zero points of
    quantized weights, sines and cosines of positions, shapes (int64) and texts are left out.
    """
    initializers = {tensor.name for graph in graphs(proto.graph) for tensor in graph.initializer}
    every, left_out = constants(proto), scales(proto)
    multiplied = {name for n in nodes(proto.graph) if kind(n.op_type, n.domain) is not Kind.NONE for name in n.input}
    arrays = {
        name: array
        for name, array in every.items()
        if name not in left_out
        and (is_float(array) or array.dtype.kind in "biuV")
        and array.dtype != np.int64
        and (name in initializers or name in multiplied or (is_float(array) and array.ndim > 1 and array.size > 1))
    }
    for node in nodes(proto.graph):
        packed = arrays.get(node.input[1]) if node.op_type in PACKED_OPERATORS else None
        if packed is not None and packed.dtype == np.uint8:  # not unpacked before, for another product that shares it
            points = every.get(node.input[3]) if len(node.input) > 3 else None
            arrays[node.input[1]] = unpacked(packed, points, **packing(node))
        for name in node.input[POSITIONS.get(node.op_type, slice(0))]:
            arrays.pop(name, None)
    return arrays
