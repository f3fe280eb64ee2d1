"""Export a causal language model as one ONNX file: prefill and decoding in one graph, with a cache of keys and values.

The builder of onnxruntime-genai makes the graph (docs/decisions/0036-language-models-as-one-graph.md).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypedDict

import numpy as np
import onnx
import torch

from fairweight.core.artifacts import atomic, link_or_copy, read_json, write_json, write_text
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import Decoder
from fairweight.inference.onnx_file import put_signature, write_tokenizer
from fairweight.inference.onnxruntime_session import check_loads, session
from fairweight.training.pretrained import label
from fairweight.training.published_encoders import Config
from fairweight.training.signature import Signature, SignatureDict

TOLERANCE = 5e-3  # largest difference of a logit, in nats, between transformers and onnxruntime
CHECKED_TOKENS = 24
LARGEST = 2**31 - 2**20  # bytes of one ONNX file, which is a Protocol Buffers message


class _Description(TypedDict):
    """Keys of model.json that are used here, see `training.pretrained`."""

    signature: SignatureDict
    config: Config
    stored: dict[str, int]


def export(*, model: str, about: str, destination: str, report: str) -> None:
    """Write a causal language model as one ONNX file, and compare it with transformers, with the cache and without.

    Args:
        model, about: safetensors and JSON files.
        destination: ONNX file to write.
        report: JSON file to write: largest difference of a logit, its tolerance, and the original type of the weights.

    Raises:
        InputError: the builder does not know the model's class, the model is too large, the engine crashes, or the
            logits differ.
    """
    description: _Description = read_json(about)
    signature = Signature.from_dict(description["signature"])
    with tempfile.TemporaryDirectory(dir=Path(destination).parent) as scratch:
        folder = _model_folder(Path(model), description, signature, Path(scratch) / "model")
        proto = _built(folder, Path(scratch) / "graph", description["config"])
        put_signature(proto, signature)
        with atomic(destination) as temporary:
            temporary.write_bytes(proto.SerializeToString())
            check_loads(temporary, file=destination)
            difference = _difference(folder, temporary)
            if not difference <= TOLERANCE:
                raise InputError(
                    f"{destination}: onnxruntime differs from transformers by {difference:.2g} nats, tolerance "
                    f"{TOLERANCE:g}."
                )
    write_tokenizer(destination, signature)
    write_json(
        report,
        {
            "largest_difference": difference,
            "tolerance": TOLERANCE,
            "tokens": CHECKED_TOKENS,
            "method": label(description["stored"]),
            "stored": description["stored"],
        },
    )


def _model_folder(model: Path, description: _Description, signature: Signature, folder: Path) -> Path:
    """Write the model as a folder that transformers and the builder read."""
    assert signature.text is not None  # a language model has a tokenizer
    folder.mkdir()
    link_or_copy(model, folder / "model.safetensors")
    write_json(folder / "config.json", description["config"])
    write_text(folder / "tokenizer.json", signature.text["definition"])
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    return folder


def _built(folder: Path, target: Path, config: Config) -> onnx.ModelProto:
    """Build the graph in a process of its own, without network access."""
    command = [sys.executable, "-P", "-m", "onnxruntime_genai.models.builder", "-i", str(folder), "-o", str(target)]
    command += ["-p", "fp32", "-e", "cpu", "-c", str(folder.parent / "cache"), "--extra_options", "hf_token=false"]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | offline)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"onnxruntime-genai cannot build {config['architectures'][0]} ({last[:200]}).")
    if sum(file.stat().st_size for file in target.glob("model.onnx*")) > LARGEST:
        raise InputError(
            "the model is larger than one ONNX file can be (2 GB in float32, some 500 million parameters)."
        )
    proto = onnx.load(str(target / "model.onnx"))
    heads, width = _cache_shape(folder)
    for value in [*proto.graph.input, *proto.graph.output]:
        if value.name.startswith(("past_key_values", "present")):
            shape = value.type.tensor_type.shape.dim
            shape[1].dim_value, shape[3].dim_value = heads, width  # a decoder reads the cache's size from the file
    return proto


def _cache_shape(folder: Path) -> tuple[int, int]:
    """Number of key-value heads and width of each; transformers completes what config.json leaves out."""
    from transformers import AutoConfig  # noqa: PLC0415 - the extra `llm`

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return heads, getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _difference(folder: Path, path: Path) -> float:
    """Largest difference of a logit, for random tokens in one call, and for the second half of them one by one."""
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - the extra `llm`

    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    tokens = np.random.default_rng(0).integers(0, reference.config.vocab_size, (1, CHECKED_TOKENS))
    with torch.no_grad():
        expected = reference(torch.from_numpy(tokens)).logits.numpy()
    decoder = Decoder(session(path, threads=1))
    half = CHECKED_TOKENS // 2
    logits, cache = decoder(tokens[:, :half])
    parts = [logits]
    for position in range(half, CHECKED_TOKENS):
        logits, cache = decoder(tokens[:, position : position + 1], cache)
        parts.append(logits)
    whole, _ = decoder(tokens)
    return float(max(np.abs(np.concatenate(parts, axis=1) - expected).max(), np.abs(whole - expected).max()))
