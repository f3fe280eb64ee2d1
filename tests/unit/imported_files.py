"""Small ONNX files as other programs write them, and their import into a study."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fairweight.core import components
from fairweight.core.artifacts import read_json, write_split, write_table
from fairweight.core.table import Table
from fairweight.inference import load_engine
from fairweight.inference.import_onnx import import_onnx
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model_inputs import ModelInputs

FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING
WEIGHTS = {2: [[-2.0, 2.0], [0.02, -0.02]], 3: [[-3.0, 0.0, 3.0], [0.0, 0.5, 0.0]]}


def table(rows=300, classes=2, names=None, seed=0):
    """Rows of two numbers, `x` and `age`, of which the first gives the class."""
    random = np.random.default_rng(seed)
    numeric = np.stack([random.normal(size=rows), random.integers(18, 90, rows)], axis=1).astype(np.float32)
    label = np.digitize(numeric[:, 0], np.quantile(numeric[:, 0], np.arange(1, classes) / classes))
    return Table(
        row=np.arange(rows),
        file=np.full(rows, "all", dtype=object),
        label=label,
        classes=tuple(names or (str(code) for code in range(classes))),
        numeric=numeric,
        numeric_names=("x", "age"),
        categorical=np.empty((rows, 0), np.int64),
        levels={},
        images=None,
    )


def recipe(**changes):
    """Options of the architecture `onnx`."""
    defaults = {name: option.get("default") for name, option in components.options("architectures", "onnx").items()}
    return {"architecture": "onnx", **defaults, **changes}


def bring(folder, rows, proto, **changes):
    """Import a graph, or a file, and return its report; `model.onnx` in the folder is the result."""
    folder = Path(folder)
    file = proto if isinstance(proto, Path) else folder / "given.onnx"
    if not isinstance(proto, Path):
        onnx.save(proto, str(file))
    write_table(folder / "table.parquet", rows)
    write_split(folder / "split.parquet", rows.row, np.arange(len(rows)) % 3)
    import_onnx(
        recipe=recipe(file=str(file), **changes),
        table=str(folder / "table.parquet"),
        split=str(folder / "split.parquet"),
        destination=str(folder / "model.onnx"),
        report=str(folder / "import.json"),
        name="mine",
    )
    return read_json(folder / "import.json")


def run(folder, rows, size=256):
    """Probabilities of an imported file for rows, as the engine of a study returns them."""
    path = Path(folder) / "model.onnx"
    loaded = load_engine.load("onnxruntime", path, threads=1)
    return ModelInputs.from_rows(read_signature(path), rows).outputs(loaded, size)


def value(name, *shape, element=FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def model(nodes, inputs, outputs, tensors=None, opset=17, domains=()):
    graph = helper.make_graph(
        nodes, "graph", inputs, outputs, [numpy_helper.from_array(a, name) for name, a in (tensors or {}).items()]
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(
        graph, opset_imports=[*opsets, *(helper.make_opsetid(d, 1) for d in domains)], ir_version=9
    )


def linear(
    *,
    classes=2,
    rows="rows",
    ending="Softmax",
    inputs=("input",),
    shapes=None,
    element=FLOAT,
    output="probabilities",
    width=None,
    extra=(),
    further=(),
    order=None,
):
    """A linear model of two numbers: logits, then what `ending` makes of them.

    Args:
        classes: number of classes; 1 is a single logit.
        rows: stated number of rows.
        ending: last operator, or None for logits.
        inputs: names of the tensors, one of both columns or one of each.
        shapes: stated shapes of the inputs.
        element: type of the inputs.
        output, width: name and stated width of the output.
        extra, further: nodes, and outputs.
        order: order of the classes among the scores.
    """
    weights = np.array(WEIGHTS[max(classes, 2)], np.float32)
    bias = -np.array([0.0, 0.5 * 50, 0.0], np.float32)[: weights.shape[1]] if classes == 3 else np.zeros(2, np.float32)
    if classes == 1:
        weights, bias = (weights[:, 1:] - weights[:, :1]), np.zeros(1, np.float32)
    if order is not None:
        weights, bias = weights[:, order], bias[list(order)]
    shapes = shapes or [(rows, 2 // len(inputs)) for _ in inputs]
    nodes, columns = [], []
    for name, shape in zip(inputs, shapes, strict=True):
        cast = f"{name}.float"
        nodes.append(helper.make_node("Cast", [name], [cast], to=FLOAT))
        if len(shape) == 1:
            nodes.append(helper.make_node("Reshape", [cast, "column"], [f"{cast}.column"]))
            cast = f"{cast}.column"
        columns.append(cast)
    nodes.append(helper.make_node("Concat", columns, ["features"], axis=1))
    nodes.append(helper.make_node("Gemm", ["features", "W", "b"], ["logits" if ending else output]))
    if ending:
        nodes.append(helper.make_node(ending, ["logits"], [output]))
    tensors = {"W": weights, "b": bias}
    if any(len(shape) == 1 for shape in shapes):
        tensors["column"] = np.array([-1, 1])
    return model(
        [*nodes, *extra],
        [value(name, *shape, element=element) for name, shape in zip(inputs, shapes, strict=True)],
        [*further, value(output, rows, width or weights.shape[1])],
        tensors,
    )


def labels_of(proto, *, strings=None, element=INT64, values=None, column=False):
    """The model with an output `label` beside its scores: position of the largest score, or its name."""
    nodes = [helper.make_node("ArgMax", ["probabilities"], ["code"], axis=1, keepdims=int(column))]
    if strings or values:
        values = {"values_strings": strings} if strings else {"values_int64s": values}
        keys = list(range(len(next(iter(values.values())))))
        nodes.append(
            helper.make_node("LabelEncoder", ["code"], ["label"], domain="ai.onnx.ml", keys_int64s=keys, **values)
        )
    else:
        nodes.append(helper.make_node("Cast", ["code"], ["label"], to=element))
    proto.graph.node.extend(nodes)
    shape = ("n", 1) if column else ("n",)
    proto.graph.output.insert(0, value("label", *shape, element=STRING if strings else element))
    return proto


def only_labels(proto):
    del proto.graph.output[1:]
    return proto
