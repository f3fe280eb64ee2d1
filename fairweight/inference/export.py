"""Export a float model as the one ONNX file that ships."""

import functools
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight.core.artifacts import atomic, read_json, read_rows, read_split, write_json
from fairweight.core.errors import InputError
from fairweight.core.table import Table
from fairweight.inference import load_engine
from fairweight.inference.onnx_file import put_signature, write_tokenizer
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model import Model
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import DEFAULT_TASK, TOKENS, Feeds, autoregressive

OPSET = 20
# largest difference between torch and the reference engine: of a probability, or of a number in standard deviations of
# the training labels
TOLERANCE = 1e-4
CHECKED_ROWS = 1024


class Shipped(nn.Module):
    """A model as it ships: raw inputs -> output of the task (probabilities (n, classes) for a classification)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the output of the exported file."""
        output: Tensor = self.model.task.shipped(self.model(*inputs))
        return output


def export(*, model: str, about: str, table: str, split: str, destination: str, report: str) -> None:
    """Write a model as one ONNX file, with weights and input encoding, and compare it with torch on validation rows.

    Args:
        model, about: safetensors and JSON files.
        table, split: Parquet files of the data.
        destination: ONNX file to write.
        report: JSON file to write: largest difference of a probability, and its tolerance.

    Raises:
        InputError: the reference engine and torch disagree beyond the tolerance.
    """
    if autoregressive(read_json(about)["signature"].get("task", DEFAULT_TASK)):
        from fairweight.inference import export_causal  # noqa: PLC0415 - the extra `llm`

        export_causal.export(model=model, about=about, destination=destination, report=report)
        return
    loaded = Model.load(model, about)
    shipped = Shipped(loaded).eval()
    rows = read_rows(table, read_split(split)["validation"][:CHECKED_ROWS])
    inputs = ModelInputs.from_rows(loaded.signature, rows)
    proto = exported(loaded, rows)
    with atomic(destination) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        run = load_engine.load(REFERENCE_ENGINE, temporary, threads=1, place=destination, file=destination)
        expected = inputs.outputs(functools.partial(_by_torch, shipped), len(rows))
        difference = float(np.abs(inputs.outputs(run, len(rows)) - expected).max()) / (inputs.unit or 1.0)
        if not difference <= TOLERANCE:
            raise InputError(
                f"{destination}: {REFERENCE_ENGINE} differs from torch by {difference:.2g}, tolerance {TOLERANCE:g}."
            )
    write_tokenizer(destination, loaded.signature)
    write_json(report, {"largest_difference": difference, "tolerance": TOLERANCE, "rows": len(rows), "opset": OPSET})


def _by_torch(shipped: Shipped, feeds: Feeds) -> NDArray[Any]:
    with torch.no_grad():
        return shipped(*(torch.from_numpy(a) for a in feeds.values())).numpy()


def exported(model: Model, rows: Table) -> onnx.ModelProto:
    """Convert a model to an ONNX graph with its signature; at least two rows give the shapes of its inputs."""
    example = ModelInputs.from_rows(model.signature, rows.take(np.arange(2)))
    proto = graph(Shipped(model).eval(), example.at(slice(None)))
    put_signature(proto, model.signature)
    return proto


def graph(shipped: Shipped, feeds: Feeds) -> onnx.ModelProto:
    """Convert a model to an ONNX graph without a signature.

    Args:
        shipped: the model.
        feeds: input tensors of two example rows.
    """
    # two example rows: an exporter may treat a size of one as a constant
    example = tuple(torch.from_numpy(np.resize(array, (2, *array.shape[1:]))) for array in feeds.values())
    # the TorchScript-based exporter: a hundredth of the time of its successor (docs/decisions/0003-onnx-exporter.md)
    output = shipped.model.task.OUTPUT
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        written = Path(folder) / "model.onnx"
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            shipped,
            example,
            str(written),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(feeds),
            output_names=[output],
            dynamic_axes={name: {0: "rows"} | ({1: "length"} if name == TOKENS else {}) for name in [*feeds, output]},
        )
        proto = onnx.load(str(written))
    unshare(proto)
    _strip(proto)
    return proto


def unshare(proto: onnx.ModelProto) -> None:
    """Give every layer its own tensors, in place.

    The exporter lets layers with equal tensors (biases of zero, for example) share one tensor through `Identity`, and a
    quantizer leaves a layer in float if its bias is not a constant.
    """
    graph = proto.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in constants]:
        own = graph.initializer.add()
        own.CopyFrom(constants[node.input[0]])
        own.name = node.output[0]
        graph.node.remove(node)


def _strip(proto: onnx.ModelProto) -> None:
    """Remove the exporter's notes and shorten its names: in a small model they take more bytes than a layer."""
    graph = proto.graph
    for holder in [graph, *graph.node, *graph.input, *graph.output, *graph.initializer]:
        holder.doc_string = ""
    outputs = {value.name for value in graph.output}
    short: dict[str, str] = {}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for position, name in enumerate(node.output):
            if name not in outputs:
                short[name] = node.name if position == 0 else f"{node.name}.{position}"
    for tensor in graph.initializer:
        short[tensor.name] = tensor.name.removeprefix("model.")
        tensor.name = short[tensor.name]
    for node in graph.node:
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
    del graph.value_info[:]
