"""Signature of a model: the columns, levels, classes and tokenizer that an engine needs to run it on rows of a table.

This module describes inputs; `model_inputs` computes them. Reading a signature therefore needs no tokenizer.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.table import Table

SIGNATURE = "fairweight.signature"  # key in the metadata of an ONNX file
DEFAULT_TASK = "classification"  # task of a signature or a training run that names none
TOKENS = "tokens"  # name of the input tensor of texts; it is padded at the end of each row
PADDING = -1  # value of padded tokens

Feeds = dict[str, NDArray[Any]]  # input tensors of an exported model, by name


class Tokenizer(TypedDict):
    """JSON-compatible description of a tokenizer, see `tokenizer`."""

    kind: str
    definition: str  # text of the file that is written beside an exported model
    sha256: str  # of the definition
    vocabulary: int  # number of distinct tokens
    length: int  # largest number of tokens of one text
    start: NotRequired[int | None]  # language models only: token before every text, if there is one


Part = Literal["matrix", "vector", "pixels", "tokens", "mask", "segments"]
Content = Literal["probabilities", "logits", "positive", "margin", "labels"]


class BoundInput(TypedDict):
    """How the columns of a table fill one input tensor of an imported file.

    Attributes:
        name: name of the tensor.
        type: NumPy's name of its type, or `string`.
        columns: columns in order; empty for images and texts.
        shape: shape of one row of a matrix whose columns fill several dimensions, the last one fastest.
        part: what it takes: a `matrix` (n, k) of the columns; one column as a `vector` (n,); `pixels`; or of a
            text its `tokens`, `mask` (1 for a token, 0 for padding) or `segments` (0).
    """

    name: str
    type: str
    columns: Sequence[str]
    part: Part
    shape: NotRequired[Sequence[int]]


class Pixels(TypedDict):
    """How uint8 pixels become numbers: their `layout`, and (pixel / scale - mean) / std by channel.

    `flat` is NCHW in one row.
    """

    layout: Literal["NCHW", "NHWC", "flat"]
    scale: float
    mean: Sequence[float]
    std: Sequence[float]


class Binding(TypedDict):
    """How an imported file is run on rows of a table: it keeps its own inputs and outputs.

    Attributes:
        inputs: its input tensors.
        output: name of the output that is read.
        content: what the output holds: `probabilities` or `logits` (n, classes); of the second of two classes its
            probability `positive` or logit `margin`; or `labels`, the predicted classes.
        order: for each class of the dataset, its position among the outputs (for `labels`, the value itself). A file
            may have further classes.
        rows: number of rows of one call, if the file takes one number only.
        pixels, padding, length: for images and texts.
    """

    inputs: Sequence[BoundInput]
    output: str
    content: Content
    order: Sequence[int | str]
    rows: int | None
    pixels: NotRequired[Pixels]
    padding: NotRequired[int]  # token of padding
    length: NotRequired[int | None]  # number of tokens that every text is padded to, if the file states one


class LabelScale(TypedDict):
    """Mean and standard deviation of the training labels, which are numbers, and their unit.

    A network predicts standardised numbers; the file that ships multiplies by `scale` and adds `mean`.
    """

    mean: float
    scale: float
    unit: str


class SignatureDict(TypedDict):
    """A signature as JSON."""

    numeric: Sequence[str]
    categorical: dict[str, Sequence[str]]
    image: Sequence[int] | None
    classes: Sequence[str]
    text: NotRequired[Tokenizer | None]
    task: NotRequired[str]
    origins: NotRequired[dict[str, float]]  # numeric column -> see `Signature`; absent where there are none
    binding: NotRequired[Binding]  # absent in files that fairweight exports
    label: NotRequired[LabelScale]  # absent where the label is a class


def autoregressive(task: str) -> bool:
    """Return whether models of a task decode token by token, with a cache of keys and values."""
    return bool(components.literal("tasks", task, "AUTOREGRESSIVE"))


@dataclass(frozen=True)
class Signature:
    """Description of a model's inputs and classes, stored with the model; levels are those of its training rows.

    Attributes:
        numeric: columns of the input tensor `numeric`.
        categorical: columns of the input tensor `categorical`, with their levels.
        image: channels, height and width.
        classes: names of the outputs; none where the one output is a number.
        text: the tokenizer.
        task: task of the model.
        origins: numeric column -> what the model subtracts from its numbers before they become float32. With any
            origin, the input tensor `numeric` is float64, because float32 would merge numbers of such a column.
        binding: inputs and outputs of an imported file; None for a file that fairweight exports.
        label: scale of a label that is a number; None for classes.
    """

    numeric: tuple[str, ...]
    categorical: dict[str, tuple[str, ...]]
    image: tuple[int, ...] | None
    classes: tuple[str, ...]
    text: Tokenizer | None = None
    task: str = DEFAULT_TASK
    origins: dict[str, float] = field(default_factory=dict)
    binding: Binding | None = None
    label: LabelScale | None = None

    @property
    def outputs(self) -> int:
        """Number of outputs of the network: one for each class, or the number."""
        return len(self.classes) if self.label is None else 1

    @property
    def form(self) -> str:
        """Form of a row: `text`, `image` or `tabular`."""
        return "text" if self.text is not None else "image" if self.image is not None else "tabular"

    @classmethod
    def fitted(cls, training: Table) -> "Signature":
        """Return the signature of a model that is trained on these rows."""
        seen = {}
        for position, (name, levels) in enumerate(training.levels.items()):
            codes = np.unique(training.categorical[:, position])
            seen[name] = tuple(levels[code] for code in codes)
        image = None if training.images is None else tuple(training.images.shape[1:])
        label: LabelScale | None = None
        if training.measured:
            scale = float(training.label.std()) or 1.0
            label = {"mean": float(training.label.mean()), "scale": scale, "unit": training.unit}
        return cls(training.numeric_names, seen, image, training.classes, origins=training.origins, label=label)

    @classmethod
    def from_dict(cls, description: SignatureDict) -> "Signature":
        """Inverse of `to_dict`."""
        return cls(
            tuple(description["numeric"]),
            {name: tuple(levels) for name, levels in description["categorical"].items()},
            None if description["image"] is None else tuple(description["image"]),
            tuple(description["classes"]),
            description.get("text"),
            description.get("task", DEFAULT_TASK),
            description.get("origins", {}),
            description.get("binding"),
            description.get("label"),
        )

    def to_dict(self) -> SignatureDict:
        """Return the signature in JSON-compatible form."""
        description: Any = asdict(self)
        for name in ("origins", "binding", "label"):
            if not description[name]:
                del description[name]
        signature: SignatureDict = description
        return signature
