"""A published causal language model, taken as it is (extra `llm`): with `pretrained` variants and texts only."""

# ruff: noqa: ARG001 - every architecture names its options, and this one builds nothing of them
from torch import nn

from fairweight.core.errors import InputError

NEEDS = {
    "llm": ["transformers", "tokenizers", "gguf", "accelerate", "onnxruntime_genai", "huggingface_hub"]
}  # extra of pyproject.toml -> packages
FORMS = ("text",)  # rows that it takes
PUBLISHED = True  # its weights are taken, not trained
OPTIONS = {
    "sources": {"type": "array", "items": {"type": "string", "pattern": "^[a-z][a-z0-9]*:.+"}, "default": [], "description": "Where a GGUF file comes from, tried in order, as of a dataset's files; with `sha256`."},
    "sha256": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$", "default": None, "description": "SHA-256 of the GGUF file."},
    "folder": {"type": ["string", "null"], "default": None, "description": "A local folder with config.json, tokenizer.json and *.safetensors instead."},
    "hub": {"type": ["string", "null"], "default": None, "description": "A model on the Hugging Face hub instead: OWNER/NAME@COMMIT, all 40 digits; only safetensors are taken."},
    "context": {"type": "integer", "minimum": 3, "default": 512, "description": "Most tokens of one text, with the one that stands before it."},
    "start": {"type": ["string", "null"], "default": None, "description": "Token that stands before every text; null is the model's own for the beginning of a sequence, if it has one."},
    "licence": {"type": ["string", "null"], "default": None, "description": "Licence of the weights; shown in the report."},
    "homepage": {"type": ["string", "null"], "default": None, "description": "Where the model is described; shown in the report."},
}  # fmt: skip


def build(
    features: tuple[int, ...], classes: int, *, sources: list[str], sha256: str | None, folder: str | None, hub: str | None,
    context: int, start: str | None, licence: str | None, homepage: str | None,
) -> nn.Module:  # fmt: skip
    """Nothing: its weights are not trained here.

    Raises:
        InputError: always.
    """
    raise InputError("architecture 'causal_lm' is not trained here; make its variant with 'pretrained: {}'")
