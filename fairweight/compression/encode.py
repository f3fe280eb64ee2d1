"""Storage coding of a model: writes the coded file, and the model decoded from it, which is the one assessed."""

from pathlib import Path
from typing import cast

import numpy as np

from fairweight.compression.coded_file import Coded
from fairweight.compression.finetuning import Trained
from fairweight.compression.prune import sparsity
from fairweight.core import components
from fairweight.core.artifacts import atomic, write_json
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.inference.onnx_file import compressed_bytes
from fairweight.training.model import Model, ModelDescription
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import write_curve
from fairweight.training.written_model import write_checked


def encode(
    *,
    parent: str,
    parent_about: str,
    table: str,
    split: str,
    augmented: str,
    coded: str,
    model: str,
    about: str,
    curve: str,
    report: str,
    recipe: MethodRecipe,
    finetune: TrainingRecipe,
    seed: int,
    variant: str,
) -> None:
    """Encode the weights of a parent, and decode them again.

    Args:
        parent, parent_about: safetensors and JSON files of the parent.
        table, split, augmented: Parquet files of the data.
        coded: file to write, with everything that is needed to rebuild the model.
        model, about: safetensors and JSON files to write, made from the coded file alone.
        curve: Parquet file to write, the training curve of finetuning.
        report: JSON file to write: bytes of the coded file, of the weights as float32, and of these as plain zstd.
        recipe: `method` and its options.
        finetune: training recipe of finetuning.
        seed, variant: key of the random streams.

    Raises:
        InputError: the method does not fit the model, or the decoded model cannot be used.
    """
    place, loaded = f"variants: {variant}: encode", Model.load(parent, parent_about)
    network = Trained(loaded, TrainingData.read(table, split, augmented), finetune, variant=variant, seed=seed)
    description = _only(loaded.about, "signature", "architecture", "plain", "ranks", "shapes", "attributes")
    weights = {name: tensor.copy() for name, tensor in loaded.tensors().items()}
    raw = b"".join(np.ascontiguousarray(w).tobytes() for w in weights.values())
    options = components.chosen(recipe, "finetune")
    try:
        encoded: Coded = components.load("encodings", recipe["method"])(weights, network, **options)
    except InputError as error:
        raise InputError(f"{place}: {error}.") from None
    header = encoded.header | {"encoding": recipe["method"], "model": description}
    content = Coded(header, encoded.sections).to_bytes()
    with atomic(coded) as temporary:
        temporary.write_bytes(content)
    decoded = decode(coded)
    origin = _only(loaded.about, "recipe", "seed", "replicate")
    origin["sparsity"], origin["encoding"] = sparsity(decoded), recipe
    write_checked(decoded, model, about, network.example, place, **origin)
    write_curve(curve, network.history)
    sizes = {"coded_bytes": len(content), "weights_bytes": len(raw), "zstd_bytes": compressed_bytes(raw)}
    write_json(report, {"method": recipe["method"], **sizes, "size_ratio": len(raw) / len(content)})


def _only(description: ModelDescription, *keys: str) -> ModelDescription:
    """The entries of a description that have these keys, in the order of `keys`."""
    entries = dict(description)
    return cast("ModelDescription", {key: entries[key] for key in keys if key in entries})


def decode(path: str | Path) -> Model:
    """Read the model that a coded file holds.

    Raises:
        InputError: the file is not a file of coded weights.
    """
    coded = Coded.from_bytes(Path(path).read_bytes())
    weights = components.load("encodings", coded.header["encoding"], "decode")(coded)
    model = Model(coded.header["model"])
    model.load_tensors({name: tensor.copy() for name, tensor in weights.items()})
    return model.eval()
