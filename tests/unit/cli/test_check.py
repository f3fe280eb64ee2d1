"""`fairweight check` writes the study file of a trained model."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import safetensors.torch
import torch
import yaml
from imported_files import FLOAT, INT64, STRING, bring, labels_of, linear, model, table, value
from onnx import TensorProto, helper

from fairweight.cli import check_study
from fairweight.cli.check import kept
from fairweight.cli.check_inputs import Request
from fairweight.cli.check_study import Candidate, write_check
from fairweight.core.errors import InputError
from fairweight.core.foreign_models import ForeignModelError
from fairweight.study.schema import resolve
from fairweight.study.study import Study


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def quick(monkeypatch):
    """Without the search for methods, which has tests of its own."""
    candidate = Candidate("half", "quantize", {"method": "float16"}, None)
    refused = Candidate("int8", "quantize", {"method": "dynamic"}, "it has no layers")
    monkeypatch.setattr(check_study, "applicable", lambda _: [candidate, refused])


def people(rows=120, **columns):
    source = table(rows=rows)
    x, age = source.numeric.T
    frame = pd.DataFrame({"x": x, "age": age.astype(int), "repaid": np.array(["no", "yes"])[source.label]})
    return frame.assign(sex=np.resize(["f", "m", "m"], rows), **columns)


def written(frame, proto=None, *, name="risk.onnx", **options):
    """The study file for a table and a model, and its text."""
    frame.to_csv("test.csv", index=False)
    if proto is not None:
        onnx.save(proto, name)
    defaults = {
        "data": Path("test.csv"),
        "target": "repaid",
        "groups": [],
        "calibration": None,
        "reference": [],
        "positive": None,
        "inputs": [],
        "module": None,
        "output": None,
    }
    path = write_check(Request(model=Path(name), **{**defaults, **options}))
    text = path.read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    study = Study(resolve(config))
    assert study.cells
    return config, text


def test_the_study_of_one_tensor(quick):
    config, text = written(people(), linear(), groups=["sex"], inputs=["x", "age"])
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["x", "age"]
    assert config["models"] == {"risk": {"architecture": "onnx", "file": "risk.onnx"}}
    assert config["variants"]["original"] == {"import_onnx": {}}
    assert config["variants"]["half"] == {"from": "original", "quantize": {"method": "float16"}}
    assert "# int8 does not apply: it has no layers" in text
    assert config["grid"] == [{"dataset": "rows", "models": ["risk"], "variants": ["original", "half"]}]
    assert config["seeds"] == 1
    assert config["datasets"]["rows"]["split"] == {"test": 0.8, "validation": 0.5}
    assert "24 of 120 rows calibrate and validate, and are no test rows" in text


def test_where_no_method_applies_the_original_is_kept_with_the_reasons(monkeypatch):
    reasons = {"int8": "it has no layers", "half": "its file would grow"}
    candidates = [Candidate(name, "quantize", {"method": "auto"}, reason) for name, reason in reasons.items()]
    monkeypatch.setattr(check_study, "applicable", lambda path: candidates)
    written(people(), linear(), inputs=["x", "age"])
    assert kept(Path("risk.yaml")) == [
        "Keep the original: no method makes it smaller.",
        "  int8: it has no layers",
        "  half: its file would grow",
    ]


def test_a_study_with_a_variant_keeps_nothing_before_it_is_decided(quick):
    written(people(), linear(), inputs=["x", "age"])
    assert kept(Path("risk.yaml")) == []


def test_groups_are_left_out_if_the_model_takes_fewer_columns(quick):
    config, _ = written(people(), linear(), groups=["sex"])
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["x", "age"]
    assert list(config["datasets"]["rows"]["groups"]) == ["sex"]


def test_one_input_for_each_column_by_its_name(quick):
    proto = linear(inputs=("hours_per_week", "age"))
    frame = people().rename(columns={"x": "hours-per-week"})
    config, _ = written(frame, proto)
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["hours-per-week", "age"]


def test_names_that_are_alike_are_told_apart(quick):
    frame = people().assign(**{"hours per week": 1.0}).rename(columns={"x": "hours_per_week"})
    config, _ = written(frame, linear(inputs=("hours_per_week", "age")))
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["hours_per_week", "age"]


def test_words_are_categories(quick):
    proto = linear(inputs=("x", "age"))
    proto.graph.input.append(value("sex", "n", 1, element=STRING))
    config, _ = written(people(), proto)
    assert config["datasets"]["rows"]["inputs"]["categorical"] == ["sex"]


@pytest.mark.parametrize(
    ("columns", "reference", "entry"),
    [
        ({"p": np.linspace(0, 1, 120)}, ["p"], {"reference": "p"}),
        ({"p": [np.nan, *np.linspace(0, 1, 119)]}, ["p"], {"reference": "p"}),
        ({"p": ["yes", "no"] * 60}, ["p"], {"reference_labels": "p"}),
        ({"p": np.linspace(0, 1, 120), "q": np.linspace(1, 0, 120)}, ["q", "p"], {"reference": ["q", "p"]}),
    ],
)
def test_a_reference_of_probabilities_or_labels(quick, columns, reference, entry):
    config, _ = written(people(**columns), linear(), reference=reference, groups=["sex"])
    assert config["models"]["risk"].items() >= entry.items()
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["x", "age"]


@pytest.mark.parametrize("labels", [["0", "1"], ["no", "yes"], ["False", "True"]])
def test_labels_of_every_form(quick, labels):
    frame = people().assign(repaid=lambda t: np.where(t["repaid"] == "yes", labels[1], labels[0]))
    config, _ = written(frame, linear(), groups=["sex"])
    assert str(config["datasets"]["rows"]["target"]["positive"]) in labels


def test_training_rows_calibrate_and_train_a_student(quick):
    people(300).to_csv("train.csv", index=False)
    config, _ = written(people(), linear(), groups=["sex"], calibration=Path("train.csv"))
    files = config["datasets"]["rows"]["files"]
    assert (files["train"]["sources"], files["test"]["sources"]) == (["file:train.csv"], ["file:test.csv"])
    assert config["datasets"]["rows"]["split"]["test"] == "official"
    assert config["variants"]["student"]["distill"]["method"] == "soft_labels"
    assert config["variants"]["original"]["import_onnx"] == {"training": "further"}


def test_the_weights_of_a_module():
    safetensors.torch.save_file({"0.weight": torch.zeros(2, 2)}, "risk.safetensors")
    with pytest.raises(InputError, match=r"models: risk: module: .* no module 'networks'"):
        written(people(), name="risk.safetensors", module="networks:risk", inputs=["x", "age"])
    Path("networks.py").write_text("def risk(): ...")
    config, _ = written(people(), name="risk.safetensors", module="networks:risk", inputs=["x", "age"])
    assert config["models"]["risk"]["module"] == "networks:risk"
    assert "import_torch" in config["variants"]["original"]


def test_names_that_yaml_would_read_otherwise(quick):
    frame = people().rename(columns={"x": "on", "age": "no: 1", "repaid": "yes"})
    config, _ = written(frame, linear(), name="true #1.onnx", target="yes", groups=["sex"])
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["on", "no: 1"]
    (model,) = config["models"].values()
    assert model["file"] == "true #1.onnx"


def test_the_real_search_finds_methods():
    config, _ = written(people(), linear(), groups=["sex"])
    assert "original" in config["variants"]


# ---- refusals


def test_a_study_file_is_not_overwritten(quick):
    _, text = written(people(), linear(), inputs=["x", "age"])
    _, again = written(people(), linear(), inputs=["x", "age"])
    assert again == text  # the same command may be repeated
    Path("risk.yaml").write_text("mine")
    with pytest.raises(
        InputError, match=r"risk.yaml exists and was not changed; run it with `fairweight run risk.yaml`"
    ):
        written(people(), linear(), inputs=["x", "age"])
    assert Path("risk.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "paid"}, "--target.*'paid'"),
        ({"groups": ["race"]}, "--groups.*'race'"),
        ({"reference": ["p"]}, "--reference.*'p'"),
        ({"inputs": ["weight"]}, "--inputs.*'weight'"),
        ({"inputs": ["x"]}, "takes 2 columns, and test.csv has 1 beside the target"),
        ({"inputs": ["x", "sex"]}, "input input takes numbers, and column 'sex' of test.csv holds 'f'"),
        ({}, r"takes 2 columns, and test.csv has 3 beside the target \(x, age, sex\); name those that the model takes"),
    ],
)
def test_columns_that_do_not_exist_or_fit(quick, options, message):
    with pytest.raises(InputError, match=message):
        written(people(), linear(), **options)
    assert not Path("risk.yaml").exists()


def test_inputs_of_other_names_are_asked_for(quick):
    with pytest.raises(InputError, match=r"the inputs second \(float32 .* of risk.onnx are named like no column"):
        written(people(), linear(inputs=("x", "second")))


def test_inputs_find_the_closest_column(quick):
    frame = people().rename(columns={"age": "age_in_years"})
    with pytest.raises(InputError, match=r"inputs age \(float32 .* like no column of test.csv \(did you mean 'age_in_"):
        written(frame, linear(inputs=("x", "age")))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["x", "age", "weight"], "--inputs: risk.onnx takes one column an input, and none is named like weight; leave"),
        (["x", "age", "repaid"], "--inputs: 'repaid' is the target, which the model predicts; leave it out"),
        (["x", "age", "x"], "--inputs: 'x' is named twice"),
        (["x", "age", "p"], "--inputs: 'p' is the reference, which the model returns; leave it out"),
    ],
)
@pytest.mark.parametrize("tensors", [("x", "age"), ("input",)])
def test_inputs_that_would_be_ignored_are_refused(quick, tensors, inputs, message):
    frame = people(weight=1.5, p=np.linspace(0, 1, 120))
    if tensors == ("input",) and "weight" in inputs:
        message = "takes 2 columns, and test.csv has 3 beside the target"
    with pytest.raises(InputError, match=message):
        written(frame, linear(inputs=tensors), inputs=inputs, reference=["p"])


def test_the_target_is_no_group_and_no_reference(quick):
    with pytest.raises(InputError, match="--groups: 'repaid' is the target"):
        written(people(), linear(), groups=["repaid"], inputs=["x", "age"])
    with pytest.raises(InputError, match="--reference: 'repaid' is the target"):
        written(people(), linear(), reference=["repaid"], inputs=["x", "age"])


def flagged(rows=120, words=("False", "True")):
    return people(rows).assign(x=np.resize(words, rows))


@pytest.mark.parametrize("element", [FLOAT, TensorProto.BOOL])
def test_booleans_as_words(quick, element, tmp_path):
    config, _ = written(flagged(), linear(inputs=("x", "age")), inputs=["x", "age"])
    assert config["datasets"]["rows"]["inputs"] == {"numeric": ["age"], "categorical": ["x"]}
    Path("risk.yaml").unlink()
    config, _ = written(flagged(), linear(element=FLOAT), inputs=["x", "age"])
    # numeric columns would come first otherwise
    assert config["models"]["risk"]["inputs"] == {"input": ["x", "age"]}


def test_words_for_booleans_need_an_input_of_booleans(quick):
    frame = flagged(words=("no", "yes")).assign(age=lambda t: t["x"])
    with pytest.raises(InputError, match=r"takes numbers, and column 'x' of test.csv holds 'no'"):
        written(frame, linear(inputs=("x", "age")))
    config, _ = written(frame, linear(inputs=("x", "age"), element=TensorProto.BOOL))
    assert config["datasets"]["rows"]["inputs"]["categorical"] == ["x", "age"]


def test_classes_in_the_order_of_the_scores(quick):
    config, _ = written(people(), linear(), inputs=["x", "age"], classes=["yes", "no"])
    assert config["models"]["risk"]["classes"] == ["yes", "no"]
    for number, text in enumerate(('["yes", "no", "maybe"]', "yes\nno\nmaybe\n")):
        Path("classes.txt").write_text(text)
        output = Path(f"{number}.yaml")
        config, _ = written(people(), linear(), inputs=["x", "age"], classes=["classes.txt"], output=output)
        assert config["models"]["risk"]["classes"] == ["yes", "no", "maybe"]
    for text, said in (("[1", "cannot be read"), ("only", "holds no list of names"), ("[[1], [2]]", "holds no list")):
        Path("classes.txt").write_text(text)
        with pytest.raises(InputError, match=f"--classes: classes.txt {said}"):
            written(people(), linear(), inputs=["x", "age"], classes=["classes.txt"], output=Path("9.yaml"))
    with pytest.raises(InputError, match=r"--classes: there is no file yes; name all classes"):
        written(people(), linear(), inputs=["x", "age"], classes=["yes"], output=Path("9.yaml"))


@pytest.mark.parametrize("shape", [(), (2, "n", 128), (1, 1, 128), (2, 1, 128)])
def test_states_and_settings_are_no_columns(quick, shape):
    """As models of speech take them."""
    proto = linear()
    proto.graph.input.append(value("state", *shape))
    with pytest.raises(InputError, match=r"input state \(float32 .* make a state or a setting a constant of the file"):
        written(people(), proto)


# ---- images


def write_idx(name, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    Path(name).write_bytes(head + array.astype(np.uint8).tobytes())


def pictures(part, rows):
    random = np.random.default_rng(0)
    write_idx(f"{part}-images-idx3-ubyte", random.integers(0, 256, (rows, 28, 28)))
    write_idx(f"{part}-labels-idx1-ubyte", np.arange(rows) % 10)
    return Path(f"{part}-images-idx3-ubyte")


def image_model(element=FLOAT):
    picture = value("picture", "n", 1, 28, 28, element=element)
    nodes = [helper.make_node("Cast", ["picture"], ["f"], to=FLOAT), helper.make_node("Flatten", ["f"], ["flat"])]
    nodes.append(helper.make_node("MatMul", ["flat", "W"], ["scores"]))
    weights = np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32)
    return model(nodes, [picture], [value("scores", "n", 10)], {"W": weights})


def checked_images(**options):
    onnx.save(image_model(options.pop("element", FLOAT)), "risk.onnx")
    base = dict.fromkeys(("calibration", "positive", "module", "output"))
    base |= {"groups": [], "reference": [], "inputs": [], "target": "label", "data": pictures("t10k", 60)}
    path = write_check(Request(**{"model": Path("risk.onnx"), "scale": 255.0, **base, **options}))
    return yaml.safe_load(path.read_text())


def test_images_in_idx_files(quick):
    config = checked_images(mean=[0.1307], std=[0.3081], calibration=pictures("train", 90))
    rows = config["datasets"]["rows"]
    assert rows["reader"] == "idx" and rows["inputs"] == {"image": "image"} and rows["split"]["test"] == "official"
    assert rows["files"]["test-labels"] == {"sources": ["file:t10k-labels-idx1-ubyte"]}
    assert rows["files"]["train-images"] == {"sources": ["file:train-images-idx3-ubyte"]}
    assert config["models"]["risk"].items() >= {"scale": 255, "mean": [0.1307], "std": [0.3081]}.items()
    assert config["variants"]["student"]["distill"]["student"] == {"architecture": "lenet_300_100"}


def test_whole_numbers_need_no_scale(quick):
    config = checked_images(element=TensorProto.UINT8, scale=None)
    assert "scale" not in config["models"]["risk"]
    assert list(config["datasets"]["rows"]["files"]) == ["all-images", "all-labels"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": None}, r"--scale: picture \(float32 \[\?, 1, 28, 28\]\) takes numbers, and pixels are 0 to 255"),
        ({"target": "digit"}, "--target: the classes of images in IDX files are called 'label'"),
        ({"groups": ["writer"]}, "--groups: images have no columns; leave it out, and write groups of images into"),
        ({"reference": ["p"]}, "--reference: images have no columns"),
    ],
)
def test_options_of_images(quick, options, message):
    with pytest.raises(InputError, match=message):
        checked_images(**options)


def test_images_without_labels_and_other_pictures(quick):
    data = pictures("t10k", 60)
    Path("t10k-labels-idx1-ubyte").rename("elsewhere")
    with pytest.raises(InputError, match="needs its labels beside it, in a file 't10k-labels-idx1-ubyte'"):
        onnx.save(image_model(), "risk.onnx")
        base = dict.fromkeys(("calibration", "positive", "module", "output"))
        write_check(Request(Path("risk.onnx"), data, "label", scale=1.0, groups=[], reference=[], inputs=[], **base))
    np.save("pictures.npy", np.zeros((3, 28, 28)))
    Path("one.png").write_bytes(b"\x89PNG\r\n")
    for name, kind in (("pictures.npy", "an array of NumPy"), ("one.png", "a picture in PNG")):
        with pytest.raises(
            InputError, match=rf"{name} is {kind}; images come as IDX files .* see docs/trained-models.md"
        ):
            checked_images(data=Path(name))


def test_a_table_of_pixels_for_a_model_of_images(quick):
    """As MNIST is often written: a column for each pixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 784))
    frame = pd.DataFrame(pixels, columns=[f"pixel{number}" for number in range(784)])
    frame = frame.assign(repaid=np.arange(60) % 10, writer=["a", "b"] * 30)
    config, _ = written(frame, image_model(), groups=["writer"])
    assert len(config["datasets"]["rows"]["inputs"]["numeric"]) == 784


def test_a_table_for_a_model_of_images(quick):
    with pytest.raises(
        InputError, match=r"takes images, and test.csv is a table of 3 columns; name a file of images in the"
    ):
        written(people(), image_model())
    with pytest.raises(
        InputError, match=r"--scale: is about the pixels of images, and test.csv is a table; leave it out"
    ):
        written(people(), linear(), scale=255.0)


# ---- models and rows that cannot be used


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"\x80\x04\x95."])
def test_what_is_no_model(quick, content):
    Path("risk.onnx").write_bytes(content)
    with pytest.raises((InputError, ForeignModelError)) as raised:
        written(people())
    assert "risk.onnx" in str(raised.value)


def test_a_missing_model_is_named(quick):
    with pytest.raises(InputError, match=r"none.onnx"):
        written(people(), name="none.onnx")


def test_a_table_without_rows(quick):
    with pytest.raises(InputError, match=r"test.csv"):
        written(people().iloc[:0], linear(), groups=["sex"])


def test_a_target_of_regression(quick):
    frame = people().assign(repaid=np.linspace(0, 9, 120))
    with pytest.raises(InputError, match="repaid"):
        written(frame, linear(), groups=["sex"])


def test_a_module_takes_no_onnx_file(quick):
    with pytest.raises(InputError, match=r"--module: goes with weights in safetensors, and risk.onnx is an ONNX file"):
        written(people(), linear(), module="networks:risk")


def test_a_model_for_texts_needs_its_tokenizer(quick):
    tensors = [value(name, "n", "l", element=INT64) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("scores", INT64, ["n", "l"])
    proto = model([helper.make_node("Add", ["input_ids", "attention_mask"], ["scores"])], tensors, [output])
    frame = pd.DataFrame({"comment": [f"text {i}" for i in range(40)], "repaid": ["no", "yes"] * 20})
    with pytest.raises(InputError, match=r"takes tokens, and there is no tokenizer\.json; name .* with --tokenizer"):
        written(frame, proto)
    Path("other.json").write_text("{}")
    config, _ = written(frame, proto, tokenizer=Path("other.json"), output=Path("other.yaml"))
    assert config["models"]["risk"]["tokenizer"] == "other.json"
    with pytest.raises(InputError, match=r"--tokenizer: risk\.onnx takes no tokens \(inputs input_ids, "):
        written(people(), linear(), inputs=["x", "age"], tokenizer=Path("other.json"))
    onnx.save(proto, "risk.onnx")
    Path("tokenizer.json").write_text("{}")
    config, _ = written(frame, proto)
    assert config["datasets"]["rows"]["inputs"]["text"] == "comment"
    assert config["models"]["risk"]["tokenizer"] == "tokenizer.json"


def test_calibration_rows_are_written_as_the_test_rows(quick):
    people().to_csv("train.csv", index=False, sep=";")
    with pytest.raises(InputError, match=r"--calibration: train.csv is written in another way than test.csv"):
        written(people(), linear(), groups=["sex"], calibration=Path("train.csv"))
    people().drop(columns="age").to_csv("train.csv", index=False)
    with pytest.raises(InputError, match=r"--calibration: train.csv has no column 'age'"):
        written(people(), linear(), inputs=["x", "age"], calibration=Path("train.csv"))


def test_calibration_rows_need_no_reference(quick):
    people().to_csv("train.csv", index=False)
    frame = people(p=np.linspace(0, 1, 120))
    config, _ = written(frame, linear(), groups=["sex"], reference=["p"], calibration=Path("train.csv"))
    reader = config["datasets"]["rows"]["reader"]
    assert reader["keep"] == ["x", "age", "repaid", "sex", "p"] and reader["optional"] == ["p"]


def test_parquet_folders_and_compressed_files(quick):
    frame = people()
    frame.to_parquet("test.parquet")
    config, _ = written(frame, linear(), groups=["sex"], data=Path("test.parquet"))
    rows = config["datasets"]["rows"]
    assert rows["reader"] == {"method": "parquet"} and rows["inputs"]["numeric"] == ["x", "age"]
    people().to_parquet("train.parquet")
    paths = {"data": Path("test.parquet"), "calibration": Path("train.parquet"), "groups": ["sex"]}
    config, _ = written(frame, linear(), output=Path("both.yaml"), **paths)
    assert config["datasets"]["rows"]["split"]["test"] == "official"
    people(p=0.5).to_parquet("test.parquet")
    config, _ = written(frame, linear(), output=Path("third.yaml"), reference=["p"], **paths)
    assert config["datasets"]["rows"]["reader"]["optional"] == ["p"]  # the calibration rows lack it
    frame.to_csv("test.csv.gz", index=False, sep="\t")
    config, _ = written(frame, linear(), groups=["sex"], data=Path("test.csv.gz"), output=Path("gz.yaml"))
    assert config["datasets"]["rows"]["reader"]["separator"] == "\t"
    Path("parts").mkdir()
    frame[:60].to_csv("parts/a.csv", index=False)
    frame[60:].to_csv("parts/b.csv", index=False)
    config, text = written(frame, linear(), groups=["sex"], data=Path("parts"), output=Path("parts.yaml"))
    assert "24 of 120 rows calibrate" in text
    with pytest.raises(InputError, match=r"train.parquet is written in another way than parts"):
        written(frame, linear(), groups=["sex"], data=Path("parts"), calibration=Path("train.parquet"))


def test_booleans_of_parquet_are_numbers(quick):
    frame = people().assign(x=np.resize([True, False], 120))
    frame.to_parquet("test.parquet")
    config, _ = written(frame, linear(inputs=("x", "age")), data=Path("test.parquet"))
    assert config["datasets"]["rows"]["inputs"]["numeric"] == ["x", "age"]


def test_columns_that_the_study_does_not_use_may_differ(quick):
    people(number=np.arange(120)).to_csv("train.csv", index=False)
    config, _ = written(people(), linear(), groups=["sex"], calibration=Path("train.csv"))
    assert config["datasets"]["rows"]["reader"]["keep"] == ["x", "age", "repaid", "sex"]
    assert "optional" not in config["datasets"]["rows"]["reader"]


def test_a_mark_of_the_calibration_rows_is_a_mark(quick):
    people().astype({"age": object}).assign(age=lambda t: ["?", *t["age"][1:]]).to_csv("train.csv", index=False)
    config, _ = written(people(), linear(), groups=["sex"], calibration=Path("train.csv"))
    assert config["datasets"]["rows"]["reader"]["missing"] == ["", "?"]


def test_the_study_imports_what_was_checked(quick, tmp_path):
    """The columns that the study file names are those that the import binds."""
    config, _ = written(people(), labels_of(linear(), strings=["no", "yes"]), groups=["sex"])
    names = config["datasets"]["rows"]["inputs"]["numeric"]
    rows = dataclasses.replace(table(rows=120, names=("no", "yes")), numeric_names=tuple(names))
    assert bring(tmp_path, rows, Path("risk.onnx"))["binding"]["inputs"][0]["columns"] == names
