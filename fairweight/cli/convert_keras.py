"""Convert a Keras, TensorFlow or TFLite model to ONNX; runs in `.venv-convert`, where fairweight is not installed.

`fairweight convert` starts it as a script, with TensorFlow's own Python. It executes no code from a file: Keras loads
in its safe mode, which refuses Lambda layers, and custom objects are refused before anything is built.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

USER_MISTAKE = 3  # exit code, after one sentence on standard error
ROWS = 16  # random rows, on which the converted file is compared with the original
OPEN_SIZE = 8  # of a dimension other than the rows that the model leaves open
UNKNOWN = re.compile(r"(?:Unknown [a-z ]+|Could not locate (?:class|function)):? '([\w.>]+)'")  # in Keras's messages
DEFAULT_SIGNATURE = "serving_default"
# classes of Keras that run what a file holds: Python, a pickle, or a SavedModel of any folder
CODE = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"})
EXPORT = "export it where it was made: model.export('model.onnx', format='onnx')"
# operations that run Python, or that read and write files of any name while a SavedModel is loaded
UNSAFE = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "PrintV2"})


class Refusal(Exception):  # noqa: N818 - not an error of the program
    """A model that is not converted: one sentence."""


class Converted(NamedTuple):
    """An ONNX model, and the original's outputs on random rows."""

    proto: onnx.ModelProto
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


Outputs = dict[str, np.ndarray]


def main() -> None:
    """Convert the model that the command line names; a refusal is one sentence and exit code 3."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, help="ONNX file to write")
    parser.add_argument("rows", type=Path, help="npz file to write: random inputs, and outputs of the original")
    parser.add_argument("--format", choices=list(CONVERTERS), required=True)
    parser.add_argument("--opset", type=int, required=True)
    parser.add_argument("--signature", help="signature of a SavedModel")
    arguments = parser.parse_args()
    try:
        converted = CONVERTERS[arguments.format](arguments.source, arguments.opset, arguments.signature)
        _check_operators(converted.proto)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(USER_MISTAKE)
    onnx.save(converted.proto, arguments.target)
    arrays: dict[str, Any] = {f"input {name}": array for name, array in converted.inputs.items()}
    arrays |= {f"output {name}": array for name, array in converted.outputs.items()}
    np.savez(arguments.rows, **arrays)


# ---- Keras


def from_keras(path: Path, opset: int, _: str | None) -> Converted:
    """Convert a `.keras` archive."""
    with zipfile.ZipFile(path) as archive:
        _refuse_code(json.loads(archive.read("config.json")))
    return _from_keras_file(path, ".keras", opset)


def from_hdf5(path: Path, opset: int, _: str | None) -> Converted:
    """Convert a whole model in an HDF5 file, as Keras 2 wrote it."""
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
    if config is None:
        raise Refusal("it holds no network, only weights; save the whole model: model.save('model.keras')")
    _refuse_code(json.loads(config))
    return _from_keras_file(path, ".h5", opset)


def _refuse_code(config: object) -> None:
    """Refuse what needs code that is not Keras's own, before Keras reads the configuration."""
    for module, name, registered in _classes(config):
        if name in CODE:
            raise Refusal(
                f"it has a layer {name.strip('_')!r}, which holds code; replace it by other layers, such as "
                f"keras.layers.Rescaling, or {EXPORT}"
            )
        if registered not in (None, name) or (module not in (None, "builtins") and module.split(".")[0] != "keras"):
            _refuse_class(name)
        if module is None and registered is not None:
            _refuse_class(name)


def _refuse_class(name: str) -> None:
    raise Refusal(f"it needs the code of {name!r}, which is not Keras's own; {EXPORT}")


def _classes(config: object) -> Iterator[tuple[str | None, str, str | None]]:
    """Module, name and registered name of every object of a configuration."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config.get("module"), config["class_name"], config.get("registered_name")
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)


def _from_keras_file(path: Path, suffix: str, opset: int) -> Converted:
    with tempfile.TemporaryDirectory() as folder:
        linked = Path(folder) / f"model{suffix}"  # Keras goes by the name, and we by the content
        linked.symlink_to(path.resolve())
        try:
            model = keras.saving.load_model(linked, compile=False, safe_mode=True)
        except Exception as error:
            if unknown := UNKNOWN.search(str(error)):
                _refuse_class(unknown[1])
            raise Refusal(f"Keras {keras.__version__} does not load it ({_first_line(error)})") from None
    if not getattr(model, "inputs", None):
        raise Refusal("its inputs have no shape; call it once with a batch, and save it again")
    if isinstance(model, keras.Sequential):  # it names its outputs once it was called
        model = keras.Model(model.inputs, model.outputs)
    flat = keras.tree.flatten(model.input)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in flat]

    def predict(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(keras.tree.pack_sequence_as(model.input, list(tensors)), training=False)
        return dict(zip(model.output_names, keras.tree.flatten(outputs), strict=True))

    return _from_function(predict, specs, list(model.output_names), opset)


# ---- TensorFlow


def from_savedmodel(path: Path, opset: int, signature: str | None) -> Converted:
    """Convert one signature of a SavedModel."""
    _refuse_unsafe(path / "saved_model.pb")
    try:
        loaded = tf.saved_model.load(path)
    except Exception as error:
        raise Refusal(f"TensorFlow {tf.__version__} does not load it ({_first_line(error)})") from None
    names = sorted(loaded.signatures)
    chosen = signature or (DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in names or len(names) != 1 else names[0])
    if chosen not in names:
        raise Refusal(f"it has no signature {chosen!r}; choose by --signature from: {', '.join(names) or 'none'}")
    served = loaded.signatures[chosen]
    taken = served.structured_input_signature[1]
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in taken.items()]

    def predict(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return served(**dict(zip(taken, tensors, strict=True)))

    return _from_function(predict, specs, sorted(served.structured_outputs), opset)


def _refuse_unsafe(path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415 - TensorFlow loads such modules itself

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except Exception:
        raise Refusal(f"{path.name} is damaged; save the model again") from None
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    used = {node.op for graph in graphs for node in graph.node}
    used |= {node.op for graph in graphs for function in graph.library.function for node in function.node_def}
    if unsafe := sorted(used & UNSAFE):
        raise Refusal(f"it uses {', '.join(unsafe)}, which runs Python or reads and writes files; remove it")


def _from_function(predict: Callable, specs: list[tf.TensorSpec], outputs: list[str], opset: int) -> Converted:
    """Convert a function of TensorFlow, and call it with random rows.

    Args:
        predict: from tensors to a dictionary of tensors.
        specs: of its arguments.
        outputs: keys of the dictionary, in the model's order.
        opset: version of ONNX's operators.
    """
    function = tf.function(predict, input_signature=specs)
    proto, _ = tf2onnx.convert.from_function(
        function, specs, opset=opset, custom_op_handlers={"Erfc": (_complementary_error, [])}
    )
    _keep_constants(proto, function.get_concrete_function(*specs))
    _order_outputs(proto, outputs)
    _name_rows(proto)
    arrays = {spec.name: _random(spec.shape, spec.dtype.as_numpy_dtype) for spec in specs}
    answers: Outputs = {}
    with contextlib.suppress(tf.errors.OpError, ValueError, TypeError):  # inputs that random numbers do not suit
        tensors = [tf.constant(array) for array in arrays.values()]
        answers = {name: tensor.numpy() for name, tensor in function(*tensors).items()}
    return Converted(proto, arrays, answers)


def _complementary_error(graph: Any, node: Any, name: str, _: list) -> None:
    """Write Erfc, with which Keras computes `gelu` and which ONNX lacks, as 1 - Erf."""
    kind = tf2onnx.utils.map_onnx_to_numpy_type(graph.get_dtype(node.output[0]))
    shapes, types = node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    error = graph.make_node("Erf", node.input, shapes=shapes, dtypes=types)
    constant = graph.make_const(tf2onnx.utils.make_name("one"), np.array(1, kind))
    terms = [constant.output[0], error.output[0]]
    graph.make_node("Sub", terms, outputs=node.output, name=name, shapes=shapes, dtypes=types)


def _keep_constants(proto: onnx.ModelProto, function: Any) -> None:
    """tf2onnx makes inputs of tensors that a layer holds beside its variables, such as the mean of `Normalization`."""
    held = function.captured_inputs
    placeholders = function.inputs[len(function.inputs) - len(held) :]
    values = {
        inner.name: value.numpy()
        for inner, value in zip(placeholders, held, strict=True)
        if value.dtype != tf.dtypes.resource
    }
    inputs = [value for value in proto.graph.input if value.name not in values]
    constants = [value.name for value in proto.graph.input if value.name in values]
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(values[name], name) for name in constants)
    copies = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in inputs]
    del proto.graph.input[:]
    proto.graph.input.extend(copies)


def _order_outputs(proto: onnx.ModelProto, names: list[str]) -> None:
    """TensorFlow sorts the outputs by name; the model's own order is kept."""
    outputs = {value.name: onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in proto.graph.output}
    if set(outputs) == set(names):
        del proto.graph.output[:]
        proto.graph.output.extend(outputs[name] for name in names)


# ---- TFLite


def from_tflite(path: Path, opset: int, _: str | None) -> Converted:
    """Convert a TFLite model; one whose weights are int8 computes in float afterwards."""
    try:
        interpreter = tf.lite.Interpreter(str(path))
        interpreter.allocate_tensors()
    except Exception as error:
        raise Refusal(f"TensorFlow {tf.__version__} does not load it ({_first_line(error)})") from None
    try:
        proto, _ = tf2onnx.convert.from_tflite(str(path), opset=opset)
    except Exception as error:
        raise Refusal(f"tf2onnx {tf2onnx.__version__} does not convert it ({_first_line(error)})") from None
    details = {"input": interpreter.get_input_details(), "output": interpreter.get_output_details()}
    names = _plain_names(details, interpreter.get_signature_list())
    _rename(proto.graph, names)
    _name_rows(proto)
    arrays = {
        names[each["name"]]: _random((None, *each["shape_signature"][1:]), each["dtype"]) for each in details["input"]
    }
    answers: Outputs = {}
    with contextlib.suppress(ValueError, RuntimeError):
        answers = _interpreted(interpreter, details, arrays, names)
    return Converted(proto, arrays, answers)


def _plain_names(details: dict[str, list[dict]], signatures: dict[str, dict]) -> dict[str, str]:
    """Names of tensors -> names of the signature, where they can be matched, or the tensors' without decoration."""
    signature: dict[str, list[str]] = next(iter(signatures.values()), {"inputs": [], "outputs": []})
    names = {}
    for kind, tensors in details.items():
        listed = signature[f"{kind}s"]
        for each in tensors:
            plain = each["name"].removeprefix(f"{DEFAULT_SIGNATURE}_").split(":")[0]
            names[each["name"]] = listed[0] if len(listed) == len(tensors) == 1 else plain
    return names if len(set(names.values())) == len(names) else {name: name for name in names}


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Rename tensors of a graph and of the graphs in it."""
    for value in [*graph.input, *graph.output, *graph.value_info]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)


def _interpreted(interpreter: Any, details: dict[str, list[dict]], arrays: Outputs, names: dict[str, str]) -> Outputs:
    """Outputs of a TFLite model, one row after the other: many of them have a fixed batch of one row."""
    rows: list[list[np.ndarray]] = []
    for number in range(ROWS):
        for each in details["input"]:
            interpreter.set_tensor(each["index"], arrays[names[each["name"]]][number : number + 1])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(each["index"]) for each in details["output"]])
    parts = zip(*rows, strict=True)
    return {names[each["name"]]: np.concatenate(part) for each, part in zip(details["output"], parts, strict=True)}


# ---- what all share


def _random(shape: Any, dtype: Any) -> np.ndarray:
    """Random rows: numbers from 0 to 1, of integers 0 and 1, which every table of codes has."""
    sizes = [ROWS if place == 0 else (size or OPEN_SIZE) for place, size in enumerate(shape)]
    sizes = [OPEN_SIZE if size < 0 else size for size in sizes]
    numbers = np.random.default_rng(0)
    kind = np.dtype(dtype)
    if kind.kind in "iub":
        return numbers.integers(0, 2, sizes).astype(kind)
    return numbers.random(sizes).astype(kind) if kind.kind == "f" else np.full(sizes, "a", dtype=object)


def _name_rows(proto: onnx.ModelProto) -> None:
    """Call the open first dimension of inputs and outputs `rows`."""
    for value in [*proto.graph.input, *proto.graph.output]:
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and not dimensions[0].HasField("dim_value"):
            dimensions[0].dim_param = "rows"


def _check_operators(proto: onnx.ModelProto) -> None:
    """tf2onnx leaves what it cannot convert in the graph, as operators that do not exist."""
    versions = {each.domain: each.version for each in proto.opset_import}
    missing = {
        node.op_type
        for node in proto.graph.node
        if not onnx.defs.has(node.op_type, versions.get(node.domain, 1), node.domain)
    }
    if missing:
        raise Refusal(
            f"tf2onnx {tf2onnx.__version__} cannot convert its operations {', '.join(sorted(missing))}; put them before"
            " the model, as a step of your data, such as the look-up of text"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


CONVERTERS: dict[str, Callable[[Path, int, str | None], Converted]] = {
    "keras": from_keras,
    "hdf5": from_hdf5,
    "savedmodel": from_savedmodel,
    "tflite": from_tflite,
}

if __name__ == "__main__":
    os.umask(0o077)
    main()
