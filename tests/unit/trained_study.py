"""Files of one small study, made by the steps themselves, for tests of every wing."""

import numpy as np
import onnx

from fairweight.compression.prune import prune
from fairweight.compression.quantize import quantize
from fairweight.core import components
from fairweight.core.artifacts import read_json, write_augmented, write_split, write_table
from fairweight.core.table import Augmented
from fairweight.data.split import parts
from fairweight.inference.export import export
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model import Model
from fairweight.training.model_inputs import input_tensors
from fairweight.training.train import train

RECIPE = {
    "epochs": 4,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "schedule": "constant",
    "momentum": 0.9,
    "weight_decay": 0.0,
    "batch_size": 32,
    "micro_batch_size": None,
    "shuffle": "rows",
    "patience": None,
    "select": "loss",
    "objective": {"method": "standard"},
    "head_learning_rate": None,
    "adapt": {"method": "full"},
    "precision": "float32",
}
MLP = {"architecture": "mlp", "hidden": [32, 16]}


class Study:
    """Files of one small study below a folder."""

    def __init__(self, folder, table, architecture=MLP):
        self.folder, self.table, self.architecture = folder, table, architecture
        write_table(folder / "table.parquet", table)
        part = parts(table, name="d", recipe={"test": 0.2, "validation": 0.2}, seed=0)
        write_split(folder / "split.parquet", table.row, part)
        self.training = table.take(np.flatnonzero(part == 0))
        nothing = Augmented.nothing(self.training)
        write_augmented(folder / "augmented.parquet", [(nothing, self.training.row)], self.training)
        self.data = {name: str(folder / f"{name}.parquet") for name in ("table", "split", "augmented")}

    def path(self, name):
        return str(self.folder / name)

    def train(self, name="dense", **changes):
        recipe = RECIPE | {k: v for k, v in changes.items() if k in RECIPE}
        keys = {"seed": 0, "replicate": 0} | {k: v for k, v in changes.items() if k not in RECIPE}
        outputs = {
            "model": self.path(f"{name}.st"),
            "about": self.path(f"{name}.json"),
            "curve": self.path(f"{name}.parquet"),
        }
        train(**self.data, **outputs, architecture=self.architecture, recipe=recipe, **keys)
        return Model.load(outputs["model"], outputs["about"])

    def prune(self, name="pruned", epochs=2, sparsity=0.8, recipe=None, **changes):
        outputs = {
            "model": self.path(f"{name}.st"),
            "about": self.path(f"{name}.json"),
            "curve": self.path(f"{name}.parquet"),
        }
        prune(
            parent=self.path("dense.st"),
            parent_about=self.path("dense.json"),
            **self.data,
            **outputs,
            recipe=recipe or {"method": "global_magnitude", "sparsity": sparsity, "finetune": {}},
            finetune=RECIPE | {"epochs": epochs} | changes,
            seed=0,
            variant="pruned",
        )
        return Model.load(outputs["model"], outputs["about"])

    def export(self, name="dense"):
        export(
            model=self.path(f"{name}.st"),
            about=self.path(f"{name}.json"),
            table=self.data["table"],
            split=self.data["split"],
            destination=self.path(f"{name}.onnx"),
            report=self.path(f"{name}.export.json"),
        )
        return self.path(f"{name}.onnx")

    def quantize(self, name="int8", **recipe):
        quantize(
            parent=self.path("dense.onnx"),
            table=self.data["table"],
            split=self.data["split"],
            destination=self.path(f"{name}.onnx"),
            report=self.path(f"{name}.quantize.json"),
            recipe=recipe,
            seed=0,
            variant=name,
            finetune=RECIPE,
            weights={
                "model": self.path("dense.st"),
                "about": self.path("dense.json"),
                "augmented": self.data["augmented"],
            },
        )
        return self.path(f"{name}.onnx"), read_json(self.path(f"{name}.quantize.json"))


def run(path, table):
    return components.load("engines", "onnxruntime")(path, threads=1)(input_tensors(read_signature(path), table))


def foreign(source, destination):
    """The same file with its first activation made by an operator of another's library."""
    proto = onnx.load(source)
    node = next(n for n in proto.graph.node if n.op_type == "Relu")
    node.op_type, node.domain = "Wavelet", "my.own"
    proto.opset_import.add(domain="my.own", version=1)
    onnx.save(proto, destination)
    return destination
