"""A published transformer encoder with a new head of one linear layer, through transformers (extra `text`): for texts."""

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError, first_line
from fairweight.training.initial_weights import InitialWeights
from fairweight.training.published_encoders import take
from fairweight.training.signature import PADDING
from fairweight.training.tokenizer import subwords

NEEDS = {"text": ["transformers", "tokenizers"]}  # extra of pyproject.toml -> packages
FORMS = ("text",)  # rows that it takes
OPTIONS = {
    "files": {"type": ["object", "null"], "additionalProperties": {"type": "object", "additionalProperties": False, "required": ["sources", "sha256"], "properties": {"sources": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[a-z][a-z0-9]*:.+"}}, "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}}, "default": None, "description": "config.json, model.safetensors and tokenizer.json, each with `sources`, tried in order as of a dataset's files, and `sha256`."},
    "folder": {"type": ["string", "null"], "default": None, "description": "A local folder with those three files instead."},
    "hub": {"type": ["string", "null"], "default": None, "description": "A model on the Hugging Face hub instead: OWNER/NAME@COMMIT, all 40 digits; only those three files are taken."},
    "length": {"type": "integer", "minimum": 4, "default": 64, "description": "Most tokens of one text; longer ones are cut and counted."},
    "pooling": {"enum": ["mean", "first"], "default": "mean", "description": "What the head sees of a text: the mean of its tokens, or the first one."},
    "config": {"type": "object", "default": {}, "description": "Changes of the model's configuration, such as `hidden_dropout_prob: 0.2`."},
}  # fmt: skip


class Classifier(nn.Module):
    """Encoder, pooling, head."""

    def __init__(self, encoder: nn.Module, width: int, classes: int, pooling: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)
        self.pooling = pooling

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens int64 (n, length), padded with -1 -> logits (n, classes)."""
        mask = tokens != PADDING
        hidden = self.encoder(input_ids=tokens.clamp(min=0), attention_mask=mask.to(torch.int64)).last_hidden_state
        if self.pooling == "first":
            return self.head(hidden[:, 0])
        shares = mask.to(hidden.dtype).unsqueeze(2)
        return self.head((hidden * shares).sum(dim=1) / shares.sum(dim=1).clamp(min=1))


def build(
    features: tuple[int, ...], classes: int, *,
    files: dict[str, Any] | None, folder: str | None, hub: str | None, length: int, pooling: str, config: dict[str, Any],
) -> nn.Module:  # fmt: skip
    """The encoder of a configuration, not started from any weights yet, with its head.

    Args:
        features: (number of distinct tokens,).
        classes: number of classes.
        files, folder, hub, length, pooling: see OPTIONS.
        config: the whole configuration, as `start` found it.

    Raises:
        InputError: the rows are not texts, or transformers does not know the model.
    """
    if "model_type" not in config:
        raise InputError("architecture pretrained takes texts, and starts from published weights")
    del files, folder, hub, length
    encoder = _encoder(config)
    embeddings = encoder.get_input_embeddings().weight
    if features[0] > len(embeddings):
        raise InputError(
            f"the tokenizer has {features[0]:,} tokens and the model {len(embeddings):,} embeddings; they do not belong together"
        )
    return Classifier(
        encoder, embeddings.shape[1] if "hidden_size" not in config else config["hidden_size"], classes, pooling
    )


def _encoder(config: dict[str, Any], device: str = "cpu") -> Any:
    """The encoder of a configuration, without the layer that some classes pool with."""
    from transformers import AutoConfig, AutoModel  # noqa: PLC0415 - seconds

    try:
        stated = AutoConfig.for_model(**config)
        with torch.device("meta"):  # no memory and no random numbers: only to find the class
            takes = inspect.signature(type(AutoModel.from_config(stated)).__init__).parameters
        pooling = {"add_pooling_layer": False} if "add_pooling_layer" in takes else {}
        with torch.device(device):
            return AutoModel.from_config(stated, dtype=torch.float32, **pooling)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"transformers cannot build a {config['model_type']!r} as an encoder ({first_line(error)})"
        ) from None


def _longest(encoder: nn.Module, stated: int | None) -> int | None:
    """Most tokens that an encoder holds; some, as RoBERTa, count positions from behind the one of padding."""
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.num_embeddings - module.padding_idx - 1
    return stated


def start(
    texts: "np.ndarray[Any, Any]",  # noqa: ARG001 - the tokenizer is published
    *, cache: str | None, files: dict[str, Any] | None, folder: str | None, hub: str | None, length: int, pooling: str,  # noqa: ARG001
    config: dict[str, Any],
) -> InitialWeights:  # fmt: skip
    """What a training starts from.

    Args:
        texts: training texts (n,).
        cache: the study's cache folder, if it sets one.
        files, folder, hub, length, pooling, config: see OPTIONS.

    Raises:
        InputError: the files cannot be had or do not belong together.
    """
    found = take(files=files, folder=folder, hub=hub, cache=cache)
    whole = found.config | config
    if "model_type" not in whole:
        raise InputError("config.json has no 'model_type', by which transformers knows a model")
    encoder = _encoder(whole, "meta")
    longest = _longest(encoder, whole.get("max_position_embeddings"))
    if longest and length > longest:
        raise InputError(f"length: {length} tokens are more than the {longest} that the model can hold")
    tokenizer = subwords(found.tokenizer, length)
    vocabulary = whole.get("vocab_size", 0)
    if not 0.9 * vocabulary <= tokenizer["vocabulary"] <= vocabulary:  # models pad their embeddings by a few per cent
        raise InputError(
            f"the tokenizer has {tokenizer['vocabulary']:,} tokens and the model {vocabulary:,} embeddings; they do not "
            "belong together"
        )
    # of a model with a head the encoder's weights have its name before them
    known = {
        f"encoder.{name.removeprefix(f'{encoder.base_model_prefix}.')}": array for name, array in found.weights.items()
    }
    return InitialWeights(tokenizer, {"config": whole}, known, prefix="encoder.")
