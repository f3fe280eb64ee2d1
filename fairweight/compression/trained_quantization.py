"""What a quantization method that trains receives: the parent's network, and the function that exports it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairweight.compression.finetuning import Trained
from fairweight.core.recipes import TrainingRecipe
from fairweight.core.table import Table
from fairweight.inference.export import exported
from fairweight.training.model import Model
from fairweight.training.training_data import TrainingData


@dataclass
class Training:
    """What a method that trains receives, and what it has exported.

    Attributes:
        network: the parent's network, which the method trains in place.
        trained: the same as a model.
        rows: rows that give the shapes of a file's inputs.
        exported: content of the last file that the method exported.
    """

    network: Trained
    trained: Model
    rows: Table
    exported: bytes | None = None

    @classmethod
    def start(
        cls,
        table: str,
        split: str,
        weights: Mapping[str, str],
        finetune: TrainingRecipe,
        *,
        variant: str,
        seed: int,
    ) -> "Training":
        """Load the parent's network and the data that it is trained on."""
        trained = Model.load(weights["model"], weights["about"])
        data = TrainingData.read(table, split, weights["augmented"])
        return cls(Trained(trained, data, finetune, variant=variant, seed=seed), trained, data.few())

    def export(self, path: Path) -> None:
        """Write the network in its current state to an ONNX file."""
        self.exported = exported(self.trained, self.rows).SerializeToString()
        path.write_bytes(self.exported)

    def floating(self, path: Path) -> Path:
        """Write the float file whose weights the method has quantized: the last one that it exported."""
        if self.exported is None:
            self.export(path)
        else:
            path.write_bytes(self.exported)
        return path
