"""Binding of the inputs of an imported file to columns, images and texts."""

import dataclasses

import numpy as np
import onnx
import pytest
from imported_files import DOUBLE, FLOAT, INT64, STRING, bring, linear, model, run, table, value
from onnx import TensorProto, helper
from tables import comments, pictures

from fairweight.core.errors import InputError
from fairweight.inference.binding import matched_by_name, plain

# accuracy of the linear model on its rows
TRUE = float(((4 * table().numeric[:, 0] - 0.04 * table().numeric[:, 1] > 0) == table().label).mean())


def accuracy(folder, rows):
    return float((run(folder, rows).argmax(axis=1) == rows.label).mean())


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [
        (("input",), None),
        (("x", "age"), None),
        (("X", "Age "), None),
        (("x", "age"), [("n",), ("n",)]),
        (("age", "x"), None),
    ],
)
def test_columns_find_their_inputs(tmp_path, inputs, shapes):
    rows = table()
    names = ("input",) if len(inputs) == 1 else inputs
    proto = linear(inputs=names, shapes=shapes)
    if names[0] == "age":  # the weights are those of x and age in this order
        weights = onnx.numpy_helper.to_array(proto.graph.initializer[0])[::-1].copy()
        proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "W"))
    bring(tmp_path, rows, proto)
    assert accuracy(tmp_path, rows) == pytest.approx(TRUE)


def test_names_as_exporters_change_them():
    columns = ["hours-per-week", "capital gain", "größe", "x/1"]
    assert matched_by_name(["hours_per_week", "capital_gain", "Größe", "x_1"], columns) == {
        "hours_per_week": "hours-per-week",
        "capital_gain": "capital gain",
        "Größe": "größe",
        "x_1": "x/1",
    }
    assert plain("Capital-Gain_2") == "capitalgain2"


def test_a_name_that_several_columns_could_have_is_left_out():
    assert matched_by_name(["a_b"], ["a-b", "a b"]) == {}
    assert matched_by_name(["a-b", "a_b"], ["a-b", "a b"]) == {"a-b": "a-b", "a_b": "a b"}
    assert matched_by_name(["A", "a"], ["a"]) == {"a": "a"}
    assert matched_by_name(["__"], ["%"]) == {}


def test_inputs_without_columns_of_their_name_are_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"inputs: second \(float32 \[\?, 1\]\) of the file have the name of no input"):
        bring(tmp_path, table(), linear(inputs=("x", "second")))
    with pytest.raises(InputError, match=r"\(age are free\); rename the column, or name the columns of each with 'inp"):
        bring(tmp_path, table(), linear(inputs=("x", "second")))
    with pytest.raises(
        InputError, match=r"inputs: Ages .* \(age are free \(did you mean 'age'\?\)\); rename the column"
    ):
        bring(tmp_path, table(), linear(inputs=("x", "Ages")))
    report = bring(tmp_path, table(), linear(inputs=("x", "second")), inputs={"x": "x", "second": ["age"]})
    assert [entry["columns"] for entry in report["binding"]["inputs"]] == [["x"], ["age"]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"input": ["age", "x", "age"]}, r"takes 2 columns, and the dataset has 3 for it"),
        ({"inputs": ["age", "x"]}, "the file has no input 'inputs'"),
        ({"input": ["age", "weight"]}, "'weight' is no input column of the dataset; it has x, age"),
        ({"input": ["x"]}, "takes 2 columns, and the dataset has 1 for it"),
    ],
)
def test_the_option_inputs_is_checked(tmp_path, inputs, message):
    with pytest.raises(InputError, match=message):
        bring(tmp_path, table(), linear(), inputs=inputs)


def test_an_input_that_is_not_given_is_named(tmp_path):
    with pytest.raises(InputError, match=r"input age \(float32 \[\?, 1\]\) of the file is not given"):
        bring(tmp_path, table(), linear(inputs=("x", "age")), inputs={"x": "x"})


def test_more_columns_than_the_file_takes_are_listed(tmp_path):
    rows = table()
    rows = dataclasses.replace(rows, numeric=np.c_[rows.numeric, rows.label], numeric_names=("x", "age", "id"))
    with pytest.raises(InputError, match=r"takes 2 columns, and the dataset has 3 for it \(x, age, id\)"):
        bring(tmp_path, rows, linear())


@pytest.mark.parametrize("shape", [(2, "n", 4), (), (1, 1, 128)])
def test_states_and_settings_are_refused(tmp_path, shape):
    proto = linear()
    proto.graph.input.append(value("state", *shape))
    with pytest.raises(InputError, match=f"input state .* has {len(shape)} dimensions, which columns do not fill"):
        bring(tmp_path, table(), proto)


@pytest.mark.parametrize("name", ["tokens", "numeric", "image", "categorical", "past_key_values.0", "a b/c:0", "größe"])
def test_a_tensor_may_have_any_name(tmp_path, name):
    rows = table()
    rows = dataclasses.replace(rows, numeric=np.where(rows.numeric > 30, -1, rows.numeric))  # -1 is padding of our own
    bring(tmp_path, rows, linear(inputs=(name,)))
    other = tmp_path / "other"
    other.mkdir()
    bring(other, rows, linear())
    assert np.array_equal(run(tmp_path, rows), run(other, rows))


# ---- types


@pytest.mark.parametrize("element", [FLOAT, DOUBLE, TensorProto.FLOAT16])
def test_numbers_of_every_width(tmp_path, element):
    bring(tmp_path, table(), linear(element=element))
    assert accuracy(tmp_path, table()) == pytest.approx(TRUE, abs=0.01)


@pytest.mark.parametrize(
    ("element", "bad", "said"),
    [
        (INT64, 0.7, "takes int64, and column 'age' holds 0.7 in data row 5"),
        (INT64, np.nan, "takes int64, and column 'age' holds no number in data row 5"),
        (TensorProto.UINT8, -1, "takes uint8, and column 'age' holds -1 in data row 5"),
        (TensorProto.INT8, 128, "takes int8, and column 'age' holds 128 in data row 5"),
        (TensorProto.FLOAT16, 70000, "takes float16, and column 'age' holds 70000 in data row 5"),
        (TensorProto.BOOL, 2, "takes bool, and column 'age' holds 2 in data row 5"),
    ],
)
def test_a_value_that_a_type_cannot_hold_is_refused(tmp_path, element, bad, said):
    rows = table()
    numeric = (np.sign(rows.numeric) > 0).astype(np.float32)
    good = dataclasses.replace(rows, numeric=numeric)
    bring(tmp_path, good, linear(element=element))
    numeric = numeric.copy()
    numeric[4, 1] = bad
    with pytest.raises(InputError, match=said):
        bring(tmp_path, dataclasses.replace(rows, numeric=numeric), linear(element=element))


@pytest.mark.parametrize("element", [TensorProto.BFLOAT16, TensorProto.COMPLEX64, TensorProto.UNDEFINED])
def test_types_that_no_column_fills_are_refused(tmp_path, element):
    with pytest.raises(InputError, match="has a type that no column can fill"):
        bring(tmp_path, table(), linear(element=element))


def in_categories(levels):
    rows = table()
    codes = rows.numeric[:, 1:].astype(np.int64) - 18
    return dataclasses.replace(
        rows, numeric=rows.numeric[:, :1], numeric_names=("x",), categorical=codes, levels={"age": tuple(levels)}
    )


def test_categories_that_are_numbers_fill_numeric_inputs(tmp_path):
    bring(tmp_path, in_categories(str(age) for age in range(18, 91)), linear(inputs=("x", "age")))
    assert accuracy(tmp_path, in_categories(str(age) for age in range(18, 91))) == pytest.approx(TRUE)


def test_categories_that_are_words_do_not(tmp_path):
    with pytest.raises(InputError, match="input 'age' takes float32, and column 'age' holds 'w18'"):
        bring(tmp_path, in_categories(f"w{age}" for age in range(18, 91)), linear(inputs=("x", "age")))


@pytest.mark.parametrize(
    "words",
    [("False", "True"), ("false", "TRUE"), ("no", "yes"), ("N", "Y"), ("f", "t"), ("off", "on"), ("0", "1")],
)
def test_booleans_are_words_as_well(tmp_path, words):
    rows = table()
    flags = (rows.numeric[:, :1] > 0).astype(np.int64)
    rows = dataclasses.replace(
        rows, numeric=np.zeros((300, 1), np.float32), numeric_names=("age",), categorical=flags, levels={"x": words}
    )
    bring(tmp_path, rows, linear(inputs=("x", "age"), element=TensorProto.BOOL))
    assert (run(tmp_path, rows).argmax(axis=1) == flags[:, 0]).all()


@pytest.mark.parametrize(
    ("words", "element", "said"),
    [
        (("no", "maybe"), TensorProto.BOOL, "takes bool, and column 'age' holds 'maybe'"),
        (("no", "yes"), FLOAT, "takes float32, and column 'age' holds 'no'; write the numbers of the model's training"),
        (("no", "(missing)"), TensorProto.BOOL, "takes bool, and column 'age' holds no number in data row"),
    ],
)
def test_words_that_are_no_booleans_are_refused(tmp_path, words, element, said):
    codes = (table().numeric[:, 1:] > 40).astype(np.int64)
    rows = dataclasses.replace(in_categories(words), categorical=codes, numeric=np.zeros((300, 1), np.float32))
    with pytest.raises(InputError, match=said):
        bring(tmp_path, rows, linear(inputs=("x", "age"), element=element))


# ---- words


def words(inputs, columns):
    """A linear model of one number, and of words by their hash: `b` counts for the second class."""
    encoder = helper.make_node(
        "LabelEncoder",
        [inputs[1]],
        ["codes"],
        domain="ai.onnx.ml",
        keys_strings=["a", "b"],
        values_floats=[-4.0, 4.0],
        default_float=0.0,
    )
    nodes = [
        encoder,
        helper.make_node("ReduceSum", ["codes", "axis"], ["w"], keepdims=1),
        helper.make_node("Add", [inputs[0], "w"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    shapes = [value(inputs[0], "n", 1), value(inputs[1], "n", columns, element=STRING)]
    return model(nodes, shapes, [value("probability", "n", 1)], {"axis": np.array([1])})


@pytest.fixture
def named():
    rows = table()
    codes = np.stack([rows.label, np.arange(300) % 3], axis=1)
    levels = {"job": ("a", "b"), "town": ("k", "l", "(missing)")}
    numeric = rows.numeric[:, :1] * 0.1
    return dataclasses.replace(rows, numeric=numeric, numeric_names=("x",), categorical=codes, levels=levels)


def test_a_tensor_of_numbers_and_a_tensor_of_words(tmp_path, named):
    report = bring(tmp_path, named, words(("numbers", "words"), 2))
    assert [entry["columns"] for entry in report["binding"]["inputs"]] == [["x"], ["job", "town"]]
    assert accuracy(tmp_path, named) == 1


def test_numbers_are_no_words(tmp_path, named):
    with pytest.raises(InputError, match="takes texts, and x are numeric inputs of the dataset; make them categorical"):
        bring(tmp_path, named, words(("job", "x"), 1), inputs={"job": "x", "x": "x"})


# ---- images


def images():
    rows = pictures(rows=90, size=28)
    return dataclasses.replace(rows, images=rows.images[:, :, ::4, ::4].copy())


def network(layout, rows="n", element=FLOAT, scale=255):
    """A linear network of scaled pixels (7, 7), whatever the layout."""
    images_ = images()
    pixels = images_.images.reshape(len(images_), -1) / scale
    targets = np.eye(3)[images_.label]
    weights = np.linalg.lstsq(np.c_[pixels, np.ones(len(pixels))], targets, rcond=None)[0].astype(np.float32) * 9
    shape = {"NCHW": (1, 7, 7), "NHWC": (7, 7, 1), "flat": (49,), "free": ("a", "b", "c")}[layout]
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("Gemm", ["flat", "W", "b"], ["logits"]),
    ]
    tensors = {"W": weights[:-1].copy(), "b": weights[-1].copy()}
    return model(nodes, [value("picture", rows, *shape, element=element)], [value("logits", rows, 3)], tensors)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "flat"])
@pytest.mark.parametrize("rows", ["n", 1, 5])
def test_images_in_every_layout(tmp_path, layout, rows):
    report = bring(tmp_path, images(), network(layout, rows), scale=255)
    assert report["binding"]["pixels"]["layout"] == layout
    assert accuracy(tmp_path, images()) > 0.95


def test_an_image_keeps_its_axes(tmp_path):
    """The first pixel of the second channel, in each layout."""
    rows = images()
    random = np.random.default_rng(0).integers(0, 256, (90, 2, 3, 4)).astype(np.uint8)
    rows = dataclasses.replace(rows, images=random, label=(random[:, 1, 0, 0] > 127).astype(int), classes=("0", "1"))
    for _, shape, place in (("NCHW", (2, 3, 4), 12), ("NHWC", (3, 4, 2), 1), ("flat", (24,), 12)):
        weights = np.zeros((24, 1), np.float32)
        weights[place] = 1
        nodes = [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "W"], ["margin"]),
        ]
        proto = model(nodes, [value("x", "n", *shape)], [value("margin", "n", 1)], {"W": weights})
        bring(tmp_path, rows, proto, content="margin", scale=1, mean=[0, 127.5], std=[1, 10])
        assert accuracy(tmp_path, rows) == 1


def test_a_layout_that_the_shape_leaves_open_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="may be NCHW or NHWC; set 'layout'"):
        bring(tmp_path, images(), network("free"), scale=255)
    bring(tmp_path, images(), network("free"), scale=255, layout="NCHW")
    assert accuracy(tmp_path, images()) > 0.95


@pytest.mark.parametrize(
    ("proto", "options", "message"),
    [
        (network("NHWC"), {"layout": "NCHW"}, "does not take the images of the dataset, which have 1 channels, 7 rows"),
        (linear(), {}, "does not take the images of the dataset"),
        (linear(inputs=("x", "age")), {}, "a model for images takes one input"),
        (network("NCHW"), {"mean": [1.0, 2.0, 3.0]}, "mean: has 3 numbers for 1 channels"),
        (network("NCHW", element=TensorProto.UINT8), {"scale": 255}, "takes whole numbers, which scaled pixels are"),
    ],
)
def test_images_that_do_not_fit_are_refused(tmp_path, proto, options, message):
    with pytest.raises(InputError, match=message):
        bring(tmp_path, images(), proto, **options)


def test_whole_pixels(tmp_path):
    bring(tmp_path, images(), network("NCHW", element=TensorProto.UINT8, scale=1))
    assert accuracy(tmp_path, images()) > 0.95


def test_a_model_for_images_does_not_take_columns(tmp_path):
    with pytest.raises(InputError, match=r"takes \d+ columns, and the dataset has 2 for it"):
        bring(tmp_path, table(), network("NCHW"))


def test_columns_fill_several_dimensions_the_last_one_fastest(tmp_path):
    """An output for each place of (2, 3): only the columns in their order give each class its own."""
    random = np.random.default_rng(0)
    numeric = random.normal(size=(200, 6)).astype(np.float32)
    rows = dataclasses.replace(
        table(200, 6), numeric=numeric, numeric_names=tuple("abcdef"), label=numeric.argmax(axis=1)
    )
    flat = helper.make_node("Flatten", ["grid"], ["flat"])
    scores = helper.make_node("Softmax", ["flat"], ["probabilities"])
    grid = helper.make_tensor_value_info("grid", FLOAT, ["n", 2, 3])
    output = helper.make_tensor_value_info("probabilities", FLOAT, ["n", 6])
    report = bring(tmp_path, rows, model([flat, scores], [grid], [output]))
    assert report["binding"]["inputs"][0]["shape"] == [2, 3]
    assert accuracy(tmp_path, rows) == 1


# ---- texts


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    tokenizers = pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    built = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="[UNK]"))
    built.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.WordLevelTrainer(special_tokens=["[UNK]", "[PAD]"])
    built.train_from_iterator(list(comments().texts), trainer)
    built.save(str(path))
    return built, path


def of_texts(tokenizer, names=("input_ids", "attention_mask"), shape=("n", "length"), element=INT64):
    """The words good, fine, kind are of the first class; padding counts for the second one where there is no mask."""
    vocabulary = tokenizer[0].get_vocab()
    embedding = np.zeros((len(vocabulary), 2), np.float32)
    for code, column in (
        (vocabulary[w], c) for c, ws in enumerate(("good fine kind", "bad poor mean")) for w in ws.split()
    ):
        embedding[code, column] = 5
    embedding[vocabulary["[PAD]"], 1] = 50
    nodes = [
        helper.make_node("Gather", ["E", names[0]], ["embedded"]),
        helper.make_node("Cast", [names[1]], ["float"], to=FLOAT),
        helper.make_node("Unsqueeze", ["float", "last"], ["mask"]),
        helper.make_node("Mul", ["embedded", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis"], ["logits"], keepdims=0),
    ]
    inputs = [value(name, *shape, element=element) for name in names]
    tensors = {"E": embedding, "last": np.array([2]), "axis": np.array([1])}
    return model(nodes, inputs, [value("logits", shape[0], 2)], tensors)


@pytest.mark.parametrize(
    ("names", "shape", "element"),
    [
        (("input_ids", "attention_mask"), ("n", "length"), INT64),
        (("input_ids", "attention_mask", "token_type_ids"), ("n", "length"), INT64),
        (("input_ids", "attention_mask"), ("n", "length"), TensorProto.INT32),
        (("input_ids", "attention_mask"), ("n", 64), INT64),
        (("input_ids", "attention_mask"), (1, 64), INT64),
    ],
)
def test_texts_become_tokens_with_mask_and_padding(tmp_path, tokenizer, names, shape, element):
    report = bring(tmp_path, comments(), of_texts(tokenizer, names, shape, element), tokenizer=str(tokenizer[1]))
    assert accuracy(tmp_path, comments()) == 1
    assert [entry["part"] for entry in report["binding"]["inputs"]] == ["tokens", "mask", "segments"][: len(names)]
    assert report["binding"]["padding"] == 1
    assert (tmp_path / "tokenizer.json").is_file()


def test_texts_are_cut_to_the_stated_length(tmp_path, tokenizer):
    report = bring(tmp_path, comments(), of_texts(tokenizer, shape=("n", 4)), tokenizer=str(tokenizer[1]))
    assert report["binding"]["length"] == 4
    assert 0.4 < accuracy(tmp_path, comments()) < 1


def test_models_for_texts_are_asked_for_their_tokenizer(tmp_path, tokenizer):
    with pytest.raises(InputError, match="needs the tokenizer"):
        bring(tmp_path, comments(), of_texts(tokenizer))
    with pytest.raises(InputError, match="cannot be read"):
        bring(tmp_path, comments(), of_texts(tokenizer), tokenizer=str(tmp_path / "none.json"))
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(InputError, match="is not a tokenizer"):
        bring(tmp_path, comments(), of_texts(tokenizer), tokenizer=str(tmp_path / "no.json"))
    with pytest.raises(InputError, match=r"this one takes ids \(int64"):
        bring(tmp_path, comments(), of_texts(tokenizer, names=("ids", "attention_mask")), tokenizer=str(tokenizer[1]))
