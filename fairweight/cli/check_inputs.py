"""Columns that a trained model takes, as `check` finds them: by name, by their number, or as `--inputs` lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fairweight.cli.table_file import Column, Raw, check_columns, guessed_column
from fairweight.core.errors import InputError, did_you_mean, listed, quoted
from fairweight.core.foreign_models import PAGE
from fairweight.inference.binding import TEXT_PARTS, check_no_states, matched_by_name
from fairweight.inference.imported_graph import STRING, Described, Tensor
from fairweight.training.model_inputs import number_of

PICTURE = 4  # dimensions of an input from which it takes images


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        model: ONNX file, or safetensors of a PyTorch module.
        data: table of test rows, or images in the format IDX.
        target: column of the label.
        groups: columns of sensitive attributes.
        calibration: table of training rows, to calibrate and train on.
        reference: columns with what the original returns.
        positive: positive class of two.
        inputs: columns that the model takes, in order; empty finds them.
        module: `module:callable` of a PyTorch module.
        output: study file to write; None is the name of the model with `.yaml`.
        tokenizer: tokenizer.json of a model for texts; None takes the one beside the model.
        scale: number that pixels are divided by, of a model for images.
        mean, std: what is then subtracted, and divided by, for each channel.
        classes: names of the classes in the order of the model's scores, or one file with them; empty finds them.
    """

    model: Path
    data: Path
    target: str
    groups: list[str]
    calibration: Path | None
    reference: list[str]
    positive: str | None
    inputs: list[str]
    module: str | None
    output: Path | None
    tokenizer: Path | None = None
    scale: float | None = None
    mean: Sequence[float] = ()
    std: Sequence[float] = ()
    classes: Sequence[str] = ()


@dataclass(frozen=True)
class Taken:
    """Columns that a model takes.

    Attributes:
        columns: the columns in order.
        by_input: tensor -> its columns, where the study file has to say it; None where the import finds it.
    """

    columns: list[Column]
    by_input: dict[str, list[str]] | None = None

    def names(self, kind: str) -> list[str]:
        """Names of the columns of one kind."""
        return [column.name for column in self.columns if column.kind == kind]


def check_roles(request: Request, raw: Raw) -> None:
    """Check that the columns exist, and that none is the label and something else.

    Raises:
        InputError: a column does not exist, is named twice, or is the label or the reference and an input.
    """
    options = {"--groups": request.groups, "--inputs": request.inputs, "--reference": request.reference}
    check_columns(raw, {"--target": [request.target], **options})
    for option, names in options.items():
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise InputError(f"{option}: {quoted(twice[0])} is named twice; name each column once.")
        if request.target in names:
            raise InputError(
                f"{option}: {quoted(request.target)} is the target, which the model predicts; leave it out."
            )
    if both := [name for name in request.inputs if name in request.reference]:
        raise InputError(f"--inputs: {quoted(both[0])} is the reference, which the model returns; leave it out.")


def columns_taken(request: Request, described: Described | None, raw: Raw) -> Taken:
    """Find the columns that the model takes.

    Args:
        request: what the command line asks for.
        described: the graph; None for a PyTorch module.
        raw: the test rows.

    Raises:
        InputError: columns and inputs do not fit together.
    """
    others = {request.target, *request.reference}
    free = [name for name in raw.frame.columns if name not in others]
    chosen = request.inputs or free
    if described is None:
        return Taken([_of_kind(raw, name, None, "the module") for name in chosen])
    tensors = described.inputs
    if tensors and all(tensor.name in TEXT_PARTS for tensor in tensors):
        return Taken([_text_column(request, raw, free)])
    if len(tensors) == 1 and tensors[0].shape is not None and len(tensors[0].shape) >= PICTURE:
        _check_pixels(request, tensors[0], chosen)
    check_no_states(tensors)
    by_name = matched_by_name([tensor.name for tensor in tensors], chosen)
    if len(by_name) == len(tensors) > 1:
        _check_all_taken(request, list(by_name.values()))
        return Taken([_of_kind(raw, by_name[t.name], t.type, f"input {t.name}") for t in tensors])
    if len(tensors) == 1:
        return _of_one_tensor(request, tensors[0], raw, chosen)
    if {tensor.type == STRING for tensor in tensors} == {True, False} and len(tensors) == 2 and not by_name:
        numbers, strings = sorted(tensors, key=lambda tensor: tensor.type == STRING)
        kinds = {name: numbers if _is_numeric(raw, name) else strings for name in chosen}
        return Taken([_of_kind(raw, name, t.type, f"input {t.name}") for name, t in kinds.items()])
    raise InputError(_unmatched(request, tensors, by_name, chosen))


def _check_pixels(request: Request, tensor: Tensor, chosen: list[str]) -> None:
    """Refuse a table for a model of images, unless its columns are their pixels."""
    if tensor.width not in (len(chosen), len([name for name in chosen if name not in request.groups])):
        raise InputError(
            f"input {tensor} of {request.model} takes images, and {request.data} is a table of {len(chosen)} columns; "
            f"name a file of images in the format IDX with --data: see {PAGE}"
        )


def _check_all_taken(request: Request, taken: list[str]) -> None:
    """Refuse columns of `--inputs` that no input of the file is named like."""
    if ignored := [name for name in request.inputs if name not in taken]:
        raise InputError(
            f"--inputs: {request.model} takes one column an input, and none is named like {listed(ignored)}; leave "
            "--inputs out, because such inputs find their columns by name"
        )


def _unmatched(request: Request, tensors: Sequence[Tensor], by_name: dict[str, str], chosen: list[str]) -> str:
    """Which inputs have no column, and which column was probably meant."""
    missing = [tensor for tensor in tensors if tensor.name not in by_name]
    free = [name for name in chosen if name not in by_name.values()]
    hint = did_you_mean(missing[0].name, free)
    return (
        f"the inputs {listed(missing)} of {request.model} are named like no column of {request.data}{hint}; rename the "
        "columns, or write the study file by hand, with 'inputs' of the architecture 'onnx' (config/README.md)"
    )


def _of_one_tensor(request: Request, tensor: Tensor, raw: Raw, chosen: list[str]) -> Taken:
    """Columns of the only tensor of a file: those that are free, or those without the groups, as many as it takes."""
    width = tensor.width
    without = [name for name in chosen if name not in request.groups]
    fitting = [names for names in (chosen, without) if width in (None, len(names))]
    if not fitting:
        raise InputError(
            f"input {tensor} of {request.model} takes {width} columns, and {request.data} has {len(chosen)} beside the "
            f"target ({listed(chosen)}); name those that the model takes, in the order of its training, with --inputs"
        )
    columns = [_of_kind(raw, name, tensor.type, f"input {tensor.name}") for name in fitting[0]]
    mixed = len({column.kind for column in columns}) > 1  # numeric columns would come first
    return Taken(columns, {tensor.name: [column.name for column in columns]} if mixed else None)


def _is_numeric(raw: Raw, name: str) -> bool:
    return bool(raw.numbers(name)[raw.frame[name].notna()].notna().all())


def _of_kind(raw: Raw, name: str, tensor_type: str | None, place: str) -> Column:
    """A column as an input of that type takes it; None is a module, which takes columns of numbers.

    Booleans as words are categories whose numbers the import of an ONNX file knows.

    Raises:
        InputError: the input takes numbers, and the column holds something else.
    """
    column = guessed_column(raw, name)
    kind = "categorical" if tensor_type == STRING else "numeric"
    if kind == "numeric" and not _is_numeric(raw, name):
        values = pd.Series(raw.frame[name].dropna().unique())
        odd = values[[tensor_type is None or number_of(str(value), tensor_type) is None for value in values]]
        if len(odd):
            raise InputError(
                f"{place} takes numbers, and column {quoted(name)} of {raw.path} holds {quoted(odd.iloc[0])}; name the "
                "columns that the model takes, in the order of its training, with --inputs"
            )
        kind = "categorical"
    return Column(name, kind, column.distinct, column.missing)


def _text_column(request: Request, raw: Raw, free: list[str]) -> Column:
    """The only column of texts, or the one that is named."""
    texts = request.inputs or [name for name in free if name not in request.groups]
    if len(texts) != 1:
        raise InputError(
            f"{request.model} takes one text for each row; name its column with --inputs (there are {listed(texts)})"
        )
    column = guessed_column(raw, texts[0])
    return Column(texts[0], "text", column.distinct, column.missing)
