"""Import of a trained PyTorch module: the user's own code, with weights from a safetensors file."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from fairweight.core.artifacts import read_split, read_table, read_tensors, write_json
from fairweight.core.errors import InputError, first_line, listed
from fairweight.core.foreign_models import ForeignModelError, model_format, refuse_foreign
from fairweight.core.local_files import expanded, is_file
from fairweight.core.recipes import MethodRecipe
from fairweight.core.table import Table
from fairweight.inference.binding import by_channel
from fairweight.inference.output_binding import order_of
from fairweight.inference.reference_check import check_imported, verdict
from fairweight.inference.torch_reference import shipped
from fairweight.training.input_encoders import ImageEncoder
from fairweight.training.model import Model, ModelDescription
from fairweight.training.module_surgery import aliases
from fairweight.training.signature import Signature
from fairweight.training.tracing import reason_of
from fairweight.training.written_model import write_checked

TRIED = 1000  # rows on which the module is tried
SUM = 1e-3  # largest distance of a sum of probabilities from 1


def import_torch(
    *,
    recipe: MethodRecipe,
    table: str,
    split: str,
    model: str,
    about: str,
    report: str,
    name: str,
    seed: int,
) -> None:
    """Write a user's PyTorch module as a study's model, after it has been run on the dataset.

    Args:
        recipe: `models: NAME` of the study file: options of the architecture `torch_module`.
        table, split: Parquet files of the data.
        model, about: safetensors and JSON files to write.
        report: JSON file to write: the facts of `check_imported`.
        name: the model's name, for messages.
        seed: of the study.

    Raises:
        InputError: the weights do not fit the module, the module does not fit the dataset, or it disagrees with the
            reference.
    """
    rows, parts = read_table(table), read_split(split)
    place = f"models: {name}"
    try:
        _check_columns(rows)
        built = _built(recipe, rows)
        _load(built, recipe["weights"])
        example = built.encode(rows.take(np.arange(2)))
        built.eval()
        _check_logits(built, rows)
        written = write_checked(
            built,
            model,
            about,
            example,
            place,
            seed=seed,
            replicate=0,
            imported=True,
            sparsity={"all": 0.0},
        )
        source = "as the study file names them" if recipe["classes"] else "in sorted order"
        order = written.about["architecture"]["order"]
        run = shipped(written, written)
        facts = check_imported(
            run, written.signature, recipe, rows, parts, order=order, scores=len(order), classes_from=source
        )
    except ForeignModelError:
        raise
    except InputError as error:
        message = str(error).rstrip(".")
        raise InputError(f"{message if message.startswith(place) else f'{place}: {message}'}.") from None
    write_json(report, {"file": Path(recipe["weights"]).name, "module": recipe["module"], **facts, **verdict(facts)})


def _check_columns(rows: Table) -> None:
    """Refuse inputs that a module cannot take as they are: categories, missing numbers, origins."""
    if rows.levels:
        raise InputError(
            f"a PyTorch module takes numbers, and the inputs {listed(rows.levels)} are categories; write the columns "
            "that the module was trained on into the file, and list them under 'inputs: numeric'"
        )
    missing = [n for n, column in zip(rows.numeric_names, rows.numeric.T, strict=True) if np.isnan(column).any()]
    if missing:
        raise InputError(f"the inputs {listed(missing)} have missing numbers; fill them in as in the module's training")
    if shifted := [column for column, origin in rows.origins.items() if origin]:
        raise InputError(
            f"float32 merges numbers of the inputs {listed(shifted)}; scale them as in the module's training"
        )


def _built(recipe: MethodRecipe, rows: Table) -> Model:
    """The module behind an encoder that passes numbers through, or scales pixels as the recipe says."""
    named = [str(value) for value in recipe["classes"]] if recipe["classes"] else None
    classes = len(rows.classes)
    if named is not None and len(named) > classes:
        raise InputError(
            f"classes: the module has {len(named)} classes, and the dataset has {listed(rows.classes)}; a module needs "
            "one output for each class of the dataset. Add rows of the other classes, or export the model to ONNX"
        )
    order = [int(place) for place in order_of("logits", np.empty((0, classes)), named, None, rows.classes).places]
    signature = Signature.fitted(rows).to_dict()
    description: ModelDescription = {"signature": signature, "architecture": recipe | {"order": order}}
    model = Model(description)
    if recipe["outputs"] is None and classes == 2 and _is_single(model, rows):
        model = Model({**description, "architecture": description["architecture"] | {"outputs": "margin"}})
    encoder = model.encoder
    if isinstance(encoder, ImageEncoder):
        channels, scale = encoder.features[0], float(recipe["scale"])
        for buffer, option, default in ((encoder.mean, "mean", 0.0), (encoder.scale, "std", 1.0)):
            values = by_channel(recipe[option] or [default], channels, option)
            buffer.copy_(scale * torch.tensor(values).view(-1, 1, 1))
    return model


def _is_single(model: Model, rows: Table) -> bool:
    """Whether the user's module returns one number for each of two rows."""
    return _returned(model, rows.take(np.arange(2))).shape in ((2,), (2, 1))


def _returned(model: Model, rows: Table) -> Tensor:
    """What the user's module returns for rows, in its mode for inference.

    Raises:
        InputError: it does not run, or returns something else than a tensor.
    """
    features, network = model.encode(rows), cast(nn.Module, model.body.network).eval()
    try:
        with torch.inference_mode():
            returned: object = network(features)
    except Exception as error:  # whatever a module of a user's own runs into
        raise InputError(
            f"the module cannot be run on rows of the dataset ({reason_of(error)}); it got {tuple(features.shape)}"
        ) from None
    if not isinstance(returned, Tensor):
        raise InputError(f"the module returns a {type(returned).__name__} instead of one tensor of logits")
    return returned


def _check_logits(model: Model, rows: Table) -> None:
    """Refuse a module that returns probabilities, which a softmax would flatten, or outputs of further classes."""
    some, classes = rows.take(np.arange(min(len(rows), TRIED))), len(rows.classes)
    margin = bool(model.body.margin)
    outputs = _returned(model, some).double().reshape(len(some), -1)
    if outputs.shape[1] != (1 if margin else classes):
        raise InputError(f"the module returns {outputs.shape[1]} logits, and the dataset has {classes} classes")
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    if within and (margin or bool(((outputs.sum(dim=1) - 1).abs() < SUM).all())):
        raise InputError(
            "outputs: the module returns probabilities; let it return its logits, without the last "
            f"{'sigmoid' if margin else 'softmax'}"
        )


def _load(model: Model, file: str) -> None:
    """Load the weights into the user's module, in place."""
    path, network = expanded(file), cast(nn.Module, model.body.network)
    if not is_file(path) or model_format(path) != "safetensors":
        refuse_foreign(path)
    try:
        state = {name: torch.from_numpy(array) for name, array in read_tensors(path).items()}
    except (InputError, OSError) as error:
        raise InputError(f"weights: {file} is not a safetensors file ({first_line(error)})") from None
    own = network.state_dict()
    names: dict[str, list[str]] = {}
    for alias, first in aliases(network).items():
        names.setdefault(first, [first]).append(alias)
    for alike in names.values():  # a file may hold a tensor under any of its names
        if kept := [name for name in alike if name in state]:
            state |= {name: state[kept[0]] for name in alike if name not in state}
    problems: list[tuple[str, list[str]]] = [
        ("lacks", [key for key in own if key not in state]),
        ("has, and the module does not,", [key for key in state if key not in own]),
        (
            "has in other shapes",
            [
                f"{k} {tuple(t.shape)}, not {tuple(own[k].shape)}"
                for k, t in state.items()
                if k in own and own[k].shape != t.shape
            ],
        ),
    ]
    for what, keys in problems:
        if keys:
            raise InputError(f"weights: {file} {what} {listed(keys)}; give the state dict of this module")
    network.load_state_dict(state)
