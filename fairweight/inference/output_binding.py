"""Bind the output of an imported graph to a dataset: which output is read, what it holds, and the order of its classes.

What the file says is taken from it. What it does not say is asked for in one sentence, which names the option of the
model in the study file.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairweight.core.errors import InputError, did_you_mean, listed, quoted, shown
from fairweight.inference.bound_outputs import class_key
from fairweight.inference.imported_graph import STRING, Described, Tensor
from fairweight.training.signature import Content

Array = NDArray[Any]

SCORES = re.compile(r"prob|score|softmax|sigmoid", re.IGNORECASE)
SUM = 1e-3  # largest distance of a sum of probabilities from 1


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
        hint = did_you_mean(name, [tensor.name for tensor in outputs])
        raise InputError(f"output: the file has no output {quoted(name)}{hint}; it has {listed(outputs)}.")
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


def labels_beside(described: Described, output: Tensor) -> Tensor | None:
    """The output with the file's own labels, if another one is read and there is one only."""
    labels = [tensor for tensor in described.outputs if tensor != output and _holds_labels(tensor)]
    return labels[0] if len(labels) == 1 else None


def _holds_labels(tensor: Tensor) -> bool:
    """Whether an output may hold one label for each row."""
    width = 1 if tensor.shape is None else int(np.prod([size or 1 for size in tensor.shape[1:]]))
    return width == 1 and (tensor.type == STRING or tensor.type.startswith(("int", "uint", "bool")))


def content_of(values: Array, tensor: Tensor, chosen: Content | None, classes: int) -> Content:
    """What an output holds, from its values for some rows.

    Args:
        values: the output for n rows, finite.
        tensor: its description.
        chosen: option `content`; None looks at the values.
        classes: number of classes of the dataset.

    Raises:
        InputError: the values are no scores of classes, or not what is chosen.
    """
    width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
    if values.dtype.kind in "OUS" or chosen == "labels" or (values.dtype.kind in "iub" and chosen is None):
        if chosen not in (None, "labels"):
            raise InputError(f"content: output {tensor} holds labels, and not {chosen}.")
        if width != 1:
            raise InputError(
                f"output {tensor} has {width} columns; labels are one for each row. Set 'output', or 'content: logits' "
                "if these are scores of classes."
            )
        return "labels"
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    within = bool(((flat >= -SUM) & (flat <= 1 + SUM)).all())
    if chosen is not None:
        if chosen in ("probabilities", "positive") and not within:
            raise InputError(f"content: output {tensor} holds numbers outside of 0 to 1, which are not {chosen}.")
        return chosen
    return _of_one_number(tensor, classes, within=within) if width == 1 else _of_several(flat, tensor, within=within)


def _of_one_number(tensor: Tensor, classes: int, *, within: bool) -> Content:
    """What an output of one number for each row holds."""
    if within and classes == 2:
        return "positive"
    if within:
        raise InputError(f"output {tensor} is one number for each row, and the dataset has {classes} classes.")
    raise InputError(
        f"output {tensor} is one number for each row, and not all are between 0 and 1; if they are logits of the "
        "positive class, set 'content: margin'; models of regression are not supported."
    )


def _of_several(flat: Array, tensor: Tensor, *, within: bool) -> Content:
    """What an output of several numbers for each row holds."""
    if within and bool((np.abs(flat.sum(axis=1) - 1) <= SUM).all()):
        return "probabilities"
    if within:
        raise InputError(
            f"output {tensor} holds numbers between 0 and 1 that do not sum to 1; if each is a logit, set 'content: "
            "logits'; several labels for one row are not supported."
        )
    return "logits"


class Order(NamedTuple):
    """Order of the classes of an imported file."""

    places: list[int | str]  # for each class of the dataset, its position among the scores, or its value as a label
    source: str  # where it is from, in words
    classes: tuple[str, ...]  # of the dataset
    scores: int  # number of classes that the file has scores of


def order_of(
    content: Content, values: Array, named: Sequence[str] | None, in_file: Sequence[str] | None, classes: Sequence[str]
) -> Order:
    """Find each class of the dataset among the scores or labels of a file.

    Args:
        content: of the output.
        values: the output for some rows.
        named: option `classes`: names in the order of the scores.
        in_file: names that the file states.
        classes: names of the classes of the dataset.

    Raises:
        InputError: the file lacks a class of the dataset, or the order of its classes is unknown.
    """
    labels = None if content != "labels" else _distinct(values)
    width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
    scores = None if labels is not None else 2 if content in ("positive", "margin") else width
    if named is not None:
        names, source = list(named), "as the study file names them"
    elif in_file is not None and not _is_numbered(in_file, classes) and scores in (None, len(in_file)):
        names, source = list(in_file), "as the file names them"
    else:  # numbers from 0 on are what LabelEncoder makes of names in their order
        names, source = sort_classes(classes), "in sorted order"
    if scores not in (None, len(names)):
        raise InputError(
            f"classes: the file has scores of {scores} classes, and {len(names)} classes are named ({listed(names)}); "
            "name them with 'classes', in the order of the scores."
        )
    positions = {class_key(name): position for position, name in enumerate(names)}
    if missing := [name for name in classes if class_key(name) not in positions]:
        raise InputError(
            f"classes: the file has the classes {listed(names)}, and the dataset has {listed(missing)}; name them with "
            "'classes' as the dataset does, in the order of the scores."
        )
    if len(classes) == 2 < len(names):
        raise InputError(
            f"classes: the file has {len(names)} classes ({listed(names)}), and the dataset has two; add rows of the "
            "other classes, or merge the scores into those of two classes before the file is exported."
        )
    places = [positions[class_key(name)] for name in classes]
    if labels is None:
        return Order([*places], source, tuple(classes), len(names))
    values_of = _values_of(names, labels, given=named is not None)
    return Order([values_of[place] for place in places], source, tuple(classes), len(names))


def _distinct(labels: Array) -> list[str]:
    return [str(value) for value in np.unique(labels.reshape(-1).astype(str))]


def _is_numbered(in_file: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether a file states numbers from 0 on, where the dataset has as many names."""
    numbers = {class_key(str(number)) for number in range(len(classes))}
    return {class_key(name) for name in in_file} == numbers and not numbers & {class_key(name) for name in classes}


def _values_of(names: Sequence[str], labels: Sequence[str], *, given: bool) -> list[str]:
    """The label that a file returns for each class: its name, or its number from 0 on.

    Args:
        names: of the classes.
        labels: distinct labels that the file returned.
        given: whether the names are in the order of the file's numbers for sure.

    Raises:
        InputError: the labels are neither, or could be both.
    """
    keys, known = {class_key(label) for label in labels}, {class_key(name) for name in names}
    if keys <= known:
        return list(names)
    numbered = keys <= {str(number) for number in range(len(names))}
    if numbered and (given or not keys & known):
        return [str(number) for number in range(len(names))]
    if keys & known and len(names) > 2 and not numbered:
        return list(names)  # the other labels are of classes that the dataset does not have
    other = next(label for label in labels if class_key(label) not in known)
    raise InputError(
        f"classes: the file returns the label {shown(other)}, which is not one of the classes ({listed(names)})"
        f"{did_you_mean(other, names)}; write the labels as the model does, or set 'classes', in its order."
    )


def sort_classes(classes: Sequence[str]) -> list[str]:
    """Names of classes in the order that scikit-learn gives them: numbers by value, else by the alphabet."""
    try:
        return sorted(classes, key=float)
    except ValueError:
        return sorted(classes)
