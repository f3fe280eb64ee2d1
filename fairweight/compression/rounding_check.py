"""Check that a quantized file computes the function of its parent, up to the rounding that it states.

How much rounding changes predictions differs: int8 weights move a probability by a thousandth, int4 weights and int8
activations of a transformer by a tenth. The check therefore asks not how large a change is, but whether rounding
explains it (docs/decisions/0041-compressed-files-compute-their-parents-function.md):

1. The outputs of both files are compared on validation rows. A change below UNNOTICED needs no explanation.
2. The weights are read from the quantized file, dequantized, and put into the parent's own graph. What this reference
   computes is what the quantized file should compute, if it rounds weights only.
3. If the file also rounds activations, the same is done to every product of the reference, on the range of its inputs
   in these rows. The effect of that, SLACK times, is what the file may differ from the reference.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fairweight.compression.onnx_graph_edits import load_graph
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference.load_engine import Run
from fairweight.inference.model_checks import rounding_products
from fairweight.inference.operator_kinds import EITHER_OPERATORS, Kind, kind, nodes
from fairweight.inference.quantized_weights import dequantized
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model_inputs import ModelInputs

Array = NDArray[Any]

ROWS, BATCH = 256, 64
# mean distance of outputs: of probabilities, half the sum of their absolute differences; of likelihoods, nats per token
UNNOTICED = 0.01
SLACK = 6.0  # calibrated ranges cut more or less than those of these rows, and files also round outputs: 3.4 was seen
WEIGHTS_SLACK = 1.5  # likewise for weights of which the file shows two rounded forms, or none
MATCH = 0.5  # largest distance of a weight tensor from its rounded form, relative to its own norm
LENGTH = 0.1  # largest difference from 1 of the factor by which a rounded form is longer
SAMPLED = 4096  # values of a tensor by which its rounded form is looked for
UNREAD_BITS = 4  # bits that the weights are taken to be rounded to of which the file shows no rounded form
ROUNDS_ACTIVATIONS = ("DynamicQuantizeLSTM", "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "QuantizeLinear")


class FunctionChecks(TypedDict):
    """Comparison of a quantized file with its parent on validation rows.

    Attributes:
        output_change: mean distance of its outputs from those of the parent.
        unexplained_change: mean distance from those of the reference with rounded weights; None if `output_change`
            needs no explanation.
        explained_limit: largest `unexplained_change` that rounding explains; None likewise.
    """

    output_change: float
    unexplained_change: float | None
    explained_limit: float | None


def check_function(parent: Path, path: Path, run: Run, inputs: ModelInputs, *, likelihoods: bool) -> FunctionChecks:
    """Compare a quantized file with its parent.

    Args:
        parent, path: ONNX files.
        run: the quantized file, loaded.
        inputs: input tensors of validation rows.
        likelihoods: whether outputs are log-likelihoods and numbers of tokens, not probabilities.

    Raises:
        InputError: the outputs change, and rounding does not explain it.
    """
    outputs = _Outputs(inputs, likelihoods)
    actual, expected = outputs.from_run(run), outputs.from_file(parent)
    change = outputs.distance(actual, expected)
    if change <= UNNOTICED:
        return {"output_change": change, "unexplained_change": None, "explained_limit": None}
    if not np.isfinite(actual).all() and np.isfinite(expected).all():
        raise InputError(
            "its outputs are not numbers for some validation rows, and those of the parent are; a value is too large "
            "for the narrower type, choose another method"
        )
    unexplained, limit = _explanation(parent, path, outputs, actual)
    if not unexplained <= limit:
        numbers = "standard deviations of the label"
        unit = "nats per token" if likelihoods else "of probability" if inputs.unit is None else numbers
        raise InputError(
            "predictions are lost: they change more on validation rows than rounding explains "
            f"({change:.2g} {unit} from the parent, {unexplained:.2g} from its graph with the same rounded weights, of "
            f"which rounding explains {limit:.2g}); the method is at fault, choose another one"
        )
    return {"output_change": change, "unexplained_change": unexplained, "explained_limit": limit}


@dataclass
class _Outputs:
    """Outputs of files for the same rows."""

    inputs: ModelInputs
    likelihoods: bool

    def from_run(self, run: Run) -> Array:
        """Probabilities (n, classes), negative log-likelihood per token (n, 1), or standardised numbers (n, 1)."""
        outputs = self.inputs.outputs(run, BATCH) / (self.inputs.unit or 1.0)
        return outputs[:, :1] / np.maximum(outputs[:, 1:], 1) if self.likelihoods else outputs.astype(float)

    def from_file(self, path: Path) -> Array:
        """Outputs of a file in the reference engine."""
        return self.from_run(components.load("engines", REFERENCE_ENGINE)(path, threads=1))

    def from_graph(self, proto: onnx.ModelProto) -> Array:
        """Outputs of a graph in the reference engine."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reference.onnx"
            onnx.save(proto, str(path))
            return self.from_file(path)

    def distance(self, first: Array, second: Array) -> float:
        """Mean over rows: half the sum of absolute differences of probabilities; difference of other outputs."""
        difference = np.abs(first - second).sum(axis=1).mean()
        return float(difference if self.likelihoods or self.inputs.unit is not None else difference / 2)


def _explanation(parent: Path, path: Path, outputs: _Outputs, actual: Array) -> tuple[float, float]:
    """Distance of a file's outputs from those of the reference, and the largest distance that rounding explains."""
    reference, quantized = load_graph(parent), onnx.load(str(path))
    forms = _rounded_forms(reference, quantized)
    _set_weights(reference, {name: form.best for name, form in forms.items() if form.best is not None})
    rounded = outputs.from_graph(reference)
    limit = UNNOTICED
    if several := {name: form.other for name, form in forms.items() if form.other is not None}:
        # two forms of one tensor, such as a float one for a lookup: each may be the one that matters
        limit += WEIGHTS_SLACK * outputs.distance(outputs.from_graph(_with_weights(reference, several)), rounded)
    if unread := {name: _coarse(form.values) for name, form in forms.items() if form.best is None}:
        limit += WEIGHTS_SLACK * outputs.distance(outputs.from_graph(_with_weights(reference, unread)), rounded)
    if _rounds_activations(quantized):
        _round_activations(reference)
        limit += SLACK * outputs.distance(outputs.from_graph(reference), rounded)
    return outputs.distance(actual, rounded), limit


# ---- weights of the quantized file in the parent's graph


@dataclass
class _Form:
    """A weight tensor of the parent, and the tensors of the quantized file that are near it.

    Attributes:
        values: the tensor.
        best, error: the nearest one, laid out as the tensor is, and its relative distance; None where none is near.
        other: another near one with other values.
    """

    values: Array
    best: Array | None = None
    error: float = MATCH
    other: Array | None = None
    sampled: Array = field(default_factory=lambda: np.empty(0))  # values of `best` at the sampled positions


def _rounded_forms(parent: onnx.ModelProto, quantized: onnx.ModelProto) -> dict[str, _Form]:
    """Find the rounded form of every weight tensor of the parent, by its values, among a file's dequantized tensors."""
    forms = {
        tensor.name: _Form(numpy_helper.to_array(tensor))
        for tensor in parent.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1 and max(tensor.dims) > 1
    }
    by_size: dict[int, list[_Form]] = defaultdict(list)
    for form in forms.values():
        by_size[form.values.size].append(form)
    for _, candidate in dequantized(quantized):
        for form in by_size.get(candidate.size, []):
            for layout in _layouts(candidate, form.values.shape):
                _consider(form, layout)
    return forms


def _layouts(candidate: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The candidate in the shape of a tensor: as it is, or with its last two axes exchanged."""
    yield candidate.reshape(shape)
    if candidate.ndim >= 2:
        exchanged = candidate.swapaxes(-1, -2)
        if exchanged.shape[-2:] == shape[-2:]:
            yield exchanged.reshape(shape)


def _consider(form: _Form, candidate: Array) -> None:
    """Take a candidate for the rounded form of a tensor if it is nearer than the one before."""
    step = -(-form.values.size // SAMPLED)
    values = form.values.reshape(-1)[::step].astype(np.float32)
    others = candidate.reshape(-1)[::step].astype(np.float32)
    size = float(np.linalg.norm(values))
    error = float(np.linalg.norm(others - values)) / size if size else float(np.abs(others).max() > 0)
    length = float(others @ values) / size**2 if size else 1.0
    if not (error <= MATCH and abs(length - 1) <= LENGTH + error**2):  # the nearest coarse form is shorter by error^2
        return
    if form.best is None or error < form.error:
        if form.best is not None and not np.array_equal(others, form.sampled):
            form.other = form.best
        form.best, form.error, form.sampled = candidate.astype(np.float32), error, others
    elif not np.array_equal(others, form.sampled):
        form.other = candidate.astype(np.float32)


def _set_weights(proto: onnx.ModelProto, weights: dict[str, Array]) -> None:
    """Replace initializers, in place."""
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weights[tensor.name]), tensor.name))


def _with_weights(proto: onnx.ModelProto, weights: dict[str, Array]) -> onnx.ModelProto:
    """A copy of a graph with other initializers."""
    copied = onnx.ModelProto()
    copied.CopyFrom(proto)
    _set_weights(copied, weights)
    return copied


def _coarse(values: Array) -> Array:
    """A tensor rounded to UNREAD_BITS bits, with one scale."""
    scale = max(float(np.abs(values).max()), 1e-30) / (2 ** (UNREAD_BITS - 1) - 1)
    return (np.round(values / scale) * scale).astype(np.float32)


# ---- activations


def _rounds_activations(proto: onnx.ModelProto) -> bool:
    return any(node.op_type in ROUNDS_ACTIVATIONS for node in nodes(proto.graph)) or rounding_products(proto) > 0


def _round_activations(proto: onnx.ModelProto) -> None:
    """Round the inputs of every product to uint8 on their own range, in place."""
    graph = proto.graph
    stored = {tensor.name for tensor in graph.initializer}
    rounded: dict[str, str] = {}
    made: list[onnx.NodeProto] = []
    for node in graph.node:
        multiplies = kind(node.op_type, node.domain) in (Kind.FLOAT, Kind.PACKED)
        for position in ((0, 1) if node.op_type in EITHER_OPERATORS else (0,)) if multiplies else ():
            name = node.input[position]
            if name in stored:
                continue
            if name not in rounded:
                codes, scale, zero, rounded[name] = (f"{name}.{part}" for part in ("codes", "scale", "zero", "rounded"))
                made.append(helper.make_node("DynamicQuantizeLinear", [name], [codes, scale, zero]))
                made.append(helper.make_node("DequantizeLinear", [codes, scale, zero], [rounded[name]]))
            node.input[position] = rounded[name]
        made.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in made]
    del graph.node[:]
    graph.node.extend(copies)
