"""A trained model in an ONNX file of your own, used as it is: with `import_onnx` variants only."""

# ruff: noqa: ARG001 - every architecture names its options, and this one builds no module
from typing import Any

from torch import nn

from fairweight.core.errors import InputError

FORMS = ("tabular", "image", "text")  # forms of rows that it takes
IMPORTED = "import_onnx"  # the operation that takes it
OPTIONS = {
    "file": {
        "type": "string",
        "minLength": 1,
        "description": "The ONNX file. Weights beside it (external data) are read from its folder only.",
    },
    "inputs": {
        "type": ["object", "null"],
        "default": None,
        "additionalProperties": {
            "oneOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
            ]
        },
        "description": "Columns of each input of the file, in the order of the model's training: "
        "`{x: [age, hours], job: job}`. null: inputs are named like columns, or one input takes all columns in the "
        "order of the dataset's `inputs`, numeric ones first.",
    },
    "output": {
        "type": ["string", "null"],
        "default": None,
        "description": "Output that is read; null takes the scores, or the labels if there are none.",
    },
    "content": {
        "enum": [None, "probabilities", "logits", "positive", "margin", "labels"],
        "default": None,
        "description": "What the output holds: probabilities or logits of all classes; the probability (`positive`) or "
        "the logit (`margin`) of the second of two classes; or labels. null looks at its values.",
    },
    "classes": {
        "type": ["array", "null"],
        "default": None,
        "minItems": 2,
        "uniqueItems": True,
        "items": {"type": ["string", "number", "boolean"]},
        "description": "Names of the classes in the order of the scores. null takes those in the file, or sorts "
        "those of the dataset, as scikit-learn does.",
    },
    "reference": {
        "oneOf": [
            {"type": "null"},
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 1}},
        ],
        "default": None,
        "description": "Column with what the original model returns for each row: the probability of the positive "
        "class, or a list of columns with the probabilities of all classes in the order of the scores. The study "
        "stops unless the file agrees.",
    },
    "reference_labels": {
        "type": ["string", "null"],
        "default": None,
        "minLength": 1,
        "description": "Column with the class that the original model predicts for each row, if there are no "
        "probabilities.",
    },
    "tolerance": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": 0.001,
        "description": "Largest difference of a probability from `reference`, and largest share of rows whose class "
        "differs from `reference_labels`.",
    },
    "layout": {
        "enum": [None, "NCHW", "NHWC", "flat"],
        "default": None,
        "description": "Axes of images; null reads them from the shape of the input. `flat` is NCHW in one row.",
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
    "tokenizer": {
        "type": ["string", "null"],
        "default": None,
        "description": "The tokenizer.json of a model for texts.",
    },
    "length": {
        "type": "integer",
        "minimum": 2,
        "maximum": 100000,
        "default": 128,
        "description": "Largest number of tokens of one text.",
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


def build(features: tuple[int, ...], classes: int, /, **options: Any) -> nn.Module:
    """Refuse to build a module: the file is used as it is.

    Raises:
        InputError: always.
    """
    raise InputError("architecture 'onnx' is not trained here; make its variant with 'import_onnx: {}'")
