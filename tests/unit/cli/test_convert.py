"""`fairweight convert`: models of Keras and TensorFlow, by TensorFlow itself after `make setup-convert-keras`."""

import subprocess
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sklearn.datasets import load_digits

from fairweight.cli import convert as module
from fairweight.cli.convert import ENVIRONMENT, convert
from fairweight.cli.main import main
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError

needs_tensorflow = pytest.mark.skipif(
    not (ENVIRONMENT / "bin" / "python").exists(), reason="make setup-convert-keras was not run"
)


@pytest.fixture
def empty_keras(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return path


def test_a_missing_environment_is_one_sentence_with_the_target(empty_keras, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "ENVIRONMENT", tmp_path / "nowhere")
    with pytest.raises(SystemExit, match="make setup-convert-keras") as ended:
        main(["convert", str(empty_keras), str(tmp_path / "model.onnx")])
    assert "\n" not in str(ended.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_other_formats_are_refused_with_the_lines_that_convert_them(tmp_path):
    path = tmp_path / "model.h5"  # whatever its name
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(SystemExit, match=r"PyTorch file(.|\n)*safetensors\.torch\.save_file"):
        main(["convert", str(path), str(tmp_path / "model.onnx")])


def test_an_onnx_file_is_not_converted(tmp_path):
    path = tmp_path / "model.onnx"
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), path)
    with pytest.raises(InputError, match="ONNX file already"):
        convert(path, tmp_path / "other.onnx")


def test_no_file_is_overwritten_and_no_folder_is_made(empty_keras, tmp_path):
    (tmp_path / "model.onnx").write_text("mine")
    with pytest.raises(InputError, match=r"model\.onnx exists already"):
        convert(empty_keras, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_text() == "mine"
    with pytest.raises(InputError, match="is no folder"):
        convert(empty_keras, tmp_path / "new" / "model.onnx")
    with pytest.raises(InputError, match="no such file"):
        convert(tmp_path / "missing.keras", tmp_path / "other.onnx")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype("float32")
    np.savez(folder / "digits.npz", images=images, labels=digits.target)
    command = [ENVIRONMENT / "bin" / "python", "-I", ROOT / "tests" / "oracles" / "make_keras_models.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@needs_tensorflow
@pytest.mark.parametrize(
    ("name", "taken", "returned", "tolerance"),
    [
        ("cnn.keras", "image", "digit", 1e-6),
        ("cnn.h5", "image", "digit", 1e-6),
        ("cnn_savedmodel", "image", "output_0", 1e-6),
        ("cnn.tflite", "image", "output_0", 1e-6),
        ("cnn_int8.tflite", "image", "output_0", 0.1),  # from the float network; from the int8 one less than 1e-6
    ],
)
def test_a_network_is_the_same_from_every_format(models, tmp_path, capsys, name, taken, returned, tolerance):
    target = tmp_path / "model.onnx"
    main(["convert", str(models / name), str(target)])
    printed = capsys.readouterr().out
    assert f"input {taken}: float [rows, 8, 8, 1]" in printed and f"output {returned}: float [rows, 10]" in printed
    assert "opset 18" in printed
    assert float(printed.split("original: ")[1].split()[0]) < 1e-6
    expected = np.load(models / "expected.npz")
    outputs = onnxruntime.InferenceSession(target).run([returned], {taken: expected["images"]})[0]
    assert np.abs(outputs - expected["outputs"]).max() < tolerance
    assert (outputs.argmax(1) == expected["outputs"].argmax(1)).mean() > 0.97
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@needs_tensorflow
def test_inputs_and_outputs_keep_names_and_order(models, tmp_path, capsys):
    convert(models / "columns.keras", tmp_path / "columns.onnx", opset=15)
    session = onnxruntime.InferenceSession(tmp_path / "columns.onnx")
    assert {each.name for each in session.get_inputs()} == {"age", "sex"}
    assert [each.name for each in session.get_outputs()] == ["risk", "chance"]
    convert(models / "lstm.keras", tmp_path / "lstm.onnx")
    assert "input tokens: int32 [rows, 7]" in capsys.readouterr().out


@needs_tensorflow
@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize(
    ("name", "taken"),
    [("scaled", "input numbers: float [rows, 4]"), ("attention", "input words: int64 [rows, ")],
)
def test_layers_with_constants_and_open_lengths_are_the_same(models, tmp_path, capsys, name, taken, opset):
    convert(models / f"{name}.keras", tmp_path / "model.onnx", opset=opset)
    printed = capsys.readouterr().out
    assert printed.count("input ") == 1 and taken in printed
    assert float(printed.split("original: ")[1].split()[0]) < 1e-6


@needs_tensorflow
def test_the_signature_of_a_savedmodel_is_chosen(models, tmp_path, capsys):
    with pytest.raises(InputError, match="choose by --signature from: determinant, double"):
        convert(models / "two", tmp_path / "two.onnx")
    convert(models / "two", tmp_path / "two.onnx", signature="double")
    assert "output doubled: float [rows, 3]" in capsys.readouterr().out
    with pytest.raises(InputError, match="cannot convert its operations BesselI0"):
        convert(models / "two", tmp_path / "other.onnx", signature="determinant")


@needs_tensorflow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bad_lambda.keras", "a layer 'lambda', which holds code|a layer 'Lambda', which holds code"),
        ("bad_lambda.h5", "a layer 'Lambda', which holds code"),
        ("bad_own.keras", "needs the code of 'Own'"),
        ("bad_own.h5", "needs the code of 'Own'"),
        ("bad_registered.keras", "needs the code of 'Registered'"),
        ("bad_registered.h5", "needs the code of '(mine>)?Registered'"),
        ("bad_activation.keras", "needs the code of 'own_activation'"),
        ("bad_activation.h5", "needs the code of 'own_activation'"),
        ("bad_lookup.keras", "cannot convert its operations LookupTableFindV2; put them before the model"),
        ("bad_unbuilt.keras", "call it once with a batch"),
        ("bad_weights.weights.h5", "no network, only weights"),
        ("bad_module.keras", "needs the code of 'system'"),
        ("bad_pickle.keras", "a layer 'TorchModuleWrapper', which holds code"),
        ("bad_writing", "uses WriteFile, which runs Python or reads and writes files"),
    ],
)
def test_what_holds_code_is_refused_in_one_sentence(models, tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        convert(models / name, tmp_path / "model.onnx")
    assert str(refused.value).startswith(f"{models / name}: ")
    assert not list(tmp_path.iterdir()) and not (models / "written").exists()


@needs_tensorflow
@pytest.mark.parametrize("name", ["cnn.keras", "cnn.h5", "cnn.tflite", "cnn_savedmodel/saved_model.pb"])
def test_a_damaged_file_is_one_sentence(models, tmp_path, name):
    content = (models / name).read_bytes()
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / name.split("/")[-1]
    path.write_bytes(content[: len(content) // 2])
    source = path.parent if path.suffix == ".pb" else path
    with pytest.raises(InputError) as refused:
        convert(source, tmp_path / "model.onnx")
    assert "\n" not in str(refused.value) and "Traceback" not in str(refused.value)
