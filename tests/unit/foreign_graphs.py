"""Models of other libraries (tests/oracles/onnx) and of torch, in the form in which a study imports them."""

import io
import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from fairweight.compression.prune_onnx import prune_onnx
from fairweight.compression.quantize import quantize
from fairweight.core import components
from fairweight.core.artifacts import read_json, write_split, write_table
from fairweight.core.table import Table
from fairweight.data.split import parts
from fairweight.inference.import_onnx import import_onnx
from fairweight.inference.imported_graph import read_graph

ORACLES = Path(__file__).parents[1] / "oracles" / "onnx"
ROWS = dict(np.load(ORACLES / "rows.npz"))
FEWER = 5  # trees of each class, for which rows.npz has the probabilities
REGIONS = ("north", "south", "west")


def imported(name, folder):
    """Path of the file of a model, imported: without maps of scores."""
    path = Path(folder) / f"{name}.onnx"
    onnx.save(read_graph(ORACLES / f"{name}.onnx").proto, str(path))
    return path


def table(name):
    """The rows of a model as a study reads them."""
    x = ROWS["x"]
    several = name.endswith("_3") or "labels" in name
    columns = name == "skl_columns"
    named = ("low", "middle", "high") if "labels" in name else ("0", "1", "2")
    region = (x[:, 4] > 0).astype(int) + (x[:, 5] > 1)
    return Table(
        row=np.arange(len(x)),
        file=np.full(len(x), "train", dtype=object),
        label=ROWS["z"] if several else ROWS["y"],
        classes=named if several else named[:2],
        numeric=x[:, :2] if columns else x,
        numeric_names=("age", "income") if columns else tuple("abcdef"),
        categorical=region[:, None] if columns else np.empty((len(x), 0), np.int64),
        levels={"region": REGIONS} if columns else {},
        images=None,
        groups={"sex": np.arange(len(x)) % 2},
        group_levels={"sex": ("f", "m")},
    )


class Study:
    """An imported file, and variants that are made of it by the steps themselves."""

    def __init__(self, folder, source, rows, **options):
        self.folder, self.table = folder, rows
        write_table(folder / "table.parquet", rows)
        write_split(
            folder / "split.parquet", rows.row, parts(rows, name="d", recipe={"test": 0.2, "validation": 0.3}, seed=0)
        )
        self.data = {name: str(folder / f"{name}.parquet") for name in ("table", "split")}
        declared = components.options("architectures", "onnx").items()
        recipe = {name: option["default"] for name, option in declared if "default" in option}
        import_onnx(
            recipe=recipe | {"architecture": "onnx", "file": str(source)} | options,
            **self.data,
            destination=self.path("original.onnx"),
            report=self.path("import.json"),
            name="mine",
        )

    def path(self, name):
        return str(self.folder / name)

    def quantize(self, name="int8", parent="original", **recipe):
        """Path and report of a quantized variant; options are the defaults."""
        method = recipe["method"]
        declared = components.options("quantization", method).items()
        quantize(
            parent=self.path(f"{parent}.onnx"),
            **self.data,
            destination=self.path(f"{name}.onnx"),
            report=self.path(f"{name}.json"),
            recipe={option: schema["default"] for option, schema in declared if "default" in schema} | recipe,
            seed=0,
            variant=name,
        )
        return self.path(f"{name}.onnx"), read_json(self.path(f"{name}.json"))

    def prune(self, name="pruned", parent="original", **recipe):
        """Path and report of a pruned variant."""
        files = {"destination": self.path(f"{name}.onnx"), "report": self.path(f"{name}.json")}
        prune_onnx(parent=self.path(f"{parent}.onnx"), **files, recipe=recipe, variant=name)
        return files["destination"], read_json(files["report"])


def interface(path):
    """Names, types and shapes of inputs and outputs, as a program that runs the file sees them."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [(v.name, v.type, len(v.shape)) for v in (*session.get_inputs(), *session.get_outputs())]


def exported(module, example, *, dynamo, opset=20):
    """The ONNX graph of a torch module, by either exporter, with a free number of rows."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    if dynamo:
        shapes = ({0: torch.export.Dim("rows")},)
        return torch.onnx.export(
            module.eval(), (example,), dynamo=True, dynamic_shapes=shapes, opset_version=opset, verbose=False
        ).model_proto
    content = io.BytesIO()
    names = {"input_names": ["input"], "output_names": ["output"], "dynamic_axes": {"input": [0], "output": [0]}}
    torch.onnx.export(module.eval(), (example,), content, dynamo=False, opset_version=opset, **names)
    return onnx.load_model_from_string(content.getvalue())
