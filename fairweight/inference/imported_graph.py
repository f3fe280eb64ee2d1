"""What an ONNX file from elsewhere says of itself: inputs, outputs, classes; and its form as a study keeps it.

The file keeps its own inputs and outputs, so that a compressed one can replace it. Three things may change: maps of
scores (ZipMap) become tensors, external data come inside, and a fixed number of rows becomes free if the graph allows
it.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.external_data_helper import load_external_data_for_tensor

from fairweight.core.errors import InputError, first_line, listed, quoted
from fairweight.inference.operator_kinds import attributes, graphs, nodes

# sets of operators that onnxruntime computes with its own code
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "ai.onnx.preview.training")
LARGEST = 2**31 - 1  # bytes; one ONNX file with its weights inside cannot hold more
STRING = "string"


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph.

    Attributes:
        name: its name.
        type: NumPy's name of its type, `string`, or `map` for a sequence of maps.
        shape: sizes; None where a size is free. None if the file states no shape.
    """

    name: str
    type: str
    shape: tuple[int | None, ...] | None

    @property
    def width(self) -> int | None:
        """Numbers of one row, in all its dimensions after the first; None where a size is free."""
        sizes = (self.shape or (None, None))[1:]
        return None if any(size is None for size in sizes) else math.prod(size or 0 for size in sizes)

    def __str__(self) -> str:
        sizes = "" if self.shape is None else ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} ({self.type}{f' [{sizes}]' if self.shape is not None else ''})"


@dataclass(frozen=True)
class Described:
    """A graph as a study keeps it, and what it says of itself.

    Attributes:
        proto: the graph, with all weights inside and without maps.
        inputs, outputs: its inputs without defaults, and its outputs.
        classes: names of the classes in the order of the scores; None where the file does not say.
        changes: what was changed, in words.
    """

    proto: onnx.ModelProto
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    classes: tuple[str, ...] | None
    changes: tuple[str, ...]


def read_graph(path: Path) -> Described:
    """Read an ONNX file from elsewhere.

    Raises:
        InputError: it is no sound ONNX file, has weights outside its folder, or operators of an unknown set.
    """
    proto, changes = _read(path), []
    if unknown := sorted({node.domain for node in nodes(proto.graph)} - set(DOMAINS) - _own_functions(proto)):
        raise InputError(
            f"{path}: has operators of the set {listed(unknown)}, which onnxruntime does not know; such operators are "
            "code of their own. Export the model with standard operators."
        )
    classes = _classes(proto.graph)
    if removed := _remove_maps(proto.graph):
        changes.append(f"the map of scores {listed(removed)} is a tensor now")
    stored = {tensor.name for tensor in proto.graph.initializer}
    inputs = tuple(_tensor(value) for value in proto.graph.input if value.name not in stored)
    outputs = tuple(_tensor(value) for value in proto.graph.output)
    return Described(proto, inputs, outputs, classes, tuple(changes))


def _read(path: Path) -> onnx.ModelProto:
    """Read a file with its external data, which have to be in its folder."""
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    except Exception as error:  # protobuf raises an error of its own module
        raise InputError(f"{path} is not an ONNX file ({first_line(error)}).") from None
    if not proto.graph.node:
        raise InputError(f"{path} is not an ONNX file: it holds no graph.")
    files = [(tensor, _data_file(path, tensor)) for tensor in _external(proto)]
    try:
        if proto.ByteSize() + sum(_length(tensor, file) for tensor, file in files) > LARGEST:
            raise InputError(f"{path}: is larger than 2 GB with its weights, which one ONNX file cannot hold.")
        for tensor, file in files:
            next(entry for entry in tensor.external_data if entry.key == "location").value = file.name
            load_external_data_for_tensor(tensor, str(file.parent))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: its external data cannot be read ({first_line(error)}).") from None
    return proto


def _external(proto: onnx.ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor whose values are in another file."""
    for graph in graphs(proto.graph):
        values = [value for node in graph.node for value in attributes(node).values()]
        for tensor in [*graph.initializer, *(value for value in values if isinstance(value, TensorProto))]:
            if tensor.data_location == TensorProto.EXTERNAL:
                yield tensor


def _data_file(path: Path, tensor: TensorProto) -> Path:
    """The file with the values of a tensor, without links: in the folder of the model, or of the file it links to."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    folders = [path.absolute().parent, path.resolve().parent]  # in the cache of a hub, both files are links
    files = [folder / location for folder in folders]
    inside = [
        file.resolve()
        for file in files
        if location and any(file.resolve().is_relative_to(folder.resolve()) for folder in folders)
    ]
    if not inside:
        raise InputError(
            f"{path}: tensor {quoted(tensor.name)} is stored in {quoted(location)}, outside of the folder of the file, "
            "and is not read."
        )
    file = next((file for file in inside if file.is_file()), None)
    if file is None:
        raise InputError(f"{path}: its weights are in {quoted(location)}, which is missing beside it.")
    return file


def _length(tensor: TensorProto, file: Path) -> int:
    """Bytes of a tensor in another file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    return int(entries.get("length") or file.stat().st_size - int(entries.get("offset") or 0))


def _own_functions(proto: onnx.ModelProto) -> set[str]:
    """Sets of operators that the file itself defines as functions of standard ones."""
    return {function.domain for function in proto.functions}


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    if not value.type.HasField("tensor_type"):
        return Tensor(value.name, "map", None)
    kind = value.type.tensor_type
    name = STRING
    if kind.elem_type != TensorProto.STRING:
        known = kind.elem_type in helper.get_all_tensor_dtypes() and kind.elem_type != TensorProto.UNDEFINED
        name = helper.tensor_dtype_to_np_dtype(kind.elem_type).name if known else "of no type"
    if not kind.HasField("shape"):
        return Tensor(value.name, name, None)
    sizes = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    return Tensor(value.name, name, sizes)


# ---- classes and maps


def _classes(graph: onnx.GraphProto) -> tuple[str, ...] | None:
    """Names of the classes, from the attributes of the last operator that has them."""
    for node in reversed(graph.node):
        for key, values in attributes(node).items():
            if re.fullmatch(r"class(es|labels)_(strings|int64s|ints)", key) and len(values) > 1:
                return tuple(v.decode() if isinstance(v, bytes) else str(v) for v in values)
    return None


def _remove_maps(graph: onnx.GraphProto) -> list[str]:
    """Let a graph return the tensor of scores under the name of the map that was made of it."""
    removed = []
    for node in [n for n in graph.node if n.op_type == "ZipMap"]:
        (scores,), (name,) = node.input, node.output
        graph.node.remove(node)
        graph.node.append(helper.make_node("Identity", [scores], [name], name=f"{name}.tensor"))
        for value in graph.output:
            if value.name == name:
                value.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]))
                removed.append(name)
    return removed


# ---- free number of rows


def with_free_rows(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a graph whose inputs and outputs state a free number of rows; whether it computes is not known yet."""
    copied = onnx.ModelProto()
    copied.CopyFrom(proto)
    stored = {tensor.name for tensor in copied.graph.initializer}
    for value in (*copied.graph.input, *copied.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name not in stored and dims:
            dims[0].dim_param = "rows"
    del copied.graph.value_info[:]
    return copied


def random_feeds(inputs: tuple[Tensor, ...], rows: int) -> dict[str, np.ndarray[Any, Any]]:
    """Input tensors of `rows` rows of small numbers, for a trial; free sizes other than that of the rows are 1."""
    rng = np.random.default_rng(0)
    feeds = {}
    for tensor in inputs:
        shape = (rows, *(size or 1 for size in (tensor.shape or (None,))[1:]))
        numbers = rng.integers(0, 2, size=shape)
        feeds[tensor.name] = (
            numbers.astype(str).astype(object) if tensor.type == STRING else numbers.astype(tensor.type)
        )
    return feeds
