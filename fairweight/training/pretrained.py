"""Published weights of a causal language model: from a file, a folder or a hub, in float32, with its tokenizer.

Only GGUF and safetensors are read; a pickle is refused, whatever its name promises.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from fairweight.core.artifacts import write_weights
from fairweight.core.errors import InputError, first_line
from fairweight.data.fetch import fetch
from fairweight.training import published_encoders
from fairweight.training.signature import Signature
from fairweight.training.tokenizer import subwords

TENSOR_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # of GGUF and safetensors
FITTING = 0.9  # smallest share of a model's embeddings that its tokenizer may use; models pad by a few per cent

State = dict[str, NDArray[Any]]
Taken = tuple[State, dict[str, Any], str, dict[str, int]]  # and configuration, tokenizer.json, weights by stored type


def take(*, recipe: dict[str, Any], model: str, about: str, cache: str | None, name: str, task: str) -> None:
    """Write a published model as a study's model: `model.safetensors` in float32, and what rebuilds it.

    Args:
        recipe: `models: NAME` of the study file: one of `sources` (a GGUF file) with `sha256`, `folder` and `hub`.
        model, about: safetensors and JSON files to write.
        cache: the study's cache folder, if it sets one.
        name: the model's name, for messages.
        task: task of the dataset.

    Raises:
        InputError: the files are not there, are none that may be read, or do not fit each other.
    """
    stated = [key for key in ("sources", "folder", "hub") if recipe.get(key)]
    try:
        if len(stated) != 1:
            raise InputError(
                f"takes exactly one of 'sources', 'folder' and 'hub', and has {' and '.join(stated) or 'none'}"
            )
        with tempfile.TemporaryDirectory() as scratch:
            if stated == ["sources"]:
                state, config, definition, stored = _from_gguf(recipe, Path(scratch), cache)
            else:
                state, config, definition, stored = _from_checkpoint(recipe, cache)
        length = _length(config, recipe["context"])
        tokenizer = subwords(definition, length)
        check_fit(tokenizer["vocabulary"], state)
        start = _start(definition, recipe["start"], config)
        if start is not None:
            tokenizer["length"] -= 1  # the start takes one place
    except InputError as error:
        raise InputError(f"models: {name}: {str(error).rstrip('.')}.") from None
    signature = Signature((), {}, None, (), {**tokenizer, "start": start}, task)
    described = {"signature": signature.to_dict(), "architecture": recipe, "config": config, "stored": stored}
    write_weights(model, state, described, about)


def label(stored: dict[str, int]) -> str:
    """What the weights were before they became float32, in words; a table must not call them an fp32 baseline if they were less.

    Args:
        stored: type -> number of weights stored in it; vectors are left out.
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
    """Whether a tokenizer can be that of these weights.

    Raises:
        InputError: it has more tokens than the model has embeddings, or far fewer.
    """
    found = [
        tensor for key, tensor in state.items() if key.endswith("embed_tokens.weight") or key.endswith("wte.weight")
    ]
    if not found:
        raise InputError("the weights hold no token embeddings, so they are not those of a causal language model")
    rows = found[0].shape[0]
    if not FITTING * rows <= vocabulary <= rows:
        raise InputError(
            f"the tokenizer has {vocabulary:,} tokens and the model {rows:,} embeddings; they do not belong together"
        )


def _length(config: dict[str, Any], wanted: int) -> int:
    longest = config.get("max_position_embeddings")
    if longest and wanted > longest:
        raise InputError(f"context: {wanted:,} tokens are more than the {longest:,} that the model can hold")
    return wanted


def _start(definition: str, stated: str | None, config: dict[str, Any]) -> int | None:
    """Token that stands before every text, so that its first token is foretold too."""
    if stated is None:
        token = config.get("bos_token_id")
        return int(token) if token is not None else None
    from tokenizers import Tokenizer  # noqa: PLC0415 - the extra `llm`

    found = Tokenizer.from_str(definition).token_to_id(stated)
    if found is None:
        raise InputError(f"start: {stated!r} is no token of the model")
    return int(found)


def _from_checkpoint(recipe: dict[str, Any], cache: str | None) -> Taken:
    found = published_encoders.take(files=None, folder=recipe["folder"], hub=recipe["hub"], cache=cache)
    if quantized := found.config.get("quantization_config"):
        kind = quantized.get("quant_method", "an unknown method")
        raise InputError(
            f"the weights are quantized by {kind}; take the original model, which this study quantizes itself"
        )
    config = _config(found.config, (found.config.get("architectures") or [""])[0])
    return _state(found.weights, config), config, found.tokenizer, found.stored


# ---- one GGUF file


def _from_gguf(recipe: dict[str, Any], scratch: Path, cache: str | None) -> Taken:
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - the extra `llm`
    from transformers.utils import logging  # noqa: PLC0415

    for source in recipe["sources"]:
        published_encoders.refuse_pickle(source)
    path = scratch / "model.gguf"
    try:
        fetch(str(path), sources=recipe["sources"], sha256=recipe["sha256"], cache=cache, name="the GGUF file")
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; or fetch it by hand and state 'file:PATH' among them") from None
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError("the file of 'sources' is not GGUF; safetensors are taken by 'folder' or 'hub'")
    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=path.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=path.name)
        stored = _types(path)
    except Exception as error:  # of a file that is cut short, whatever its readers trip over
        raise InputError(
            f"transformers cannot read the GGUF file ({first_line(error)}); is it whole, and of a class that it knows?"
        ) from None
    config = _config(model.config.to_dict(), type(model).__name__)
    state = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    return _state(state, config), config, tokenizer.backend_tokenizer.to_str(), stored


def _types(path: Path) -> dict[str, int]:
    from gguf import GGUFReader  # noqa: PLC0415 - the extra `llm`

    counts: Counter[str] = Counter()
    for tensor in GGUFReader(path).tensors:
        if len([size for size in tensor.shape if size > 1]) > 1:
            counts[TENSOR_TYPES.get(tensor.tensor_type.name, tensor.tensor_type.name)] += int(tensor.n_elements)
    return dict(counts.most_common())


def _config(config: dict[str, Any], architecture: str) -> dict[str, Any]:
    """The model's configuration as it is in float32; the class stands in it, for who builds a graph of it."""
    kept = {
        key: value
        for key, value in config.items()
        if key not in ("quantization_config", "_name_or_path", "_model_name_or_path")
    }
    theta = (kept.get("rope_parameters") or {}).get(
        "rope_theta"
    )  # where transformers 4 and the graph's builder look for it
    return kept | {"architectures": [architecture], "dtype": "float32"} | ({"rope_theta": theta} if theta else {})


def _state(state: State, config: dict[str, Any]) -> State:
    tied = config.get("tie_word_embeddings")
    return {key: array for key, array in state.items() if not (tied and key == "lm_head.weight")}
