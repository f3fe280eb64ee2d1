"""Storage coding of a model: the coded file, and the model that is decoded from it, which is what is assessed."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fairweight.compression.coded_file import Coded
from fairweight.compression.finetuning import Trained
from fairweight.compression.prune import sparsity
from fairweight.core import components
from fairweight.core.artifacts import atomic, write_json, write_rows
from fairweight.core.errors import InputError
from fairweight.inference.onnx_file import compressed_bytes
from fairweight.training.model import Model
from fairweight.training.train import CURVE, Data


def encode(
    *, parent: str, parent_about: str, table: str, split: str, augmented: str, coded: str, model: str, about: str,
    curve: str, report: str, recipe: dict[str, Any], finetune: dict[str, Any], seed: int, variant: str,
) -> None:  # fmt: skip
    """Code a parent's weights, and decode them again.

    Args:
        parent, parent_about: the parent's safetensors and JSON files.
        table, split, augmented: Parquet files of the data.
        coded: file to write: all that is needed to rebuild the model.
        model, about: safetensors and JSON files to write, from the coded file alone.
        curve: Parquet file to write, of finetuning.
        report: JSON file to write: bytes, against the parent's weights as float32 and as plain zstd codes them.
        recipe: `method` and its options.
        finetune: training recipe of finetuning.
        seed, variant: key of the random streams.

    Raises:
        InputError: the method does not fit the model.
    """
    loaded = Model.load(parent, parent_about)
    described = {k: loaded.about[k] for k in ("signature", "architecture", "ranks", "shapes") if k in loaded.about}
    weights = {name: tensor.numpy().copy() for name, tensor in loaded.state_dict().items()}
    raw = b"".join(np.ascontiguousarray(w).tobytes() for w in weights.values())
    network = Trained(loaded, Data.read(table, split, augmented), finetune, variant=variant, seed=seed)
    options = components.chosen(recipe, "finetune")
    try:
        made = components.load("encodings", recipe["method"])(weights, network, **options)
    except InputError as error:
        raise InputError(f"variants: {variant}: encode: {error}.") from None
    file = Coded(made.header | {"encoding": recipe["method"], "model": described}, made.sections).to_bytes()
    with atomic(coded) as temporary:
        temporary.write_bytes(file)
    decoded = decode(coded)
    decoded.save(model, about, **_kept(loaded), sparsity=sparsity(decoded), encoding=recipe)
    write_rows(curve, network.history, CURVE)
    write_json(report, {
        "method": recipe["method"],
        "coded_bytes": len(file),
        "weights_bytes": len(raw),
        "zstd_bytes": compressed_bytes(raw),
        "size_ratio": len(raw) / len(file),
    })  # fmt: skip


def _kept(model: Model) -> dict[str, Any]:
    return {key: value for key, value in model.about.items() if key in ("recipe", "seed", "replicate")}


def decode(path: str | Path) -> Model:
    """The model that a coded file holds.

    Raises:
        InputError: it is not such a file.
    """
    coded = Coded.from_bytes(Path(path).read_bytes())
    weights = components.load("encodings", coded.header["encoding"], "decode")(coded)
    model = Model(coded.header["model"])
    model.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in weights.items()})
    return model.eval()
