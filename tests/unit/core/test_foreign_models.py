"""Files that are not ONNX: each is recognised by its content, under any name, and refused with converting lines."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import safetensors.torch
import torch
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fairweight.core.errors import InputError
from fairweight.core.foreign_models import FORMATS, ForeignModelError, model_format, refuse_foreign

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
LABELS = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)


def sklearn_model():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)


def columns_model():
    """A model that takes columns by their names, numbers and words."""
    columns = make_column_transformer((StandardScaler(), ["a", "n"]), (OneHotEncoder(), ["word", "kind"]))
    return make_pipeline(columns, LogisticRegression()).fit(people(), LABELS)


def people():
    words = np.where(ROWS[:, 2] > 0, "high", "low")
    return pd.DataFrame({"a": ROWS[:, 0], "n": (10 * ROWS[:, 1]).astype(int), "word": words}).assign(
        kind=pd.Categorical(words)
    )


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()


def zipped(path, names, content=b"{}"):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)


def exported(path):
    rows = torch.export.Dim("rows")
    torch.export.save(torch.export.export(network(), (torch.ones(3, 4),), dynamic_shapes=({0: rows},)), path)


def scripted(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network()).save(path)


def xgboost_model():
    return pytest.importorskip("xgboost").XGBClassifier(n_estimators=5, max_depth=3).fit(ROWS, LABELS)


def lightgbm_model():
    return pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=5, verbose=-1).fit(ROWS, LABELS)


def protobuf(*fields):
    """Message of (number, content): a number is a varint, bytes are length-delimited."""
    message = b""
    for number, content in fields:
        wire = 2 if isinstance(content, bytes) else 0
        message += varint(number << 3 | wire)
        message += varint(len(content)) + content if wire else varint(content)
    return message


def varint(value):
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def written(content):
    return lambda path: Path(path).write_bytes(content)


XML = '<?xml version="1.0"?>\n'
FILES = {
    "a state dict": (lambda p: torch.save(network().state_dict(), p), "torch"),
    "a module of torch": (lambda p: torch.save(network(), p), "torch"),
    "a state dict of old": (
        lambda p: torch.save(network().state_dict(), p, _use_new_zipfile_serialization=False),
        "pickle of torch",
    ),
    "torchscript": (scripted, "torchscript"),
    "torch.export": (exported, "torch.export"),
    "joblib": (lambda p: joblib.dump(sklearn_model(), p), "pickle of sklearn"),
    "joblib of columns": (lambda p: joblib.dump(columns_model(), p), "pickle of sklearn with columns"),
    "joblib, zlib": (lambda p: joblib.dump(sklearn_model(), p, compress=("zlib", 3)), "pickle of sklearn"),
    "joblib, gzip": (lambda p: joblib.dump(sklearn_model(), p, compress=("gzip", 3)), "pickle of sklearn"),
    "joblib, bz2": (lambda p: joblib.dump(sklearn_model(), p, compress=("bz2", 3)), "pickle of sklearn"),
    "joblib, xz": (lambda p: joblib.dump(sklearn_model(), p, compress=("xz", 3)), "pickle of sklearn"),
    "joblib, lzma": (lambda p: joblib.dump(sklearn_model(), p, compress=("lzma", 3)), "pickle of sklearn"),
    **{
        f"pickle, protocol {n}": (
            lambda p, n=n: Path(p).write_bytes(pickle.dumps(sklearn_model(), protocol=n)),
            "pickle of sklearn",
        )
        for n in range(6)
    },
    "pickle of something else": (written(pickle.dumps({"weights": [1.0] * 1000})), "pickle"),
    "pickle of xgboost": (lambda p: joblib.dump(xgboost_model(), p), "pickle of xgboost"),
    "pickle of lightgbm": (lambda p: joblib.dump(lightgbm_model(), p), "pickle of lightgbm"),
    **{
        f"xgboost, {kind}": (
            lambda p, kind=kind: Path(p).write_bytes(xgboost_model().get_booster().save_raw(kind)),
            "xgboost",
        )
        for kind in ("json", "ubj")
    },
    "lightgbm": (lightgbm_model().booster_.save_model, "lightgbm"),
    "safetensors": (lambda p: safetensors.torch.save_file(network().state_dict(), p), "safetensors"),
    "keras": (lambda p: zipped(p, ["metadata.json", "config.json", "model.weights.h5"]), "keras"),
    "hdf5": (written(b"\x89HDF\r\n\x1a\n" + bytes(100)), "hdf5"),
    "tflite": (written(b"\x1c\x00\x00\x00TFL3" + bytes(100)), "tflite"),
    "gguf": (written(b"GGUF\x03\x00\x00\x00" + bytes(100)), "gguf"),
    "ort": (written(b"\x1c\x00\x00\x00ORTM" + bytes(100)), "ort"),
    "executorch": (written(b"\x1c\x00\x00\x00ET12" + bytes(100)), "executorch"),
    "tensorrt": (written(b"ftrt" + bytes(100)), "tensorrt"),
    "catboost": (written(b"CBM1" + bytes(100)), "catboost"),
    "core ml": (written(protobuf((1, 4), (2, b"description"), (500, b"layers"))), "coreml"),
    "a SavedModel's graph": (written(protobuf((1, 1), (2, b"graph"))), "savedmodel.pb"),
    "a frozen graph": (written(protobuf((1, b"node"), (1, b"node"), (4, b"\x08\x01"), (2, b""))), "graphdef"),
    "pmml": (written(f'{XML}<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"/>'.encode()), "pmml"),
    "openvino": (written(f'{XML}<net name="main" version="11"><layers/></net>'.encode()), "openvino"),
    "skops": (lambda p: zipped(p, ["schema.json", "140.npy"]), "skops"),
    "skops of columns": (
        lambda p: zipped(p, ["schema.json"], b'{"__module__": "sklearn.compose._column_transformer"}'),
        "skops with columns",
    ),
    "a model of torchserve": (lambda p: zipped(p, ["MAR-INF/MANIFEST.json", "model.pkl"]), "pickle"),
    "a zip with an ONNX file": (lambda p: zipped(p, ["model/model.onnx", "README"]), "onnx inside"),
    "arrays of numpy": (lambda p: zipped(p, ["a.npy", "b.npy"]), "archive"),
    "tar": (written(b"model.onnx".ljust(257, b"\0") + b"ustar" + bytes(300)), "archive"),
    "gzip": (written(gzip.compress(b"\x08\x08onnx")), "compressed"),
    "bz2": (written(bz2.compress(b"\x08\x08onnx")), "compressed"),
    "xz": (written(lzma.compress(b"\x08\x08onnx")), "compressed"),
    "zlib": (written(zlib.compress(b"\x08\x08onnx")), "compressed"),
    "a pointer of Git LFS": (written(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "lfs"),
    "a web page": (written(b"\n<!DOCTYPE html><html><body>404</body></html>"), "html"),
}


@pytest.mark.parametrize("suffix", ["", ".onnx", ".bin"])
@pytest.mark.parametrize("case", FILES)
def test_a_foreign_file_is_refused_under_any_name_with_the_lines_that_convert_it(tmp_path, case, suffix):
    make, expected = FILES[case]
    path = str(tmp_path / f"my model{suffix}")
    make(path)
    assert model_format(Path(path)) == expected
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    sentence, *lines = str(refused.value).split("\n    ")
    assert sentence.startswith(f"{path} is {FORMATS[expected].title}") and sentence.endswith(":")
    assert len(lines) == len(FORMATS[expected].lines) >= 1
    assert not any(name in line for line in lines for name in ("{file", "{path", "{stem", "{onnx", "{folder", "{{"))


@pytest.mark.parametrize("folder", ["savedmodel", "coreml"])
def test_a_foreign_folder_is_refused(tmp_path, folder):
    if folder == "savedmodel":
        (tmp_path / "saved_model.pb").write_bytes(protobuf((1, 1), (2, b"graph")))
    else:
        (tmp_path / "Data").mkdir()
        (tmp_path / "Manifest.json").write_text("{}")
    assert model_format(tmp_path) == folder
    with pytest.raises(ForeignModelError, match="is a "):
        refuse_foreign(tmp_path)


def small_onnx():
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 2], [0.5] * 8)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize("change", ["none", "metadata", "no version", "long names", "cut"])
def test_onnx_passes_whatever_else_its_message_holds(tmp_path, change):
    model = small_onnx()
    if change == "metadata":
        model.metadata_props.add(key="a", value="b")
        model.producer_name, model.domain, model.model_version, model.doc_string = "me", "d", 3, "text"
    if change == "no version":
        model.ClearField("ir_version")
    if change == "long names":
        model.producer_name = "\x80PK{<" * 100
    content = model.SerializeToString()
    path = tmp_path / "model"
    # whoever loads a file that was cut says so
    path.write_bytes(content[: content.index(b"MatMul") + 2] if change == "cut" else content)
    assert model_format(path) == "onnx"
    refuse_foreign(path)


def test_onnx_from_torch_and_scikit_learn_passes(tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    path = tmp_path / "m.onnx"
    path.write_bytes(skl2onnx.to_onnx(sklearn_model(), ROWS[:1]).SerializeToString())
    refuse_foreign(path)
    torch.onnx.export(network(), (torch.ones(1, 4),), str(path), dynamo=True, verbose=False)
    refuse_foreign(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"age,sex\n1,2\n", "neither an ONNX file"),
        (b"city,sex\n(a,b\n", "neither an ONNX file"),
        (b"{}", "neither an ONNX file"),
        (bytes(1000), "neither an ONNX file"),
        (b"\xff" * 1000, "neither an ONNX file"),
        (b"PK\x03\x04" + bytes(100), "damaged zip"),
        (b"\x08\x08", "neither an ONNX file"),
    ],
)
def test_what_is_no_model_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        refuse_foreign(path)
    assert "\n" not in str(refused.value)


def test_random_bytes_never_end_in_another_error(tmp_path):
    random = np.random.default_rng(0)
    starts = [b"", b"\x80\x04", b"PK\x03\x04", b"\x78\x9c", b"\x1f\x8b", b"\x08", b"{", b"(", b"BZh9", b"\xfd7zXZ\x00"]
    for number in range(400):
        path = tmp_path / str(number)
        path.write_bytes(starts[number % len(starts)] + random.bytes(int(random.integers(1, 300))))
        with pytest.raises(InputError):
            refuse_foreign(path)


def test_a_path_with_quotes_and_line_breaks_stays_one_argument(tmp_path):
    path = tmp_path / 'it\'s {a} \n"model".keras'
    zipped(path, ["config.json", "metadata.json"])
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    assert len(str(refused.value).splitlines()) == 3
    path = tmp_path / "it's {a} model.pt"
    torch.save(network().state_dict(), path)
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    run_lines(refused.value.lines)


# ---- the lines do what they say


def run_lines(lines, rows=ROWS):
    """Run printed lines, which import what they need; people have their rows, and the code of their network."""
    names = {"X_train": rows, "example": torch.ones(2, 4), "build": network}
    for library in ("skl2onnx", "onnxmltools", "xgboost", "lightgbm"):
        if any(library in line for line in lines):
            pytest.importorskip(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec("\n".join(lines), names)
    return names


@pytest.mark.parametrize(
    ("case", "model"),
    [
        ("joblib, zlib", sklearn_model),
        ("pickle of xgboost", xgboost_model),
        ("xgboost, json", xgboost_model),
        ("xgboost, ubj", xgboost_model),
        ("pickle of lightgbm", lightgbm_model),
        ("lightgbm", lightgbm_model),
    ],
)
def test_the_lines_write_an_onnx_file_with_the_probabilities_of_the_original(tmp_path, case, model):
    path = tmp_path / "model.saved"
    FILES[case][0](str(path))
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    run_lines(refused.value.lines)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    probabilities = session.run(None, {session.get_inputs()[0].name: ROWS})[1]
    assert np.abs(probabilities - model().predict_proba(ROWS)).max() < 1e-5


@pytest.mark.parametrize("rows", [ROWS, pd.DataFrame(ROWS, columns=list("abcd"))], ids=["array", "frame"])
def test_the_lines_convert_a_bare_estimator(tmp_path, rows):
    path, model = tmp_path / "model.pkl", LogisticRegression().fit(rows, LABELS)
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    run_lines(refused.value.lines, rows)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    probabilities = session.run(None, {session.get_inputs()[0].name: ROWS})[1]
    assert np.abs(probabilities - model.predict_proba(rows)).max() < 1e-5


def test_the_lines_convert_a_model_of_columns_into_an_input_for_each(tmp_path):
    path, rows = tmp_path / "model.joblib", people()
    joblib.dump(columns_model(), path)
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    run_lines(refused.value.lines, rows)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [each.name for each in session.get_inputs()] == list(rows)
    types = {"a": "float32", "n": "float32"}
    feeds = {name: rows[[name]].astype(types.get(name, object)).to_numpy() for name in rows}
    probabilities = session.run(None, feeds)[1]
    assert np.abs(probabilities - columns_model().predict_proba(rows)).max() < 1e-5


@pytest.mark.parametrize("case", ["torchscript", "torch.export", "safetensors"])
def test_the_lines_export_a_torch_program(tmp_path, case):
    path = tmp_path / "model.saved"
    FILES[case][0](str(path))
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    run_lines(refused.value.lines)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    rows = ROWS if case != "safetensors" else ROWS[:2]
    outputs = session.run(None, {session.get_inputs()[0].name: rows})[0]
    assert np.abs(outputs - network()(torch.from_numpy(rows)).detach().numpy()).max() < 1e-5


@pytest.mark.parametrize("case", ["a state dict", "a state dict of old"])
def test_the_lines_write_a_state_dict_as_safetensors(tmp_path, case):
    path = tmp_path / "model.saved"
    FILES[case][0](str(path))
    with pytest.raises(ForeignModelError) as refused:
        refuse_foreign(path)
    run_lines(refused.value.lines)
    state = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, network().state_dict()[name]) for name, tensor in state.items())


class Payload:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_program_of_torch_export_can_run_code_so_that_it_is_refused(tmp_path):
    """torch 2.13 unpickles a weight where the archive's own index asks for it; without this, `.pt2` could be taken."""
    whole, changed = tmp_path / "whole.pt2", tmp_path / "changed.pt2"
    exported(whole)
    payload = io.BytesIO()
    torch.save(Payload(), payload)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("model_weights_config.json"):
                index = json.loads(content)
                next(iter(index["config"].values()))["use_pickle"] = True
                content = json.dumps(index).encode()
            if name.endswith("weights/weight_0"):
                content = payload.getvalue()
            target.writestr(name, content)
    code = f"import torch; torch.export.load({str(changed)!r})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert "executed" in done.stdout
    assert model_format(changed) == "torch.export"


def test_a_length_that_lies_is_no_safetensors_file(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(struct.pack("<Q", 10**9) + b"{}" + bytes(100))
    assert model_format(path) is None
