"""A published transformer encoder with a new linear head, through transformers (extra `text`): for texts."""

import inspect
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight.core.errors import InputError, first_line
from fairweight.core.recipes import RawFile
from fairweight.training.initial_weights import InitialWeights
from fairweight.training.published_encoders import Config, take
from fairweight.training.signature import PADDING
from fairweight.training.tokenizer import subwords

NEEDS = {"text": ["transformers", "tokenizers"]}  # extra of pyproject.toml -> packages
FORMS = ("text",)  # forms of rows that it takes
OPTIONS = {
    "files": {
        "type": ["object", "null"],
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["sources", "sha256"],
            "properties": {
                "sources": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "string",
                        "pattern": "^[a-z][a-z0-9]*:.+",
                        "x-kind": "source",
                        "x-remedy": "write a source such as file:FILE, without a blank after the colon",
                    },
                },
                "sha256": {
                    "type": "string",
                    "pattern": "^[0-9a-f]{64}$",
                    "x-kind": "checksum",
                    "x-remedy": "a SHA-256 has 64 digits, 0 to 9 and a to f",
                },
            },
        },
        "default": None,
        "description": "config.json, model.safetensors and tokenizer.json, each with `sources`, tried in order as for "
        "a dataset's files, and `sha256`.",
    },
    "folder": {
        "type": ["string", "null"],
        "default": None,
        "description": "A local folder with those three files instead.",
    },
    "hub": {
        "type": ["string", "null"],
        "default": None,
        "description": "A model on the Hugging Face hub instead: OWNER/NAME@COMMIT, all 40 digits; only those three "
        "files are downloaded.",
    },
    "length": {
        "type": "integer",
        "minimum": 4,
        "default": 64,
        "description": "Largest number of tokens of one text; longer texts are cut and counted.",
    },
    "pooling": {
        "enum": ["mean", "first"],
        "default": "mean",
        "description": "Input of the head: the mean over a text's tokens, or its first token.",
    },
    "config": {
        "type": "object",
        "default": {},
        "description": "Changes of the model's configuration, such as `hidden_dropout_prob: 0.2`.",
    },
}


class Classifier(nn.Module):
    """Encoder, pooling and head."""

    def __init__(self, encoder: nn.Module, width: int, classes: int, pooling: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)
        self.pooling = pooling

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute logits (n, classes) from tokens int64 (n, length), padded with -1."""
        mask = tokens != PADDING
        hidden = self.encoder(input_ids=tokens.clamp(min=0), attention_mask=mask.to(torch.int64)).last_hidden_state
        if self.pooling == "first":
            return self.head(hidden[:, 0])
        shares = mask.to(hidden.dtype).unsqueeze(2)
        return self.head((hidden * shares).sum(dim=1) / shares.sum(dim=1).clamp(min=1))


def build(
    features: tuple[int, ...],
    classes: int,
    *,
    files: dict[str, RawFile] | None,
    folder: str | None,
    hub: str | None,
    length: int,
    pooling: str,
    config: Config,
) -> nn.Module:
    """Build the encoder of a configuration with its head; its weights are loaded later.

    Args:
        features: (number of distinct tokens,).
        classes: number of classes.
        files, folder, hub, length, pooling: see OPTIONS.
        config: the whole configuration, as `start` returns it.

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
            f"the tokenizer has {features[0]:,} tokens and the model {len(embeddings):,} embeddings; they do not "
            "belong together"
        )
    return Classifier(
        encoder, embeddings.shape[1] if "hidden_size" not in config else config["hidden_size"], classes, pooling
    )


def _encoder(config: Config, device: str = "cpu") -> Any:
    """Build the encoder of a configuration, without the pooling layer that some classes add."""
    from transformers import AutoConfig, AutoModel  # noqa: PLC0415 - seconds

    try:
        complete = AutoConfig.for_model(**config)
        with torch.device("meta"):  # no memory and no random numbers: only to find the class
            parameters = inspect.signature(type(AutoModel.from_config(complete)).__init__).parameters
        pooling = {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}
        with torch.device(device):
            return AutoModel.from_config(complete, dtype=torch.float32, **pooling)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"transformers cannot build a {config['model_type']!r} as an encoder ({first_line(error)})"
        ) from None


def _longest(encoder: nn.Module, declared: int | None) -> int | None:
    """Largest number of tokens of an encoder; some, such as RoBERTa, count positions from after the padding index."""
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.num_embeddings - module.padding_idx - 1
    return declared


def start(
    texts: NDArray[Any],  # noqa: ARG001 - the tokenizer is published
    *,
    cache: str | None,
    files: dict[str, RawFile] | None,
    folder: str | None,
    hub: str | None,
    length: int,
    pooling: str,  # noqa: ARG001 - it is for `build`
    config: Config,
) -> InitialWeights:
    """Fetch the published files and return the tokenizer and weights that training starts from.

    Args:
        texts: training texts (n,).
        cache: the study's cache folder, if it sets one.
        files, folder, hub, length, pooling, config: see OPTIONS.

    Raises:
        InputError: a file cannot be fetched, or the files do not belong together.
    """
    published = take(files=files, folder=folder, hub=hub, cache=cache)
    whole = published.config | config
    if "model_type" not in whole:
        raise InputError("config.json has no 'model_type', by which transformers knows a model")
    encoder = _encoder(whole, "meta")
    longest = _longest(encoder, whole.get("max_position_embeddings"))
    if longest and length > longest:
        raise InputError(f"length: {length} tokens are more than the {longest} that the model can hold")
    tokenizer = subwords(published.tokenizer, length)
    vocabulary = whole.get("vocab_size", 0)
    if not 0.9 * vocabulary <= tokenizer["vocabulary"] <= vocabulary:  # models pad their embeddings by a few per cent
        raise InputError(
            f"the tokenizer has {tokenizer['vocabulary']:,} tokens and the model {vocabulary:,} embeddings; they do "
            "not belong together"
        )
    # weights of a model with a head have the encoder's name as a prefix
    prefix = f"{encoder.base_model_prefix}."
    tensors = {f"encoder.{name.removeprefix(prefix)}": array for name, array in published.weights.items()}
    return InitialWeights(tokenizer, {"config": whole}, tensors, prefix="encoder.")
