"""Bind the inputs of an imported graph to a dataset: which columns fill which input, and whether its type holds them.

What the file says is taken from it. What it does not say is asked for in one sentence, which names the option of the
model in the study file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairweight.core.errors import InputError, did_you_mean, listed, quoted, shown
from fairweight.core.table import MISSING, Table
from fairweight.inference.imported_graph import STRING, Described, Tensor
from fairweight.training.model_inputs import column_numbers, number_of
from fairweight.training.signature import BoundInput, Part, Pixels

# names that exporters of text models give to their inputs
TEXT_PARTS: dict[str, Part] = {"input_ids": "tokens", "attention_mask": "mask", "token_type_ids": "segments"}
LEGAL = {"float16", "float32", "float64", "bool", STRING}
LEGAL |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


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
        if "int" in bound["type"] and (float(recipe["scale"]) != 1 or recipe["mean"] or recipe["std"]):
            raise InputError(
                f"input {described.inputs[0]} takes whole numbers, which scaled pixels are not; leave out 'scale', "
                "'mean' and 'std'"
            )
        channels = columns.image[0]
        pixels: Pixels = {
            "layout": layout,
            "scale": float(recipe["scale"]),
            "mean": by_channel(recipe["mean"] or [0.0], channels, "mean"),
            "std": by_channel(recipe["std"] or [1.0], channels, "std"),
        }
        return [bound], pixels
    check_no_states(described.inputs)
    named = _named(described, recipe["inputs"], columns)
    return [_tabular(tensor, named[tensor.name], columns) for tensor in described.inputs], None


def check_no_states(tensors: Sequence[Tensor]) -> None:
    """Refuse inputs that are no columns of a row: a state that calls hand on, or a setting.

    Several dimensions of known sizes are filled by as many columns.

    Raises:
        InputError: there is such an input.
    """
    rows = {tensor.shape[0] for tensor in tensors if tensor.shape}  # one number, fixed or free, if all are columns
    for tensor in tensors:
        if tensor.shape is None:
            continue
        several = len(tensor.shape) > 2
        if not tensor.shape or (several and (tensor.width is None or len(rows) > 1)):
            raise InputError(
                f"input {tensor} has {len(tensor.shape)} dimensions, which columns do not fill; make a state or a "
                "setting a constant of the file, and let the model take a row of columns."
            )


def _texts(described: Described) -> list[BoundInput]:
    unknown = [
        str(tensor)
        for tensor in described.inputs
        if tensor.name not in TEXT_PARTS
        or tensor.type == STRING
        or (tensor.shape is not None and len(tensor.shape) != 2)
    ]
    if unknown or not described.inputs:
        raise InputError(
            f"a model for texts takes tensors of tokens (n, length) with the names {listed(TEXT_PARTS)}, and this one "
            f"takes {listed(unknown)}; of a model that takes the text itself, list its column under 'inputs: "
            "categorical' of the dataset."
        )
    return [{"name": t.name, "type": t.type, "columns": [], "part": TEXT_PARTS[t.name]} for t in described.inputs]


def text_length(described: Described, length: int) -> tuple[int, int | None]:
    """Largest number of tokens of one text, and the number that every text is padded to.

    Args:
        described: the graph of a model for texts.
        length: option `length` of the architecture.

    Returns:
        A file that states the length of its rows is given rows of that length; otherwise the second number is None.

    Raises:
        InputError: its inputs state different lengths.
    """
    lengths = {t.shape[1] for t in described.inputs if t.shape is not None and t.shape[1] is not None}
    if len(lengths) > 1:
        raise InputError(f"the inputs take different numbers of tokens ({listed(described.inputs)}).")
    fixed = next(iter(lengths), None)
    return (length, None) if fixed is None else (min(length, fixed), fixed)


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
                hint = did_you_mean(name, [tensor.name for tensor in tensors])
                raise InputError(f"inputs: the file has no input {quoted(name)}{hint}; it takes {listed(tensors)}.")
        for tensor in tensors:
            if tensor.name not in named:
                raise InputError(f"inputs: input {tensor} of the file is not given; name its columns.")
        for name in [name for of_tensor in named.values() for name in of_tensor]:
            if name not in every:
                hint = did_you_mean(name, every)
                raise InputError(
                    f"inputs: {quoted(name)} is no input column of the dataset{hint}; it has {listed(every)}."
                )
        return named
    if len(tensors) == 1:
        return {tensors[0].name: every}
    matched = {name: [column] for name, column in matched_by_name([t.name for t in tensors], every).items()}
    rest = [tensor for tensor in tensors if tensor.name not in matched]
    if not rest:
        return matched
    if not matched and len(rest) == 2 and {tensor.type == STRING for tensor in rest} == {True, False}:
        return {t.name: list(columns.categorical if t.type == STRING else columns.numeric) for t in rest}
    free = [name for name in every if [name] not in matched.values()]
    raise InputError(
        f"inputs: {listed(rest)} of the file have the name of no input column of the dataset ({listed(free)} are free"
        f"{did_you_mean(rest[0].name, free)}); rename the column, or name the columns of each with 'inputs'."
    )


def matched_by_name(tensors: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Input tensor -> the column whose name it has, as it is or as exporters change names.

    A name that could be that of several columns, or that several tensors have, is left out.
    """
    known = set(columns)
    of_columns, of_tensors = _by_plain_name(known - set(tensors)), _by_plain_name(set(tensors) - known)
    matched = {name: name for name in tensors if name in known}
    for name, alike in of_tensors.items():
        if len(alike) == len(of_columns.get(name, [])) == 1:
            matched[alike[0]] = of_columns[name][0]
    return {name: matched[name] for name in tensors if name in matched}


def _by_plain_name(names: Iterable[str]) -> dict[str, list[str]]:
    """Plain name -> the names that are alike; names without letters and digits are left out."""
    alike: dict[str, list[str]] = {}
    for name in names:
        if plain(name):
            alike.setdefault(plain(name), []).append(name)
    return alike


def plain(name: str) -> str:
    """A name as exporters may have changed it: letters and digits, in lower case."""
    return re.sub(r"\W|_", "", name).lower()


def _tabular(tensor: Tensor, names: list[str], columns: Columns) -> BoundInput:
    rank = 2 if tensor.shape is None else len(tensor.shape)
    if tensor.width not in (None, len(names)):
        raise InputError(
            f"input {tensor} takes {tensor.width} columns, and the dataset has {len(names)} for it "
            f"({listed(names)}); name the right ones, in the order of the model's training, with 'inputs'."
        )
    if tensor.type == STRING and (numbers := [name for name in names if name in columns.numeric]):
        raise InputError(
            f"input {tensor} takes texts, and {listed(numbers)} are numeric inputs of the dataset; make them "
            "categorical there."
        )
    part: Part = "vector" if rank == 1 else "matrix"
    bound: BoundInput = {"name": tensor.name, "type": tensor.type, "columns": names, "part": part}
    return (
        bound
        if rank <= 2 or tensor.shape is None
        else {**bound, "shape": [int(size or 0) for size in tensor.shape[1:]]}
    )


def check_values(inputs: Sequence[BoundInput], rows: Table) -> None:
    """Check that the types of the input tensors hold the values of their columns.

    Raises:
        InputError: a category is no number, or a number is missing, fractional or too large for the type.
    """
    for tensor in inputs:
        for column in tensor["columns"] if tensor["type"] != STRING else ():
            place = f"input {quoted(tensor['name'])} takes {tensor['type']}, and column {quoted(column)}"
            words = [
                level
                for level in rows.levels.get(column, ())
                if level != MISSING and number_of(level, tensor["type"]) is None
            ]
            if words:
                raise InputError(f"{place} holds {shown(words[0])}; write the numbers of the model's training")
            numbers = column_numbers(rows, column, tensor["type"])
            with np.errstate(invalid="ignore", over="ignore"):
                kept = numbers.astype(tensor["type"]).astype(np.float64)
            exact = tensor["type"].startswith("float")
            lost = np.isinf(kept) & np.isfinite(numbers) if exact else kept != numbers
            if lost.any():
                first = int(lost.argmax())
                value = "no number" if np.isnan(numbers[first]) else f"{numbers[first]:g}"
                raise InputError(
                    f"{place} holds {value} in data row {rows.row[first] + 1:,}, which that type cannot hold; write "
                    "the numbers of the model's training"
                )
