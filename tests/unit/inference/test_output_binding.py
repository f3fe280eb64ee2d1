"""Outputs of imported files: which is read, what it holds, in which order its classes are, and what it predicts."""

import dataclasses

import numpy as np
import pytest
from imported_files import FLOAT, INT64, bring, labels_of, linear, model, only_labels, run, table, value
from onnx import TensorProto, helper
from scipy.special import expit, softmax

from fairweight.core.errors import InputError
from fairweight.inference.bound_outputs import as_probabilities, bound, class_key, in_order
from fairweight.inference.imported_graph import Tensor
from fairweight.inference.output_binding import content_of, order_of, sort_classes

FIVE = Tensor("out", "float32", (None, None))


def binding(content, order, rows=None):
    return {"inputs": [], "output": "out", "content": content, "order": order, "rows": rows}


def accuracy(folder, rows):
    return float((run(folder, rows).argmax(axis=1) == rows.label).mean())


def expected():
    """Logits of the linear model of two classes."""
    x, age = table().numeric.T.astype(np.float64)
    return np.stack([-2 * x + 0.02 * age, 2 * x - 0.02 * age], axis=1)


# ---- what an output holds


@pytest.mark.parametrize(
    ("classes", "ending", "option", "content"),
    [
        (2, "Softmax", None, "probabilities"),
        (2, None, None, "logits"),
        (1, "Sigmoid", None, "positive"),
        (1, None, "margin", "margin"),
    ],
)
def test_every_content_becomes_the_same_probabilities(tmp_path, classes, ending, option, content):
    report = bring(tmp_path, table(), linear(classes=classes, ending=ending), content=option)
    assert report["binding"]["content"] == content
    assert np.allclose(run(tmp_path, table()), softmax(expected(), axis=1), atol=1e-5)


def test_an_output_of_one_dimension(tmp_path):
    proto = linear(classes=1, ending="Sigmoid", output="scores")
    proto.graph.node.append(helper.make_node("Flatten", ["scores"], ["f"], axis=0))
    proto.graph.node.append(helper.make_node("Reshape", ["scores", "flat"], ["probability"]))
    proto.graph.initializer.append(helper.make_tensor("flat", INT64, [1], [-1]))
    del proto.graph.output[:]
    proto.graph.output.append(value("probability", "n"))
    assert bring(tmp_path, table(), proto)["binding"]["content"] == "positive"
    assert np.allclose(run(tmp_path, table()), softmax(expected(), axis=1), atol=1e-5)


@pytest.mark.parametrize(
    ("values", "chosen", "classes", "message"),
    [
        ([[0.3], [1.7]], None, 2, "not all are between 0 and 1; .*models of regression are not supported"),
        ([[0.3], [0.7]], None, 3, "is one number for each row, and the dataset has 3 classes"),
        ([[0.9, 0.8], [0.1, 0.2]], None, 2, "numbers between 0 and 1 that do not sum to 1"),
        ([[0.3, 0.1], [0.1, 0.2]], None, 2, "numbers between 0 and 1 that do not sum to 1"),
        ([[3.0, -1], [0.1, 0.2]], "probabilities", 2, "holds numbers outside of 0 to 1, which are not probabilities"),
        ([[3.0], [0.1]], "positive", 2, "holds numbers outside of 0 to 1, which are not positive"),
    ],
)
def test_numbers_that_are_no_scores_are_refused(values, chosen, classes, message):
    with pytest.raises(InputError, match=message):
        content_of(np.array(values), FIVE, chosen, classes)


def test_labels_are_one_for_each_row():
    assert content_of(np.array([1, 0]), FIVE, None, 2) == "labels"
    assert content_of(np.array([["a"], ["b"]]), FIVE, None, 2) == "labels"
    assert content_of(np.array([True]), FIVE, None, 2) == "labels"
    assert content_of(np.array([[1, 0]]), FIVE, "logits", 2) == "logits"
    with pytest.raises(
        InputError, match=r"has 2 columns; labels are one for each row. Set 'output', or 'content: logits"
    ):
        content_of(np.array([[1, 0]]), FIVE, None, 2)
    with pytest.raises(InputError, match="holds labels, and not probabilities"):
        content_of(np.array(["a", "b"]), FIVE, "probabilities", 2)


def test_outputs_that_are_not_numbers_are_named_by_data_row(tmp_path):
    rows = table()
    numeric = rows.numeric.copy()
    numeric[[6, 280], 0] = np.nan
    rows = dataclasses.replace(rows, numeric=numeric)
    with pytest.raises(InputError, match="is not a number for 2 of 300 rows, the first of them data row 7;"):
        bring(tmp_path, rows, linear())


def test_outputs_beyond_the_tried_rows_are_checked_as_well(tmp_path):
    rows = table(rows=1200)
    numeric = rows.numeric.copy()
    numeric[1100, 0] = np.nan
    with pytest.raises(InputError, match=r"its output is not a number for 1 of 1,200 rows, .* data row 1,101;"):
        bring(tmp_path, dataclasses.replace(rows, numeric=numeric), linear())


def test_logits_of_minus_infinity_are_probabilities_of_zero():
    assert as_probabilities(np.array([[-np.inf, 0.0]]), binding("logits", [0, 1])).tolist() == [[0, 1]]


def test_an_output_for_a_whole_call_is_refused(tmp_path):
    proto = linear(output="scores")
    proto.graph.node.append(helper.make_node("ReduceMean", ["scores"], ["probabilities"], keepdims=0))
    del proto.graph.output[:]
    proto.graph.output.append(value("probabilities"))
    with pytest.raises(InputError, match="one number for a whole call"):
        bring(tmp_path, table(), proto, output="probabilities")


def test_a_model_of_regression_is_refused(tmp_path):
    with pytest.raises(InputError, match="models of regression are not supported"):
        bring(tmp_path, table(), linear(classes=1, ending=None))


# ---- several outputs


def test_scores_are_read_before_labels(tmp_path):
    assert bring(tmp_path, table(), labels_of(linear()))["binding"]["output"] == "probabilities"


def test_an_output_is_chosen_by_name(tmp_path):
    report = bring(tmp_path, table(), labels_of(linear()), output="label")
    assert (report["binding"]["output"], report["binding"]["content"]) == ("label", "labels")
    with pytest.raises(
        InputError, match=r"the file has no output 'scores'; it has label \(int64 \[\?\]\), probabilities"
    ):
        bring(tmp_path, table(), labels_of(linear()), output="scores")


def test_several_outputs_that_could_be_scores_are_asked_for(tmp_path):
    extra = helper.make_node("Identity", ["logits"], ["features_out"])
    proto = linear(output="last", extra=[extra], further=[value("features_out", "n", 2)])
    with pytest.raises(InputError, match=r"several outputs that could be scores .*; set 'output'"):
        bring(tmp_path, table(), proto)
    named = linear(extra=[extra], further=[value("features_out", "n", 2)])
    assert bring(tmp_path, table(), named)["binding"]["output"] == "probabilities"


def test_a_file_without_scores_or_labels_is_refused(tmp_path):
    proto = linear()
    del proto.graph.output[:]
    proto.graph.node.append(helper.make_node("Unsqueeze", ["probabilities", "one"], ["cube"]))
    proto.graph.initializer.append(helper.make_tensor("one", INT64, [1], [1]))
    proto.graph.output.append(value("cube", "n", 1, 2))
    with pytest.raises(InputError, match=r"none of the file's outputs \(cube .*\) are scores or labels"):
        bring(tmp_path, table(), proto)


# ---- labels


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("0", "1"), {}),
        (("no", "yes"), {"strings": ["no", "yes"]}),
        (("no", "yes"), {}),  # numbers of names in their order
        (("False", "True"), {}),
        (("False", "True"), {"element": TensorProto.BOOL}),
        (("0", "1"), {"element": TensorProto.BOOL}),
        (("0.0", "1.0"), {}),
        (("3", "10"), {"values": [3, 10]}),
        (("0", "1"), {"column": True}),
        (("0", "1"), {"element": TensorProto.FLOAT}),
    ],
)
def test_labels_in_every_form(tmp_path, names, labels):
    rows = table(names=names)
    option = {"content": "labels"} if labels.get("element") == TensorProto.FLOAT else {}
    bring(tmp_path, rows, only_labels(labels_of(linear(), **labels)), **option)
    assert np.array_equal(run(tmp_path, rows).argmax(axis=1), expected().argmax(axis=1))
    assert set(run(tmp_path, rows).ravel()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("names", "labels", "said"),
    [
        (("no", "yes"), {"strings": ["nein", "ja"]}, "returns the label 'ja', which is not one of the classes"),
        (("1", "2"), {}, "returns the label '0', which is not one of the classes"),  # of 0, 1, 2 or numbers of 1, 2?
        (("0", "1"), {"values": [5, 6]}, "returns the label '5'"),
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path, names, labels, said):
    with pytest.raises(InputError, match=said):
        bring(tmp_path, table(names=names), only_labels(labels_of(linear(), **labels)))


def test_named_classes_give_labels_their_numbers(tmp_path):
    rows = table(names=("1", "2"))
    bring(tmp_path, rows, only_labels(labels_of(linear())), classes=[1, 2])
    assert np.array_equal(run(tmp_path, rows).argmax(axis=1), expected().argmax(axis=1))


def test_the_labels_of_a_file_reveal_another_order_of_its_scores(tmp_path):
    """As skl2onnx writes SVC without probabilities: the order of its scores is not that of its labels."""
    proto = labels_of(linear(), values=[1, 0])
    with pytest.raises(InputError, match="of 300 rows the largest score of output 'probabilities' is of another class"):
        bring(tmp_path, table(), proto)
    bring(tmp_path, table(), labels_of(linear(order=[1, 0]), values=[1, 0]), classes=[1, 0])
    assert np.array_equal(run(tmp_path, table()).argmax(axis=1), expected().argmax(axis=1))


# ---- order of the classes


def order(content="logits", width=3, named=None, in_file=None, classes=("a", "b", "c")):
    return order_of(content, np.zeros((1, width)), named, in_file, classes)


@pytest.mark.parametrize(
    ("arguments", "places", "source"),
    [
        ({}, [0, 1, 2], "in sorted order"),
        ({"classes": ("c", "a", "b")}, [2, 0, 1], "in sorted order"),
        ({"classes": ("10", "9", "2")}, [2, 1, 0], "in sorted order"),
        ({"in_file": ("b", "c", "a")}, [2, 0, 1], "as the file names them"),
        ({"named": ("b", "c", "a"), "in_file": ("a", "b", "c")}, [2, 0, 1], "as the study file names them"),
        ({"in_file": ("0", "1", "2")}, [0, 1, 2], "in sorted order"),
        ({"in_file": ("0", "1")}, [0, 1, 2], "in sorted order"),  # of a model inside of another one
        ({"width": 2, "classes": ("True", "False"), "in_file": ("0", "1")}, [1, 0], "as the file names them"),
        ({"width": 2, "classes": ("1", "0"), "in_file": ("0.0", "1.0")}, [1, 0], "as the file names them"),
        ({"width": 1, "content": "margin", "classes": ("yes", "no")}, [1, 0], "in sorted order"),
        ({"width": 4, "in_file": ("d", "c", "b", "a")}, [3, 2, 1], "as the file names them"),
    ],
)
def test_the_order_of_the_classes(arguments, places, source):
    assert order(**arguments)[:2] == (places, source)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 4}, r"has scores of 4 classes, and 3 classes are named \(a, b, c\); name them with 'classes'"),
        ({"in_file": ("a", "b", "x")}, "the file has the classes a, b, x, and the dataset has c; name them"),
        ({"named": ("a", "b")}, "has scores of 3 classes, and 2 classes are named"),
        ({"width": 3, "classes": ("a", "b"), "in_file": ("a", "b", "c")}, "has 3 classes .*, and the dataset has two"),
    ],
)
def test_classes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        order(**arguments)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1", "1.0", True),
        ("True", "1", True),
        ("false", "0", True),
        ("1e3", "1000", True),
        (" a", "a", True),
        ("01", "1", True),
        ("a", "A", False),
        ("1.5", "1", False),
        ("12345678", "12345679", False),
        ("1_0", "10", False),
        ("nan", "0", False),
    ],
)
def test_spellings_of_a_class(first, second, same):
    assert (class_key(first) == class_key(second)) is same


def test_sorted_as_scikit_learn_does():
    assert sort_classes(["10", "9", "-1"]) == ["-1", "9", "10"]
    assert sort_classes(["b", "10", "9"]) == ["10", "9", "b"]


# ---- classes that the dataset lacks


def test_other_classes_stay_in_the_competition():
    scores = np.array([[0.2, 0.5, 0.3], [0.5, 0.1, 0.4]])
    assert in_order(scores, [2, 0]).tolist() == [[0.3, 0.2, 0.5], [0.4, 0.5, 0.1]]
    three = as_probabilities(np.log([[0.1, 0.2, 0.3, 0.4]]), binding("logits", [1, 0, 2]))
    assert np.allclose(three, [[0.2, 0.1, 0.3, 0.4]])
    labels = as_probabilities(np.array(["c", "a", "x"]), binding("labels", ["a", "b", "c"]))
    assert labels.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    with pytest.raises(InputError, match="is 'x', which is neither 'a' nor 'b'"):
        as_probabilities(np.array(["a", "x"]), binding("labels", ["a", "b"]))


def test_a_prediction_of_a_class_that_the_dataset_lacks_is_wrong(tmp_path):
    rows = table(rows=400, classes=4)
    three = rows.take(np.flatnonzero(rows.label < 3))
    three = dataclasses.replace(three, row=np.arange(len(three)), classes=("0", "1", "2"))
    weights = np.array([[0.0, 0.0, 0.0, 4.0], [0, 0, 0, 0]], np.float32)  # above 0 it is the class 3, below the class 0
    proto = linear(classes=3)
    proto.graph.initializer[0].CopyFrom(helper.make_tensor("W", FLOAT, [2, 4], weights.ravel()))
    proto.graph.initializer[1].CopyFrom(helper.make_tensor("b", FLOAT, [4], [0.01, 0, 0, 0]))
    proto.graph.output[0].CopyFrom(value("probabilities", "n", 4))
    report = bring(tmp_path, three, proto, classes=[0, 1, 2, 3])
    right = np.where(three.numeric[:, 0] > 0.0025, 3, 0) == three.label
    assert report["accuracy"] == pytest.approx(right.mean(), abs=0.01)
    assert run(tmp_path, three).shape == (len(three), 4)


# ---- number of rows of a call


def test_a_stated_number_of_rows_becomes_free(tmp_path):
    report = bring(tmp_path, table(), linear(rows=7))
    assert report["changes"] == ["the number of rows of one call is free now"]
    assert report["binding"]["rows"] is None


def reshaped(rows, size=None):
    """A graph that reshapes to a fixed number of rows."""
    proto = linear(rows=size or rows)
    proto.graph.node.insert(0, helper.make_node("Reshape", ["input", "shape"], ["reshaped"]))
    proto.graph.initializer.append(helper.make_tensor("shape", INT64, [2], [rows, 2]))
    proto.graph.node[1].input[0] = "reshaped"
    return proto


@pytest.mark.parametrize("rows", [1, 4, 7])
def test_a_graph_that_reshapes_is_run_in_calls_of_its_size(tmp_path, rows):
    report = bring(tmp_path, table(), reshaped(rows))
    assert report["binding"]["rows"] == rows
    assert np.allclose(run(tmp_path, table(), size=50), softmax(expected(), axis=1), atol=1e-5)


def test_rows_of_the_last_call_are_filled_up():
    sizes = []

    def call(feeds):
        sizes.append(len(feeds["x"]))
        return np.stack([feeds["x"], 1 - feeds["x"]], axis=1)

    x = np.arange(5) / 10
    output = bound(call, binding("probabilities", [0, 1], rows=3))({"x": x})
    assert np.allclose(output, np.stack([x, 1 - x], axis=1))
    assert sizes == [3, 3]


def test_a_free_number_of_rows_that_is_stated_in_error(tmp_path):
    with pytest.raises(InputError, match="states a free number of rows and takes one row a call"):
        bring(tmp_path, table(), reshaped(1, size="n"))
    with pytest.raises(InputError, match=r"cannot be run on rows of the dataset .*; it got input float32 \[1, 2\]"):
        bring(tmp_path, table(), reshaped(4, size="n"))


def test_rows_that_depend_on_their_neighbours_are_refused(tmp_path):
    proto = linear()
    proto.graph.node.insert(0, helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0], keepdims=1))
    proto.graph.node.insert(1, helper.make_node("Sub", ["input", "mean"], ["centred"]))
    proto.graph.node[2].input[0] = "centred"
    with pytest.raises(InputError, match="when a row is predicted alone and not in a call of 32 rows"):
        bring(tmp_path, table(), proto)


def test_inputs_of_different_numbers_of_rows_are_refused(tmp_path):
    with pytest.raises(InputError, match="the inputs take different numbers of rows"):
        bring(tmp_path, table(), linear(inputs=("x", "age"), shapes=[(2, 1), (3, 1)]))


def test_positive_and_margin_are_of_the_second_class():
    assert as_probabilities(np.array([0.25]), binding("positive", [1, 0])).tolist() == [[0.25, 0.75]]
    assert np.allclose(as_probabilities(np.array([[2.0]]), binding("margin", [0, 1]))[0, 1], expit(2))


def test_fewer_columns_than_named_are_refused():
    with pytest.raises(InputError, match="has 2 columns, and number 2 is asked for"):
        as_probabilities(np.array([[0.5, 0.5]]), binding("probabilities", [0, 1, 2]))


def test_an_engine_that_does_not_know_the_opset(tmp_path):
    proto = linear()
    proto.opset_import[0].version = 99
    with pytest.raises(
        InputError, match=r"the file has opset 99, which onnxruntime .* does not know; export it with a sm"
    ):
        bring(tmp_path, table(), proto)


def test_an_operator_that_the_engine_does_not_know(tmp_path):
    proto = linear(extra=[helper.make_node("NoSuchOperator", ["logits"], ["w"])])
    with pytest.raises(InputError, match=r"onnxruntime .* cannot load the file \(.*NoSuchOperator"):
        bring(tmp_path, table(), proto)


def test_ten_thousand_columns(tmp_path):
    rows, width = table(rows=40), 10_000
    numeric = np.random.default_rng(0).normal(size=(40, width)).astype(np.float32)
    numeric[:, 9_999] = np.where(rows.label == 1, 50, -50)
    rows = dataclasses.replace(rows, numeric=numeric, numeric_names=tuple(f"c{i}" for i in range(width)))
    weights = np.zeros((width, 1), np.float32)
    weights[-1] = 1
    nodes = [helper.make_node("Gemm", ["x", "W"], ["m"]), helper.make_node("Sigmoid", ["m"], ["p"])]
    bring(tmp_path, rows, model(nodes, [value("x", "n", width)], [value("p", "n", 1)], {"W": weights}))
    assert accuracy(tmp_path, rows) == 1
