"""A published causal language model, used as published (extra `llm`): for texts, with `pretrained` variants only."""

# ruff: noqa: ARG001 - every architecture names its options, and this one builds no module
from torch import nn

from fairweight.core.errors import InputError

NEEDS = {
    "llm": ["transformers", "tokenizers", "gguf", "accelerate", "onnxruntime_genai", "huggingface_hub"]
}  # extra of pyproject.toml -> packages
FORMS = ("text",)  # forms of rows that it takes
PUBLISHED = True  # its weights are published ones and are not trained
OPTIONS = {
    "sources": {
        "type": "array",
        "items": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9]*:.+",
            "x-kind": "source",
            "x-remedy": "write a source such as file:FILE or https://host/file, without a blank after the colon",
        },
        "default": [],
        "description": "Sources of a GGUF file, tried in order, as for a dataset's files; with `sha256`.",
    },
    "sha256": {
        "type": ["string", "null"],
        "pattern": "^[0-9a-f]{64}$",
        "x-kind": "checksum",
        "x-remedy": "a SHA-256 has 64 digits, 0 to 9 and a to f",
        "default": None,
        "description": "SHA-256 of the GGUF file.",
    },
    "folder": {
        "type": ["string", "null"],
        "default": None,
        "description": "A local folder with config.json, tokenizer.json and model.safetensors instead.",
    },
    "hub": {
        "type": ["string", "null"],
        "default": None,
        "description": "A model on the Hugging Face hub instead: OWNER/NAME@COMMIT, all 40 digits; "
        "of its weights only safetensors are downloaded.",
    },
    "context": {
        "type": "integer",
        "minimum": 3,
        "default": 512,
        "description": "Largest number of tokens of one text, start token included.",
    },
    "start": {
        "type": ["string", "null"],
        "default": None,
        "description": "Token that stands before every text; "
        "null is the model's own beginning-of-sequence token, if it has one.",
    },
    "licence": {
        "type": ["string", "null"],
        "default": None,
        "description": "Licence of the weights; shown in the report.",
    },
    "homepage": {
        "type": ["string", "null"],
        "default": None,
        "description": "Where the model is described; shown in the report.",
    },
}


def build(
    features: tuple[int, ...],
    classes: int,
    *,
    sources: list[str],
    sha256: str | None,
    folder: str | None,
    hub: str | None,
    context: int,
    start: str | None,
    licence: str | None,
    homepage: str | None,
) -> nn.Module:
    """Refuse to build a module: the weights are not trained here.

    Raises:
        InputError: always.
    """
    raise InputError("architecture 'causal_lm' is not trained here; make its variant with 'pretrained: {}'")
