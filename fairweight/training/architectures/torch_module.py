"""A trained PyTorch module of your own, with weights in safetensors: with `import_torch` variants only."""

# ruff: noqa: ARG001 - every architecture names its options; some are read by the step
from typing import Any

import torch
from torch import Tensor, nn

from fairweight.core import components
from fairweight.core.errors import InputError, first_line

FORMS = ("tabular", "image")  # forms of rows that it takes
IMPORTED = "import_torch"  # the operation that takes it
OPTIONS = {
    "module": {
        "type": "string",
        "pattern": "^[^:]+:[^:]+$",
        "x-kind": "function",
        "x-remedy": "write MODULE:CALLABLE, such as networks:build",
        "description": "`module:callable` in a package of your own; the callable returns the torch.nn.Module. It takes "
        "the numeric columns of the dataset as float32 (n, columns), in the order of its `inputs`, or images.",
    },
    "arguments": {"type": "object", "default": {}, "description": "Keyword arguments of the callable."},
    "weights": {
        "type": "string",
        "minLength": 1,
        "description": "safetensors file with the state dict of the module.",
    },
    "outputs": {
        "enum": [None, "logits", "margin"],
        "default": None,
        "description": "What the module returns: logits of all classes (n, classes), or one logit of the second of two "
        "classes (n, 1) or (n,). null looks at its shape.",
    },
    "classes": {
        "type": ["array", "null"],
        "default": None,
        "minItems": 2,
        "uniqueItems": True,
        "items": {"type": ["string", "number", "boolean"]},
        "description": "Names of the classes in the order of the outputs. null sorts those of the dataset, as "
        "scikit-learn does.",
    },
    "reference": {
        "oneOf": [
            {"type": "null"},
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 1}},
        ],
        "default": None,
        "description": "As for `onnx`: columns with the probabilities that the original model returns.",
    },
    "reference_labels": {
        "type": ["string", "null"],
        "default": None,
        "minLength": 1,
        "description": "As for `onnx`: the column with the class that the original model predicts.",
    },
    "tolerance": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": 0.001,
        "description": "As for `onnx`: the largest difference from the reference.",
    },
    "scale": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 65536,
        "default": 1.0,
        "description": "Number that pixels (0 to 255) are divided by: 255 for a model that takes 0 to 1.",
    },
    "mean": {
        "type": ["array", "null"],
        "default": None,
        "minItems": 1,
        "items": {"type": "number"},
        "description": "Numbers that are then subtracted, for each channel.",
    },
    "std": {
        "type": ["array", "null"],
        "default": None,
        "minItems": 1,
        "items": {"type": "number", "exclusiveMinimum": 0},
        "description": "Numbers that pixels are then divided by, for each channel.",
    },
    "licence": {
        "type": ["string", "null"],
        "default": None,
        "description": "Licence of the model; shown in the report.",
    },
    "homepage": {
        "type": ["string", "null"],
        "default": None,
        "description": "Where the model is described; shown in the report.",
    },
}


class Logits(nn.Module):
    """A network whose outputs become logits in the order of the dataset's classes.

    Args:
        network: returns logits (n, classes), or one logit (n, 1) or (n,).
        margin: whether it returns one logit, of the second class.
        order: for each class, its position among the logits.
    """

    def __init__(self, network: nn.Module, *, margin: bool, order: list[int]) -> None:
        super().__init__()
        self.network, self.margin, self.order = network, margin, order

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits (n, classes)."""
        outputs: Tensor = self.network(features)
        if self.margin:
            outputs = outputs.reshape(-1, 1)
            outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        return outputs if self.order == sorted(self.order) else outputs[:, self.order]


def build(
    features: tuple[int, ...],
    classes: int,
    /,
    *,
    module: str,
    arguments: dict[str, Any],
    outputs: str | None = None,
    **others: Any,
) -> nn.Module:
    """Build the module with random weights.

    Args:
        features: shape of one row.
        classes: number of classes.
        module, arguments, outputs: see OPTIONS.
        others: options that the step reads, and `order`, which the step sets: for each class, its position among the
            outputs; without it, the order is that of the dataset.

    Raises:
        InputError: the callable does not take the arguments, or returns something else than a module.
    """
    made = components.load("architectures", module)
    try:
        network = made(**arguments)
    except TypeError as error:
        raise InputError(f"module {module!r} does not take the arguments ({first_line(error)})") from None
    if not isinstance(network, nn.Module):
        raise InputError(f"module {module!r} returns a {type(network).__name__} and not a torch.nn.Module")
    return Logits(network, margin=outputs == "margin", order=others.get("order") or list(range(classes)))
