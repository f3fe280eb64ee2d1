"""Published weights of a causal language model: from a file, a folder or a hub, in float32, with its tokenizer.

Only GGUF and safetensors are read; a pickle is refused under any name.
"""

import tempfile
from collections import Counter
from pathlib import Path

import torch

from fairweight.core.artifacts import write_weights
from fairweight.core.errors import InputError, first_line
from fairweight.core.recipes import MethodRecipe
from fairweight.data.fetch import fetch
from fairweight.training import published_encoders
from fairweight.training.published_encoders import Config, PublishedModel, State
from fairweight.training.signature import Signature, Tokenizer
from fairweight.training.tokenizer import subwords

TENSOR_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # of GGUF and safetensors
FITTING = 0.9  # smallest share of a model's embeddings that its tokenizer may use; models pad by a few per cent


def take(*, recipe: MethodRecipe, model: str, about: str, cache: str | None, name: str, task: str) -> None:
    """Write a published model as a study's model: `model.safetensors` in float32, and the JSON that rebuilds it.

    Args:
        recipe: `models: NAME` of the study file: one of `sources` (a GGUF file) with `sha256`, `folder` and `hub`.
        model, about: safetensors and JSON files to write.
        cache: the study's cache folder, if it sets one.
        name: the model's name, for messages.
        task: task of the dataset.

    Raises:
        InputError: a file is missing or may not be read, or the files do not belong together.
    """
    try:
        published = _published(recipe, cache)
        tokenizer = _tokenizer(published, recipe)
    except InputError as error:
        raise InputError(f"models: {name}: {str(error).rstrip('.')}.") from None
    signature = Signature((), {}, None, (), tokenizer, task)
    description = {
        "signature": signature.to_dict(),
        "architecture": recipe,
        "config": published.config,
        "stored": published.stored,
    }
    write_weights(model, published.weights, description, about)


def _published(recipe: MethodRecipe, cache: str | None) -> PublishedModel:
    """Read the model from the one place that the recipe names."""
    places = [key for key in ("sources", "folder", "hub") if recipe.get(key)]
    if len(places) != 1:
        raise InputError(
            f"takes exactly one of 'sources', 'folder' and 'hub', and has {' and '.join(places) or 'none'}"
        )
    if places == ["sources"]:
        with tempfile.TemporaryDirectory() as scratch:
            return _from_gguf(recipe, Path(scratch), cache)
    return _from_safetensors(recipe, cache)


def _tokenizer(published: PublishedModel, recipe: MethodRecipe) -> Tokenizer:
    """Build the tokenizer, with its start token, and check that it fits the weights."""
    length = _length(published.config, recipe["context"])
    tokenizer = subwords(published.tokenizer, length)
    check_fit(tokenizer["vocabulary"], published.weights)
    start = _start(published.tokenizer, recipe["start"], published.config)
    if start is not None:
        tokenizer["length"] -= 1  # the start token takes one place
    return {**tokenizer, "start": start}


def label(stored: dict[str, int]) -> str:
    """Describe the number format of weights before they were converted to float32.

    A table must not call weights an fp32 baseline if they had a narrower type.

    Args:
        stored: type -> number of weights of matrices that are stored in it.
    """
    narrow = [kind for kind in stored if kind != "float32"]
    if not narrow:
        return "float32"
    main = max(narrow, key=lambda kind: stored[kind])
    others = ", ".join(kind for kind in stored if kind != main)
    also = f" (with {others})" if others else ""
    if main in TENSOR_TYPES.values():
        return f"{main}{also}, widened to float32"
    return f"dequantized {main}{also}: not an fp32 baseline"


def check_fit(vocabulary: int, state: State) -> None:
    """Check that a tokenizer can belong to these weights.

    Args:
        vocabulary: number of distinct tokens.
        state: weights, by name.

    Raises:
        InputError: the tokenizer has more tokens than the model has embeddings, or far fewer.
    """
    embeddings = [
        tensor for key, tensor in state.items() if key.endswith("embed_tokens.weight") or key.endswith("wte.weight")
    ]
    if not embeddings:
        raise InputError("the weights hold no token embeddings, so they are not those of a causal language model")
    rows = embeddings[0].shape[0]
    if not FITTING * rows <= vocabulary <= rows:
        raise InputError(
            f"the tokenizer has {vocabulary:,} tokens and the model {rows:,} embeddings; they do not belong together"
        )


def _length(config: Config, wanted: int) -> int:
    longest = config.get("max_position_embeddings")
    if longest and wanted > longest:
        raise InputError(f"context: {wanted:,} tokens are more than the {longest:,} that the model can hold")
    return wanted


def _start(definition: str, token: str | None, config: Config) -> int | None:
    """Code of the token that stands before every text, so that the text's first token is also predicted."""
    if token is None:
        code = config.get("bos_token_id")
        return int(code) if code is not None else None
    from tokenizers import Tokenizer as Subwords  # noqa: PLC0415 - the extra `llm`

    code = Subwords.from_str(definition).token_to_id(token)
    if code is None:
        raise InputError(f"start: {token!r} is no token of the model")
    return int(code)


def _from_safetensors(recipe: MethodRecipe, cache: str | None) -> PublishedModel:
    original = published_encoders.take(files=None, folder=recipe["folder"], hub=recipe["hub"], cache=cache)
    if quantized := original.config.get("quantization_config"):
        kind = quantized.get("quant_method", "an unknown method")
        raise InputError(
            f"the weights are quantized by {kind}; take the original model, which this study quantizes itself"
        )
    config = _config(original.config, (original.config.get("architectures") or [""])[0])
    return PublishedModel(config, _state(original.weights, config), original.tokenizer, original.stored)


# ---- one GGUF file


def _from_gguf(recipe: MethodRecipe, scratch: Path, cache: str | None) -> PublishedModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - the extra `llm`
    from transformers.utils import logging  # noqa: PLC0415

    path = _fetch_gguf(recipe, scratch, cache)
    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=path.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=path.name)
        stored = _types(path)
    except Exception as error:  # a truncated file raises whatever its readers run into
        raise InputError(
            f"transformers cannot read the GGUF file ({first_line(error)}); is it complete, and of a class that it "
            "knows?"
        ) from None
    config = _config(model.config.to_dict(), type(model).__name__)
    state = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    return PublishedModel(config, _state(state, config), tokenizer.backend_tokenizer.to_str(), stored)


def _fetch_gguf(recipe: MethodRecipe, scratch: Path, cache: str | None) -> Path:
    for source in recipe["sources"]:
        published_encoders.refuse_pickle(source)
    path = scratch / "model.gguf"
    try:
        fetch(str(path), sources=recipe["sources"], sha256=recipe["sha256"], cache=cache, name="the GGUF file")
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; or fetch it by hand and add 'file:PATH' to 'sources'") from None
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError("the file of 'sources' is not GGUF; safetensors are taken by 'folder' or 'hub'")
    return path


def _types(path: Path) -> dict[str, int]:
    """Count the weights of matrices of a GGUF file by stored type, most frequent first."""
    from gguf import GGUFReader  # noqa: PLC0415 - the extra `llm`

    counts: Counter[str] = Counter()
    for tensor in GGUFReader(path).tensors:
        if len([size for size in tensor.shape if size > 1]) > 1:
            counts[TENSOR_TYPES.get(tensor.tensor_type.name, tensor.tensor_type.name)] += int(tensor.n_elements)
    return dict(counts.most_common())


def _config(config: Config, architecture: str) -> Config:
    """Adapt the configuration to float32 weights; it names the class for programs that build a graph from it."""
    dropped = ("quantization_config", "_name_or_path", "_model_name_or_path")
    kept = {key: value for key, value in config.items() if key not in dropped}
    # transformers 4 and the graph builder look for `rope_theta` at the top level
    theta = (kept.get("rope_parameters") or {}).get("rope_theta")
    return kept | {"architectures": [architecture], "dtype": "float32"} | ({"rope_theta": theta} if theta else {})


def _state(state: State, config: Config) -> State:
    """Leave out the output layer where it shares the weights of the input embeddings."""
    tied = config.get("tie_word_embeddings")
    return {key: array for key, array in state.items() if not (tied and key == "lm_head.weight")}
