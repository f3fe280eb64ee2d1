"""Texts: tokens, batches by length, the TF-IDF baseline, pretrained transformers and what is cut from them."""

import dataclasses
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from studies import tiny
from tables import TFIDF, comments, small_bert
from trained_study import RECIPE, Study

from fairweight.core import components
from fairweight.core.artifacts import read_json
from fairweight.core.errors import InputError
from fairweight.data.deduplicate import removal
from fairweight.inference.model_checks import check
from fairweight.inference.onnx_file import read_signature
from fairweight.study.schema import resolve
from fairweight.study.study import Study as StudyFile
from fairweight.training.input_encoders import Encoder
from fairweight.training.model import Model
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import PADDING, Signature
from fairweight.training.tokenizer import fit_terms, padded, tokens

EXTRA = components.missing_extra("architectures", "pretrained") is None
NNCF = components.missing_extra("quantization", "openvino") is None


# ---- rows


def test_rows_of_two_labels_all_go_and_of_repeated_ones_the_first_stays():
    import pandas as pd

    frame = pd.DataFrame(
        {"said": ["One", "two", " one ", "three", "Two", "four", "five"], "label": ["1", "0", "1", "1", "1", "?", None]}
    ).assign(__file__="train")
    inputs = {"numeric": [], "categorical": [], "image": None, "text": "said"}
    target = {"column": "label", "only": ["0", "1"], "strip": ""}
    written = {"decimal": ".", "thousands": None, "dates": {}}
    recipe = {"inputs": inputs, "target": target, "repeated": "remove", **written}
    rows_removed = removal(lambda: [frame.iloc[:3], frame.iloc[3:].reset_index(drop=True)], recipe)
    assert rows_removed.rows == {1, 2, 4, 5, 6}
    assert dict(rows_removed.counts) == {"repeated": 1, "with two labels": 2, "with another label": 2}
    left = pd.concat(rows_removed.applied([frame.iloc[:3], frame.iloc[3:].reset_index(drop=True)]))
    assert list(left["said"]) == ["One", "three"]


def test_nothing_is_read_where_nothing_is_to_be_removed():
    recipe = {"inputs": {}, "target": {"column": "label", "only": None}, "repeated": "keep"}
    assert not removal(lambda: pytest.fail("read"), recipe).rows


# ---- batches


def test_outputs_come_back_in_the_order_of_the_rows_and_batches_hold_no_needless_padding():
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 9, rng.integers(1, 30)).tolist() for _ in range(101)]
    inputs = ModelInputs({"tokens": padded(rows)})
    seen = []

    def run(feeds):
        array = feeds["tokens"]
        seen.append((array != PADDING).mean())
        assert (array[:, -1] != PADDING).any()
        return np.where(array == PADDING, 0, array).sum(axis=1)

    assert inputs.outputs(run, 8).tolist() == [sum(row) for row in rows]
    assert np.mean(seen) > 0.9 > (inputs.feeds["tokens"] != PADDING).mean()


def test_training_batches_hold_every_row_once_and_little_padding():
    signature = Signature((), {}, None, ("0", "1"), {"vocabulary": 9})
    encoder = Encoder.from_signature(signature)
    generator = torch.Generator().manual_seed(0)
    rows = [
        torch.randint(0, 9, (int(n),), generator=generator).tolist()
        for n in torch.randint(1, 50, (500,), generator=generator)
    ]
    features = torch.from_numpy(padded(rows))
    orders = [torch.randperm(500, generator=generator) for _ in range(2)]
    first, second = (encoder.batches(features, order, 16) for order in orders)
    assert sorted(torch.cat(list(first)).tolist()) == list(range(500))
    assert [b.tolist() for b in first] != [b.tolist() for b in second]
    size = sum(encoder.trim(features[b]).numel() for b in first)
    plain = sum(encoder.trim(features[b]).numel() for b in orders[0].split(16))
    assert size < 0.7 * plain


def test_tables_of_differing_length_are_joined_to_one():
    encoder = Encoder.from_signature(Signature((), {}, None, ("0", "1"), {"vocabulary": 9}))
    joined = encoder.concatenate([torch.ones(2, 3, dtype=torch.int64), torch.ones(1, 5, dtype=torch.int64)])
    assert joined.tolist() == [[1, 1, 1, -1, -1], [1, 1, 1, -1, -1], [1, 1, 1, 1, 1]]


# ---- TF-IDF


def test_tfidf_in_the_graph_is_that_of_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = comments()
    tokenizer, idf, kind = fit_terms(table.texts, [1, 2], [2, 4], 2, 5000)
    body = components.load("architectures", "tfidf_logistic")(
        (len(idf),), 2, **components.chosen(TFIDF, name="architecture")
    )
    with torch.no_grad():
        body.idf.copy_(torch.from_numpy(idf))
        body.kind.copy_(torch.from_numpy(kind))
        body.weight.copy_(torch.randn(body.weight.shape, generator=torch.Generator().manual_seed(0)))
        logits = body(torch.from_numpy(tokens(tokenizer, table.texts))).numpy()
    parts = [
        TfidfVectorizer(analyzer=analyzer, ngram_range=sizes, min_df=2, sublinear_tf=True).fit_transform(
            list(table.texts)
        )
        for analyzer, sizes in (("word", (1, 2)), ("char_wb", (2, 4)))
    ]
    expected = np.hstack([part.toarray() for part in parts]) @ body.weight.detach().numpy()
    assert np.abs(logits - expected).max() < 1e-4


def test_the_baseline_learns_and_its_file_runs_without_the_project(tmp_path):
    study = Study(tmp_path, comments(), TFIDF)
    study.train(epochs=4, learning_rate=0.05)
    path = study.export()
    signature = read_signature(path)
    inputs = ModelInputs.from_rows(signature, study.table)
    run = components.load("engines", "onnxruntime")(path, threads=1)
    assert (inputs.outputs(run, 32).argmax(1) == study.table.label).mean() > 0.9
    beside = json.loads((tmp_path / "tokenizer.json").read_text())
    assert beside["terms"]["words"] and signature.text["sha256"]
    unknown = dataclasses.replace(study.table.take(np.arange(2)), texts=np.array(["zzz qqq", "ξ"], dtype=object))
    assert np.isfinite(ModelInputs.from_rows(signature, unknown).outputs(run, 2)).all()


# ---- pretrained


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    """A BERT of four small layers, in the three files of a published model."""
    if not EXTRA:
        pytest.skip("the extra 'text' is not installed")
    folder = tmp_path_factory.mktemp("bert")
    small_bert(folder, list(comments().texts))
    return folder


def options(folder, **changes):
    defaults = {k: s["default"] for k, s in components.options("architectures", "pretrained").items()}
    return {"architecture": "pretrained", **defaults, "folder": folder and str(folder), "length": 32} | changes


@pytest.fixture(scope="module")
def finetuned(bert_folder, tmp_path_factory):
    study = Study(tmp_path_factory.mktemp("text"), comments(), options(bert_folder))
    study.train(epochs=8, learning_rate=3e-3, head_learning_rate=1e-2)
    study.export()
    return study


def accuracy(study, name):
    path = study.path(f"{name}.onnx")
    run = components.load("engines", "onnxruntime")(path, threads=1)
    outputs = ModelInputs.from_rows(read_signature(path), study.table).outputs(run, 32)
    return (outputs.argmax(1) == study.table.label).mean()


def test_a_pretrained_model_is_finetuned_and_its_file_says_the_same_at_any_length(finetuned):
    assert accuracy(finetuned, "dense") > 0.9
    path = finetuned.path("dense.onnx")
    inputs = ModelInputs.from_rows(read_signature(path), finetuned.table)
    run = components.load("engines", "onnxruntime")(path, threads=1)
    whole = run(inputs.feeds)  # all padded to the longest
    assert np.abs(inputs.outputs(run, 8) - whole).max() < 1e-5
    checks = check(path, run, inputs, inputs.outputs(run, 16), engine="onnxruntime", batch_size=16)
    assert checks["batch_invariant_share"] == 1


@pytest.mark.parametrize(
    ("method", "changes"),
    [("frozen", {}), ("last_layers", {"layers": 1}), ("lora", {"rank": 4, "alpha": 8.0, "maps": ["query", "value"]})],
)
def test_adaptation_trains_what_it_says_and_leaves_an_ordinary_model(bert_folder, tmp_path, method, changes):
    study = Study(tmp_path, comments(), options(bert_folder))
    model = study.train(epochs=1, learning_rate=1e-2, adapt={"method": method, **changes})
    published = components.load("architectures", "pretrained", "start")(
        study.table.texts, cache=None, **components.chosen(study.architecture, name="architecture")
    ).tensors
    moved = {
        n
        for n, p in model.body.named_parameters()
        if n in published and not np.array_equal(p.detach().numpy(), published[n])
    }
    wanted = {
        "frozen": lambda name: False,
        "last_layers": lambda name: ".layer.3." in name,
        "lora": lambda name: name.endswith(("query.weight", "value.weight")),
    }[method]
    expected = {n for n in published if n in dict(model.body.named_parameters()) and wanted(n)}
    assert moved <= expected and (moved == expected or method == "last_layers")
    assert all(p.requires_grad for p in model.body.parameters())
    study.export()


@pytest.mark.parametrize(
    ("recipe", "name", "left"),
    [
        (
            {"method": "ffn_taylor", "share": 0.5, "rows": 64},
            "encoder.encoder.layer.0.intermediate.dense.weight",
            (32, 32),
        ),
        (
            {"method": "heads_taylor", "share": 0.5, "rows": 64},
            "encoder.encoder.layer.3.attention.self.key.weight",
            (16, 32),
        ),
        ({"method": "layers", "left": 2}, "encoder.encoder.layer.1.intermediate.dense.weight", (64, 32)),
    ],
)
def test_what_is_cut_is_gone_from_the_file_and_what_is_left_learns_from_the_parent(finetuned, recipe, name, left):
    teaching = {"method": "soft_labels", "temperature": 2.0, "teacher_share": 0.5}
    pruned = finetuned.prune(
        recipe["method"], epochs=2, recipe={**recipe, "finetune": {}}, learning_rate=1e-3, distillation=teaching
    )
    assert tuple(pruned.body.get_parameter(name).shape) == left
    dense = Model.load(finetuned.path("dense.st"), finetuned.path("dense.json"))
    assert sum(p.numel() for p in pruned.parameters()) < sum(p.numel() for p in dense.parameters())
    finetuned.export(recipe["method"])
    assert accuracy(finetuned, recipe["method"]) > 0.85


def test_a_removed_neuron_is_one_whose_zero_changes_the_loss_least(finetuned):
    """The first-order score against the loss with the neuron set to zero, neuron by neuron."""
    from fairweight.compression.finetuning import Trained
    from fairweight.training.training_data import TrainingData
    from fairweight.training.training_loop import evaluate

    model = Model.load(finetuned.path("dense.st"), finetuned.path("dense.json"))
    data = TrainingData.read(**finetuned.data)
    network = Trained(model, data, RECIPE, variant="x", seed=0)
    name = "encoder.encoder.layer.2.output.dense"
    score = network.taylor([name], 10_000)[name]
    training, _ = data.encoded(model)
    before, _ = evaluate(model, training)
    weight, changes = model.body.get_parameter(f"{name}.weight"), []
    with torch.no_grad():
        for j in range(weight.shape[1]):
            kept = weight[:, j].clone()
            weight[:, j] = 0
            changes.append(abs(evaluate(model, training)[0] - before))
            weight[:, j] = kept
    from scipy.stats import spearmanr

    assert spearmanr(score.numpy(), changes).statistic > 0.5


@pytest.mark.parametrize(
    "recipe",
    [
        {"method": "dynamic", "per_channel": True, "reduce_range": False},
        {"method": "weight_only", "bits": 8, "block": 32},
    ],
)
def test_quantized_transformers_say_what_stays_in_float(finetuned, recipe):
    _, report = finetuned.quantize(recipe["method"], **recipe)
    assert report["integer_operators"] or report["weight_only_operators"]
    assert accuracy(finetuned, recipe["method"]) > 0.85
    if recipe["method"] == "weight_only":
        assert any("word_embeddings" in name for name in report["float_matrices"])


@pytest.mark.skipif(not NNCF, reason="the extra 'openvino' is not installed")
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_nncf_s_file_of_a_transformer_is_integer_and_both_engines_say_the_same(finetuned, preset):
    _, report = finetuned.quantize("nncf", method="openvino", calibration_rows=128, preset=preset)
    assert report["integer_operators"] >= 4 * 6 and report["integer_weights_share"] > 0.9
    assert report["float_matrices"] == {}  # the embeddings are also narrow
    assert accuracy(finetuned, "nncf") > 0.85
    path = finetuned.path("nncf.onnx")
    inputs = ModelInputs.from_rows(read_signature(path), finetuned.table)
    run = components.load("engines", "openvino")(path, threads=1)
    checks = check(path, run, inputs, inputs.outputs(run, 16), engine="openvino", batch_size=16)
    assert checks["integer_share"] > 0.9 and checks["engine_agreement"] > 0.98


@pytest.mark.skipif(not NNCF, reason="the extra 'openvino' is not installed")
def test_nncf_reports_its_use_to_nobody(tmp_path):
    program = (
        "import fairweight.compression.quantization.openvino, nncf.telemetry.wrapper as wrapper\n"
        "assert isinstance(wrapper.telemetry, wrapper.NNCFTelemetryStub)"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "HOME": str(tmp_path)}, check=True)
    assert not (tmp_path / "intel").exists()  # the user's identifier


# ---- bad input


def with_more_words(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"more{n}": len(vocabulary) + n for n in range(50)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def pickled(folder, name):
    (folder / "model.safetensors").unlink(missing_ok=True)
    (folder / name).write_bytes(pickle.dumps(Bomb(str(folder / "went off"))))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def sources(folder, sha256=None, **others):
    """The three files by checksum; `others` changes those of the weights."""
    files = {
        path.name: {"sources": [f"file:{path}"], "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in (folder / name for name in ("config.json", "model.safetensors", "tokenizer.json"))
    }
    files["model.safetensors"] |= others | ({"sha256": sha256} if sha256 else {})
    return {"folder": None, "files": files}


# mistake -> (what is done to a copy of the model's folder, and the options that follow; words of the sentence)
BAD_FILES = {
    "a tokenizer with more words": (with_more_words, ["the tokenizer has", "they do not belong together"]),
    "a tokenizer of a larger model": (lambda f: {"config": {"vocab_size": 30_000}}, ["30,000 embeddings"]),
    "a tokenizer that is none": (lambda f: (f / "tokenizer.json").write_text("{}"), ["is not a tokenizer"]),
    "a tokenizer that is not UTF-8": (lambda f: (f / "tokenizer.json").write_bytes(b"\xff"), ["is not UTF-8"]),
    "a config that is none": (lambda f: (f / "config.json").write_text("[]"), ["config.json is not a JSON object"]),
    "a config of no model": (lambda f: (f / "config.json").write_text("{}"), ["config.json has no 'model_type'"]),
    "a config of another width": (
        lambda f: {"config": {"intermediate_size": 128}},
        ["(64, 32)", "do not belong together"],
    ),
    "a config of more layers": (lambda f: {"config": {"num_hidden_layers": 6}}, ["the weights have no", "layer.4"]),
    "texts longer than the model": (lambda f: {"length": 64}, ["64 tokens are more than the 48"]),
    "weights cut short": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
        ["model.safetensors is not safetensors"],
    ),
    "weights with a wrong checksum": (
        lambda f: sources(f, sha256="0" * 64),
        ["files: model.safetensors could not be fetched from any of its sources"],
    ),
    "a pickle by name": (
        lambda f: pickled(f, "pytorch_model.bin"),
        ["'pytorch_model.bin' may be a pickle", "safetensors"],
    ),
    "a pickle of torch's": (lambda f: pickled(f, "weights.pt"), ["'weights.pt' may be a pickle"]),
    "a pickle under another name": (
        lambda f: pickled(f, "model.safetensors"),
        ["model.safetensors is not safetensors"],
    ),
    "a pickle among sources": (
        lambda f: sources(f, sources=["https://localhost/weights.pt"]),
        ["'weights.pt' may be a pickle"],
    ),
    "a source that cannot be reached": (
        lambda f: sources(f, sha256="0" * 64, sources=["https://127.0.0.1:9/model.safetensors"]),
        ["https://127.0.0.1:9/model.safetensors: no connection", "by hand", "'folder'"],
    ),
    "a hub that cannot be reached": (
        lambda f: {"folder": None, "hub": f"nobody/nothing@{'0' * 40}"},
        [
            "hub: 'nobody/nothing' could not be downloaded",
            "place config.json, model.safetensors, tokenizer.json in a folder by hand",
        ],
    ),
    "a model on a hub without its commit": (
        lambda f: {"folder": None, "hub": "nobody/nothing@main"},
        ["names no commit"],
    ),
    "a hub's name that is none": (lambda f: {"folder": None, "hub": "no slash"}, ["OWNER/NAME"]),
    "two places": (lambda f: {"hub": "a/b"}, ["exactly one of", "folder and hub"]),
    "no place": (lambda f: {"folder": None}, ["exactly one of", "has none"]),
    "nothing in the folder": (lambda f: {"folder": str(f / "nowhere")}, ["config.json is missing in"]),
}


@pytest.mark.parametrize("mistake", BAD_FILES)
def test_files_that_do_not_fit_or_may_run_code_end_training_in_one_sentence(
    bert_folder, tmp_path, monkeypatch, mistake
):
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("fairweight.data.fetch.BACK_OFF_S", 0.01)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's client waits between its attempts
    folder = shutil.copytree(bert_folder, tmp_path / "bert")
    change, words = BAD_FILES[mistake]
    changes = change(folder)
    study = Study(tmp_path, comments(), options(folder) | (changes if isinstance(changes, dict) else {}))
    with pytest.raises(InputError) as caught:
        study.train(epochs=1)
    sentence = str(caught.value)
    assert sentence.startswith("models: architecture pretrained: ") and sentence.endswith(".") and "\n" not in sentence
    for word in words:
        assert word in sentence
    assert not (folder / "went off").exists() and not Path(study.path("dense.st")).exists()


FAMILIES = {  # model_type -> options of a small one beside the usual names
    "roberta": {"pad_token_id": 1},
    "xlm-roberta": {"pad_token_id": 1},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "electra": {"embedding_size": 16},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
    "modernbert": {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_encoders_of_many_kinds_are_finetuned_from_models_with_a_head(bert_folder, tmp_path, family):
    from transformers import AutoConfig, AutoModelForMaskedLM

    folder = shutil.copytree(bert_folder, tmp_path / family)
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    usual = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    usual = {} if family == "distilbert" else usual
    config = AutoConfig.for_model(
        family, vocab_size=vocabulary, max_position_embeddings=48, **usual, **FAMILIES[family]
    )
    torch.manual_seed(0)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    study = Study(tmp_path, comments(), options(folder))
    study.train(epochs=1)
    study.export()
    path = study.path("dense.onnx")
    inputs = ModelInputs.from_rows(read_signature(path), study.table)
    run = components.load("engines", "onnxruntime")(path, threads=1)
    body = Model.load(study.path("dense.st"), study.path("dense.json")).body.eval()
    rows = [
        inputs.feeds["tokens"][:8, :6],
        inputs.feeds["tokens"][:2],
    ]  # of other sizes than the file was exported with
    for some in rows:
        with torch.no_grad():
            expected = body(torch.from_numpy(some)).softmax(dim=1).numpy()
        assert np.abs(run({"tokens": some}) - expected).max() < 1e-4


def test_positions_of_roberta_begin_behind_that_of_padding(bert_folder, tmp_path):
    from transformers import RobertaConfig, RobertaModel

    folder = shutil.copytree(bert_folder, tmp_path / "roberta")
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    RobertaModel(
        RobertaConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=12,
            pad_token_id=1,
        )
    ).save_pretrained(folder)
    with pytest.raises(InputError, match="length: 11 tokens are more than the 10 that the model can hold"):
        Study(tmp_path, comments(), options(folder, length=11)).train(epochs=1)
    Study(tmp_path, comments(), options(folder, length=10)).train(epochs=1)


def test_a_tokenizer_that_was_changed_after_training_is_refused(finetuned):
    signature = read_signature(finetuned.path("dense.onnx"))
    changed = dict(signature.text) | {"definition": signature.text["definition"].replace("cat", "cow")}
    with pytest.raises(InputError, match="not the one"):
        tokens(changed, ["a cat"])


def test_longer_texts_are_cut_and_counted(bert_folder, tmp_path):
    study = Study(tmp_path, comments(), options(bert_folder, length=8))
    study.train(epochs=1)
    counts = read_json(study.path("dense.json"))["texts"]
    assert 0 < counts["cut"] < counts["training"]


def test_a_text_study_says_what_does_not_fit():
    inputs = {"text": "workclass"}
    for changes, words in (
        ({"datasets__adult__inputs": {"text": "workclass", "numeric": ["age"]}}, "excludes"),
        ({"datasets__adult__inputs": inputs}, "takes tabular or image"),
        ({"datasets__adult__task": "language_modelling"}, "takes text rows"),
        ({"datasets__adult__task": "ranking"}, "tasks has no"),
        ({"datasets__adult__target": None}, "target"),
    ):
        with pytest.raises(InputError, match=words):
            StudyFile(resolve(tiny(**changes)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n\xff\xfe,1\n", "not utf-8 .*set reader: encoding"),
        ("a,b\nx,1\n".encode("utf-16"), "not utf-8"),
        (b"a,b\n ,1\nx,0\n", "1 empty texts .first in data row 1 of file '.*'.; drop the rows"),
    ],
)
def test_texts_that_cannot_be_read_are_reported_by_row_and_never_shown(tmp_path, content, words):
    from fairweight.data.read import read

    (tmp_path / "raw").write_bytes(content)
    study = tiny(
        datasets__adult__inputs={"text": "a"},
        datasets__adult__target={"column": "b"},
        datasets__adult__groups={},
        datasets__adult__reader={"method": "delimited"},
        models={"mlp": {"architecture": "tfidf_logistic"}},
    )
    recipe = resolve(study)["datasets"]["adult"]
    with pytest.raises(InputError, match=words) as caught:
        read(
            {"train": str(tmp_path / "raw")},
            str(tmp_path / "t"),
            str(tmp_path / "c"),
            name="d",
            recipe=recipe,
            given=[],
        )
    sentence = str(caught.value)
    assert sentence.startswith("datasets: d: ") and sentence.endswith(".") and "\n" not in sentence
    assert "'x'" not in sentence and not (tmp_path / "t").exists()


def test_no_step_that_runs_files_needs_transformers(finetuned):
    script = (
        "import sys\n"
        "import fairweight.inference.predict, fairweight.inference.profile\n"
        "from fairweight.inference.onnx_file import read_signature\n"
        "from fairweight.training.model_inputs import ModelInputs\n"
        "assert 'transformers' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
