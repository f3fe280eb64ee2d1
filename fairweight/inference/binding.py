"""Bind an imported graph to a dataset: which columns fill which input, which output is read, and what it holds.

What the file says is taken from it. What it does not say is asked for in one sentence, which names the option of the
model in the study file.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.errors import InputError, listed, quoted
from fairweight.inference.imported_graph import STRING, Described, Tensor
from fairweight.training.signature import BoundInput, Content, Part, Pixels

Array = NDArray[Any]

# names that exporters of text models give to their inputs
TEXT_PARTS: dict[str, Part] = {"input_ids": "tokens", "attention_mask": "mask", "token_type_ids": "segments"}
SCORES = re.compile(r"prob|score|softmax|sigmoid", re.IGNORECASE)
SUM = 1e-3  # largest distance of a sum of probabilities from 1
LEGAL = {"float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool", STRING}


@dataclass(frozen=True)
class Columns:
    """What the rows of a dataset offer to a model.

    Attributes:
        numeric, categorical: names of the input columns.
        image: channels, height, width; None without images.
        text: whether rows are texts.
        classes: names of the classes; of two, the second is the positive one.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    image: tuple[int, ...] | None
    text: bool
    classes: tuple[str, ...]


def bind_inputs(
    described: Described, recipe: Mapping[str, Any], columns: Columns
) -> tuple[list[BoundInput], Pixels | None]:
    """Find the columns of each input tensor.

    Args:
        described: the graph.
        recipe: options of the architecture `onnx`.
        columns: what the dataset offers.

    Returns:
        The bound inputs; and how pixels are scaled, for images.

    Raises:
        InputError: an input cannot be filled, or a name of the option `inputs` does not exist.
    """
    for tensor in described.inputs:
        if tensor.type not in LEGAL:
            raise InputError(f"input {tensor} has a type that no column can fill.")
    if columns.text:
        return _texts(described), None
    if columns.image is not None:
        bound, layout = _image(described, recipe, columns.image)
        channels = columns.image[0]
        pixels: Pixels = {
            "layout": layout,
            "scale": float(recipe["scale"]),
            "mean": by_channel(recipe["mean"] or [0.0], channels, "mean"),
            "std": by_channel(recipe["std"] or [1.0], channels, "std"),
        }
        return [bound], pixels
    named = _named(described, recipe["inputs"], columns)
    return [_tabular(tensor, named[tensor.name], columns) for tensor in described.inputs], None


def _texts(described: Described) -> list[BoundInput]:
    unknown = [str(tensor) for tensor in described.inputs if tensor.name not in TEXT_PARTS]
    if unknown or not described.inputs:
        raise InputError(f"a model for texts takes {listed(TEXT_PARTS)}, and this one takes {listed(unknown)}.")
    return [{"name": t.name, "type": t.type, "columns": [], "part": TEXT_PARTS[t.name]} for t in described.inputs]


def _image(described: Described, recipe: Mapping[str, Any], image: tuple[int, ...]) -> tuple[BoundInput, Any]:
    if len(described.inputs) != 1:
        raise InputError(f"a model for images takes one input, and this one takes {listed(described.inputs)}.")
    (tensor,) = described.inputs
    channels, height, width = image
    shapes = {
        "NCHW": (channels, height, width),
        "NHWC": (height, width, channels),
        "flat": (channels * height * width,),
    }
    sizes = tensor.shape[1:] if tensor.shape is not None else None

    def fits(layout: str) -> bool:
        wanted = shapes[layout]
        return sizes is None or (
            len(sizes) == len(wanted) and all(size in (None, want) for size, want in zip(sizes, wanted, strict=True))
        )

    fitting = [layout for layout in shapes if fits(layout)]
    if recipe["layout"] is not None:
        fitting = [layout for layout in fitting if layout == recipe["layout"]]
    if not fitting:
        raise InputError(
            f"input {tensor} does not take the images of the dataset, which have {channels} channels, {height} rows "
            f"and {width} columns" + (f", as {recipe['layout']}." if recipe["layout"] else ".")
        )
    if len(fitting) > 1 and shapes[fitting[0]] != shapes[fitting[1]]:
        raise InputError(f"input {tensor} may be {' or '.join(fitting)}; set 'layout'.")
    return {"name": tensor.name, "type": tensor.type, "columns": [], "part": "pixels"}, fitting[0]


def by_channel(values: Sequence[float], channels: int, option: str) -> list[float]:
    """One number for each channel of an image, from an option of the study file with one number or one for each.

    Raises:
        InputError: the option has another number of numbers.
    """
    if len(values) not in (1, channels):
        raise InputError(f"{option}: has {len(values)} numbers for {channels} channels; give one, or one for each.")
    return [float(value) for value in values] * (channels if len(values) == 1 else 1)


def _named(described: Described, given: Mapping[str, Any] | None, columns: Columns) -> dict[str, list[str]]:
    """Input tensor -> its columns, in order: as the recipe says, or by name and number."""
    every = [*columns.numeric, *columns.categorical]
    tensors = described.inputs
    if given:
        named = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items()}
        for name in named:
            if name not in {tensor.name for tensor in tensors}:
                raise InputError(f"inputs: the file has no input {quoted(name)}; it takes {listed(tensors)}.")
        for tensor in tensors:
            if tensor.name not in named:
                raise InputError(f"inputs: input {tensor} of the file is not given; name its columns.")
        for name in [name for of_tensor in named.values() for name in of_tensor]:
            if name not in every:
                raise InputError(f"inputs: {quoted(name)} is no input column of the dataset; it has {listed(every)}.")
        return named
    if len(tensors) == 1:
        return {tensors[0].name: every}
    by_name = {plain(column): column for column in every}
    matched = {tensor.name: [by_name[plain(tensor.name)]] for tensor in tensors if plain(tensor.name) in by_name}
    rest = [tensor for tensor in tensors if tensor.name not in matched]
    if not rest:
        return matched
    if not matched and len(rest) == 2 and {tensor.type == STRING for tensor in rest} == {True, False}:
        return {t.name: list(columns.categorical if t.type == STRING else columns.numeric) for t in rest}
    raise InputError(
        f"inputs: {listed(rest)} of the file have the name of no input column of the dataset ({listed(every)}); name "
        "the columns of each with 'inputs'."
    )


def plain(name: str) -> str:
    """A name as exporters may have changed it: letters and digits, in lower case."""
    return re.sub(r"\W|_", "", name).lower()


def _tabular(tensor: Tensor, names: list[str], columns: Columns) -> BoundInput:
    rank = 2 if tensor.shape is None else len(tensor.shape)
    width = None if tensor.shape is None or rank != 2 else tensor.shape[1]
    if rank not in (1, 2):
        raise InputError(f"input {tensor} takes {rank} dimensions; the rows of the dataset are tabular.")
    if (width is not None and width != len(names)) or (rank == 1 and len(names) != 1):
        raise InputError(
            f"input {tensor} takes {width if rank == 2 else 1} columns, and the dataset has {len(names)} for it "
            f"({listed(names)}); name the right ones, in the order of the model's training, with 'inputs'."
        )
    if tensor.type == STRING and (numbers := [name for name in names if name in columns.numeric]):
        raise InputError(
            f"input {tensor} takes texts, and {listed(numbers)} are numeric inputs of the dataset; make them "
            "categorical there."
        )
    part: Part = "vector" if rank == 1 else "matrix"
    return {"name": tensor.name, "type": tensor.type, "columns": names, "part": part}


# ---- output


def choose_output(described: Described, name: str | None) -> Tensor:
    """Output that is read: the one of that name, or the one that looks like scores of the classes.

    Raises:
        InputError: there is no such output, or several could be meant.
    """
    outputs = described.outputs
    if name is not None:
        for tensor in outputs:
            if tensor.name == name:
                return tensor
        raise InputError(f"output: the file has no output {quoted(name)}; it has {listed(outputs)}.")
    scores = [t for t in outputs if t.type.startswith("float") and (t.shape is None or len(t.shape) in (1, 2))]
    named = [tensor for tensor in scores if SCORES.search(tensor.name)]
    if len(scores) > 1 and len(named) != 1:
        raise InputError(f"output: the file has several outputs that could be scores ({listed(scores)}); set 'output'.")
    if scores:
        return named[0] if len(named) == 1 else scores[0]
    labels = [t for t in outputs if t.type == STRING or t.type.startswith(("int", "uint", "bool"))]
    if len(labels) != 1:
        raise InputError(f"output: none of the file's outputs ({listed(outputs)}) are scores or labels of classes.")
    return labels[0]


def content_of(values: Array, tensor: Tensor, chosen: Content | None, classes: int) -> Content:
    """What an output holds, from its values for some rows.

    Args:
        values: the output for n rows.
        tensor: its description.
        chosen: option `content`; None looks at the values.
        classes: number of classes of the dataset.

    Raises:
        InputError: the values are no scores of classes.
    """
    if values.dtype.kind in "OUSiub":
        if chosen not in (None, "labels"):
            raise InputError(f"content: output {tensor} holds labels, and not {chosen}.")
        return "labels"
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    if not np.isfinite(flat).all():
        rows = np.flatnonzero(~np.isfinite(flat).all(axis=1))
        raise InputError(
            f"output {tensor} is not a number for {len(rows):,} of {len(flat):,} rows, the first of them number "
            f"{rows[0]}; are values missing there that the model cannot take?"
        )
    if chosen is not None:
        return chosen
    within = bool(((flat >= -SUM) & (flat <= 1 + SUM)).all())
    if flat.shape[1] == 1:
        if within and classes == 2:
            return "positive"
        if within:
            raise InputError(f"output {tensor} is one number for each row, and the dataset has {classes} classes.")
        raise InputError(
            f"output {tensor} is one number for each row, and not all are between 0 and 1; if they are logits of the "
            "positive class, set 'content: margin'; models of regression are not supported."
        )
    if within and bool((np.abs(flat.sum(axis=1) - 1) <= SUM).all()):
        return "probabilities"
    if within and bool((flat.sum(axis=1) > 1 + SUM).any()):
        raise InputError(
            f"output {tensor} holds numbers between 0 and 1 that do not sum to 1; if each is a logit, set 'content: "
            "logits'; several labels for one row are not supported."
        )
    return "logits"


def order_of(content: str, width: int, named: Sequence[str] | None, classes: Sequence[str]) -> list[int | str]:
    """For each class of the dataset, its position among the scores of a file.

    Args:
        content: of the output.
        width: number of its columns.
        named: names of the classes in the order of the scores; None is the sorted order, as scikit-learn has it.
        classes: names of the classes of the dataset.

    Raises:
        InputError: the file has other classes than the dataset.
    """
    names = list(named) if named is not None else sort_classes(classes)
    scores = 2 if content in ("positive", "margin") else width
    if content != "labels" and len(names) != scores:
        raise InputError(
            f"classes: the file has scores of {scores} classes, and {len(names)} classes are named ({listed(names)}); "
            "name them with 'classes', in the order of the scores."
        )
    plain = {_class_key(name): position for position, name in enumerate(names)}
    if missing := [name for name in classes if _class_key(name) not in plain]:
        raise InputError(
            f"classes: the file has the classes {listed(names)}, and the dataset has {listed(missing)}; name them with "
            "'classes' as the dataset does, in the order of the scores."
        )
    if content == "labels":
        return [names[plain[_class_key(name)]] for name in classes]
    return [plain[_class_key(name)] for name in classes]


def sort_classes(classes: Sequence[str]) -> list[str]:
    """Names of classes in the order that scikit-learn gives them: numbers by value, else by the alphabet."""
    try:
        return sorted(classes, key=float)
    except ValueError:
        return sorted(classes)


def _class_key(name: str) -> str:
    """A class as the file and the dataset may both write it: `1`, `1.0` and `True` are one."""
    text = {"true": "1", "false": "0"}.get(str(name).strip().lower(), str(name).strip())
    try:
        return f"{float(text):g}" if float(text).is_integer() else text
    except (ValueError, OverflowError):
        return text
