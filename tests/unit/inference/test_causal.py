"""Published language models: taken, exported with a cache, quantized, scored, and refused where they must be."""

import json
import math
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fairweight.compression.quantization import weight_only
from fairweight.core import components
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError

pytestmark = pytest.mark.skipif(
    components.missing_extra("architectures", "causal_lm") is not None, reason="the extra `llm` is not installed"
)
NOTHING = {"sources": [], "sha256": None, "folder": None, "hub": None, "context": 48, "start": None}
TEXTS = np.array(["The cat sat on the mat.", "Größe.", "a"], dtype=object)


def taken(place, target, **changes):
    from fairweight.training.pretrained import take

    recipe = NOTHING | {"folder": str(place)} | changes
    take(
        task="language_modelling",
        recipe=recipe,
        model=str(target / "model.safetensors"),
        about=str(target / "model.json"),
        cache=str(target),
        name="tiny",
    )
    return target


def shipped(target):
    from fairweight.inference.export import export

    export(
        model=str(target / "model.safetensors"),
        about=str(target / "model.json"),
        table="",
        split="",
        destination=str(target / "model.onnx"),
        report=str(target / "export.json"),
    )
    return target / "model.onnx"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    from llamas import llama

    return llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def model(published, tmp_path_factory):
    target = taken(published, tmp_path_factory.mktemp("taken"))
    shipped(target)
    return target


def scored(path):
    from fairweight.inference.onnx_file import read_signature
    from fairweight.training.tokenizer import tokens

    run = components.load("engines", "onnxruntime")(path, threads=1)
    return run({"tokens": tokens(read_signature(path).text, TEXTS)})


def test_likelihoods_are_those_of_transformers_text_by_text(model, published):
    from transformers import AutoModelForCausalLM

    reference = AutoModelForCausalLM.from_pretrained(published).eval()
    likelihoods = scored(model / "model.onnx")
    for text, (nll, count) in zip(TEXTS, likelihoods, strict=True):
        ids = torch.tensor([[0, *(_code(byte) for byte in text.encode())]])
        with torch.no_grad():
            expected = reference(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        assert count == len(text.encode())
        assert nll == pytest.approx(expected, rel=1e-4)


def _code(byte):
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return 1 + sorted(bytes_to_unicode().values()).index(bytes_to_unicode()[byte])


def test_decoding_from_the_cache_says_what_reading_everything_says(model):
    from fairweight.inference.causal_decoding import Decoder
    from fairweight.inference.onnxruntime_session import session

    decoder = Decoder(session(model / "model.onnx", threads=1))
    tokens = np.arange(1, 13)[None]
    whole, _ = decoder(tokens)
    _, cache = decoder(tokens[:, :5])
    for position in range(5, 12):
        logits, cache = decoder(tokens[:, position : position + 1], cache)
        np.testing.assert_allclose(logits[:, 0], whole[:, position], atol=1e-4)
    assert next(iter(cache.values())).shape()[2] == 12


def test_weights_say_what_they_were(model, published, tmp_path):
    from llamas import llama

    from fairweight.training.pretrained import label

    assert json.loads((model / "export.json").read_text())["method"] == "float32"
    half = taken(llama(tmp_path / "half", dtype=torch.bfloat16), tmp_path)
    assert label(json.loads((half / "model.json").read_text())["stored"]) == "bfloat16, widened to float32"
    assert label({"Q4_1": 9, "Q8_0": 2}) == "dequantized Q4_1 (with Q8_0): not an fp32 baseline"
    assert label({"float32": 9}) == "float32"


@pytest.mark.parametrize(
    ("bits", "head_bits", "block", "within"), [(8, None, 32, 0.02), (4, 8, 16, 0.2), (4, None, 128, 0.4)]
)
def test_tied_embeddings_are_quantized_with_the_last_layer(model, tmp_path, bits, head_bits, block, within):
    import onnx

    options = {"bits": bits, "block": block, "head_bits": head_bits, "activations": "int8"}
    weight_only.quantize(model / "model.onnx", tmp_path / "q.onnx", None, **options)
    graph = onnx.load(str(tmp_path / "q.onnx")).graph
    assert sum(node.op_type == "GatherBlockQuantized" for node in graph.node) == 1
    assert not any(node.op_type in ("MatMul", "Gather") and "embed" in node.name for node in graph.node)
    weights = {
        t.name: math.prod(t.dims)
        for t in graph.initializer
        if len(t.dims) >= 2 and t.data_type == onnx.TensorProto.FLOAT
    }
    assert not [name for name in weights if "weight" in name and "scale" not in name]
    whole, narrow = scored(model / "model.onnx"), scored_like(tmp_path / "q.onnx", model)
    assert (narrow[:, 1] == whole[:, 1]).all()
    np.testing.assert_allclose(narrow[:, 0], whole[:, 0], rtol=within)
    assert not np.allclose(narrow[:, 0], whole[:, 0], rtol=1e-7)


def test_a_file_is_checked_by_its_weights_and_not_by_classes(model, published, tmp_path):
    from transformers import AutoModelForCausalLM

    from fairweight.inference.model_checks import check
    from fairweight.inference.onnx_file import read_signature
    from fairweight.training.model_inputs import ModelInputs
    from fairweight.training.tokenizer import tokens

    weight_only.quantize(model / "model.onnx", tmp_path / "q.onnx", None, bits=4, block=16)
    inputs = ModelInputs({"tokens": tokens(read_signature(model / "model.onnx").text, TEXTS)})
    expected = sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(published).parameters())
    for path in (model / "model.onnx", tmp_path / "q.onnx"):
        run = components.load("engines", "onnxruntime")(path, threads=1)
        checks = check(path, run, inputs, inputs.outputs(run, 2), engine="onnxruntime", batch_size=2)
        assert checks["parameters"] == expected and checks["batch_invariant_share"] is None


def scored_like(path, model):
    from fairweight.inference.onnx_file import read_signature
    from fairweight.training.tokenizer import tokens

    run = components.load("engines", "onnxruntime")(path, threads=1)
    return run({"tokens": tokens(read_signature(model / "model.onnx").text, TEXTS)})


def test_a_shipped_file_writes_text_without_the_project(model, tmp_path):
    """The example of docs/language-models.md, run in a folder of its own by onnxruntime and tokenizers alone."""
    document = (ROOT / "docs" / "language-models.md").read_text()
    code = document.split("```python\n")[1].split("```")[0]
    (tmp_path / "write.py").write_text(code)
    (tmp_path / "model.onnx").write_bytes((model / "model.onnx").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "write.py", "The cat"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The cat") and len(done.stdout.strip()) > len("The cat")


# ---- bad input: one sentence each


def refused(place, tmp_path, **changes):
    with pytest.raises(InputError) as error:
        taken(place, tmp_path, **changes)
    sentence = str(error.value)
    assert sentence.startswith("models: tiny: ") and sentence.endswith((".", "?")) and "\n" not in sentence
    return sentence


def test_a_tokenizer_of_another_model_is_refused(published, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((published / name).read_bytes())
    tokenizer = json.loads((published / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"more{n}": len(vocabulary) + n for n in range(50)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "the tokenizer has 307 tokens and the model 257 embeddings" in refused(folder, tmp_path)
    tokenizer["model"]["vocab"] = {name: code for name, code in vocabulary.items() if code < 100}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "the tokenizer has 100 tokens" in refused(folder, tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json is not a tokenizer" in refused(folder, tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_a_pickle_is_refused_unopened(published, tmp_path, name):
    folder = tmp_path / "pickled"
    folder.mkdir()
    for needed in ("config.json", "tokenizer.json"):
        (folder / needed).write_bytes((published / needed).read_bytes())
    (folder / name).write_bytes(pickle.dumps(Bomb(str(tmp_path / "went off"))))
    assert "may be a pickle" in refused(folder, tmp_path)
    # nor under another name
    (folder / "model.safetensors").write_bytes((folder / name).read_bytes())
    assert "model.safetensors is not safetensors" in refused(folder, tmp_path)
    source = f"file:{folder / name}"
    assert "may be a pickle" in refused(None, tmp_path, folder=None, sources=[source])
    assert not (tmp_path / "went off").exists()


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_what_a_config_leaves_out_is_what_transformers_takes(tmp_path):
    from llamas import llama

    from fairweight.inference.causal_decoding import Decoder
    from fairweight.inference.onnxruntime_session import session

    folder = llama(tmp_path / "llama", key_value_heads=2)
    config = json.loads((folder / "config.json").read_text())
    for name in ("num_key_value_heads", "head_dim"):
        config.pop(name)
    (folder / "config.json").write_text(json.dumps(config))
    decoder = Decoder(session(shipped(taken(folder, tmp_path)), threads=1))
    assert {tuple(shape[1::2]) for shape in decoder.past.values()} == {(2, 16)}


@pytest.mark.parametrize("content", [b"", b"\3", struct.pack("<IQQ", 3, 2, 5), struct.pack("<IQQQ", 3, 2, 5, 2**60)])
def test_a_gguf_file_that_is_cut_short(tmp_path, content):
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"GGUF" + content)
    assert "cannot read the GGUF file" in refused(None, tmp_path, folder=None, sources=[f"file:{file}"])


def test_a_gguf_file_that_cannot_be_had_says_how_to_place_it_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr("fairweight.data.fetch.BACK_OFF_S", 0.01)
    sentence = refused(None, tmp_path, folder=None, sources=["https://127.0.0.1:9/a.gguf"], sha256="0" * 64)
    assert sentence == (
        "models: tiny: the GGUF file could not be fetched from any of its sources: https://127.0.0.1:9/a.gguf: no "
        "connection; or fetch it by hand and add 'file:PATH' to 'sources'."
    )


def test_sources_that_are_not_what_they_should_be(published, tmp_path):
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"not GGUF at all")
    sources = [f"file:{file}"]
    assert "is not GGUF" in refused(None, tmp_path, folder=None, sources=sources)
    assert "checksum differs" in refused(None, tmp_path, folder=None, sources=sources, sha256="0" * 64)
    file.write_bytes(b"GGUF" + bytes(60))
    assert "GGUF file" in refused(None, tmp_path, folder=None, sources=sources)
    assert "exactly one of" in refused(published, tmp_path, sources=sources)
    assert "config.json is missing" in refused(tmp_path / "nowhere", tmp_path)
    assert "more than the 64 that the model can hold" in refused(published, tmp_path, context=65)
    assert "is no token of the model" in refused(published, tmp_path, start="<begin>")


def test_a_hub_that_cannot_be_reached_says_what_to_place_by_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code = (
        "import time; time.sleep = lambda _: None  # the hub's client waits between its attempts\n"
        "from fairweight.training.published_encoders import take\n"
        "from fairweight.core.errors import InputError\n"
        f"try:\n    take(files=None, folder=None, hub='someone/model@{'0' * 40}', cache={str(tmp_path)!r})\n"
        "except InputError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'someone/model' could not be downloaded" in done.stdout
    assert "place config.json, model.safetensors, tokenizer.json in a folder by hand" in done.stdout
    assert "is not of the form OWNER/NAME" in refused(None, tmp_path, folder=None, hub="no slash")
    for moving in ("someone/model", "someone/model@main"):
        assert "names no commit" in refused(None, tmp_path, folder=None, hub=moving)


def test_a_text_longer_than_the_model_reads_is_refused_and_not_cut(model, tmp_path):
    from dataclasses import replace

    from tables import comments

    from fairweight.core.artifacts import write_split, write_table
    from fairweight.inference.predict import predict

    rows = replace(comments(2), texts=np.array(["short", "long " * 20], dtype=object))
    write_table(tmp_path / "table.parquet", rows)
    write_split(tmp_path / "split.parquet", rows.row, np.full(2, 2))
    with pytest.raises(
        InputError, match=r"^1 texts are longer than the 47 tokens that the model reads; .*'characters' fewer.$"
    ):
        predict(
            model=str(model / "model.onnx"),
            table=str(tmp_path / "table.parquet"),
            split=str(tmp_path / "split.parquet"),
            destination="",
            checks="",
            engine="onnxruntime",
            batch_size=2,
            threads=1,
        )


def test_the_start_is_one_of_the_tokens_that_a_model_holds(published, tmp_path):
    from fairweight.training.tokenizer import count_truncated, tokens

    taken(published, tmp_path, context=64)  # all that it can hold
    text = json.loads((tmp_path / "model.json").read_text())["signature"]["text"]
    texts = ["a" * 63, "a" * 64]
    assert count_truncated(text, texts) == 1 and tokens(text, texts).shape == (2, 64)


def test_quantized_weights_in_a_folder_are_refused(published, tmp_path):
    folder = tmp_path / "gptq"
    folder.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes((published / name).read_bytes())
    config = json.loads((published / "config.json").read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    (folder / "config.json").write_text(json.dumps(config))
    assert "quantized by gptq" in refused(folder, tmp_path)


def test_a_class_that_the_builder_does_not_know(published, tmp_path):
    target = taken(published, tmp_path)
    about = json.loads((target / "model.json").read_text())
    about["config"]["architectures"] = ["UnheardOfForCausalLM"]
    (target / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="cannot build UnheardOfForCausalLM"):
        shipped(target)


# ---- quantizers that calibrate


def calibration(model):
    from fairweight.inference.onnx_file import read_signature
    from fairweight.training.tokenizer import tokens

    texts = np.array([f"The cat sat on {n} mats." for n in range(6)], dtype=object)
    return lambda rows: [{"tokens": tokens(read_signature(model / "model.onnx").text, texts[:rows])}]


CALIBRATED = [
    {"grid": "k_quant"},
    {"grid": "hqq", "scale_bits": 8, "head_bits": 8},
    {"grid": "range", "rounding": "gptq", "scale_bits": 8, "block": 64},
    {"grid": "range", "rounding": "gptq", "awq": True, "average_bits": 5.5, "activations": "int8"},
    {"grid": "range", "rounding": "gptq", "wide_tokens": 100, "scale_bits": 8},
    {"cache_bits": 8},
    {"rounding": "gptq", "cache_bits": 4},
]


@pytest.mark.parametrize("changes", CALIBRATED, ids=lambda changes: "-".join(map(str, changes.values())))
def test_a_calibrated_file_is_near_its_parent_and_states_its_bits(model, tmp_path, changes):
    import onnx

    from fairweight.inference.model_checks import contents

    options = {"bits": 4, "block": 16, "calibration_rows": 4} | changes
    if "average_bits" in options:
        options["scale_bits"] = 8
    name = weight_only.quantize(model / "model.onnx", tmp_path / "q.onnx", calibration(model), **options)
    assert name.startswith("weight_only int4")
    proto = onnx.load(str(tmp_path / "q.onnx"))
    onnx_parameters = contents(onnx.load(str(model / "model.onnx")))
    inside = contents(proto)
    assert inside["parameters"] == onnx_parameters["parameters"] and onnx_parameters["bits_per_weight"] == 32
    products = [node for node in proto.graph.node if node.op_type == "MatMulNBits"]
    bits = {attribute.i for node in products for attribute in node.attribute if attribute.name == "bits"}
    assert bits == ({4, 8} if {"average_bits", "head_bits", "wide_tokens"} & set(changes) else {4})
    assert 4 < inside["bits_per_weight"] < 8.5
    whole, narrow = scored(model / "model.onnx"), scored_like(tmp_path / "q.onnx", model)
    assert (narrow[:, 1] == whole[:, 1]).all()
    np.testing.assert_allclose(narrow[:, 0], whole[:, 0], rtol=0.1)


def test_a_narrow_cache_decodes_what_reading_everything_says(model, tmp_path):
    from fairweight.inference.causal_decoding import Decoder
    from fairweight.inference.onnxruntime_session import session

    options = {"bits": 8, "block": 16, "cache_bits": 8, "calibration_rows": 4}
    weight_only.quantize(model / "model.onnx", tmp_path / "q.onnx", calibration(model), **options)
    decoder, whole = (Decoder(session(path, threads=1)) for path in (tmp_path / "q.onnx", model / "model.onnx"))
    tokens = calibration(model)(1)[0]["tokens"][:1, :12]
    expected, float_cache = whole(tokens)
    logits, cache = decoder(tokens[:, :5])
    for position in range(5, 12):
        logits, cache = decoder(tokens[:, position : position + 1], cache)
    assert np.abs(logits[:, 0] - expected[:, 11]).max() < 0.15 * np.abs(expected).max()
    name = next(iter(cache))
    assert cache[name].data_type() == "tensor(int8)" and cache[name].shape() == float_cache[name].shape()


def test_a_calibrated_method_without_training_rows_says_what_to_do(model, tmp_path):
    with pytest.raises(InputError, match="no training rows to calibrate on; name the files of the test rows"):
        weight_only.quantize(model / "model.onnx", tmp_path / "q.onnx", lambda _: [], bits=4, block=16, rounding="gptq")
