"""Comparison of an imported model with its original, order of its classes, and rows that are in two parts."""

import dataclasses

import numpy as np
import onnx
import pytest
from foreign_graphs import ORACLES
from imported_files import STRING, bring, linear, model, recipe, run, table, value
from onnx import helper, numpy_helper

from fairweight.core.errors import InputError
from fairweight.inference.reference_check import _check_order, check_imported
from fairweight.training.signature import Signature


def given(rows, **columns):
    return dataclasses.replace(rows, given={name: np.asarray(column, float) for name, column in columns.items()})


@pytest.fixture
def scores(tmp_path):
    """Probabilities of the linear models of two and of three classes."""
    probabilities = []
    for classes in (2, 3):
        bring(tmp_path, table(classes=classes), linear(classes=classes))
        probabilities.append(run(tmp_path, table(classes=classes)).astype(float))
    return probabilities


def test_a_model_that_agrees(tmp_path, scores):
    facts = bring(tmp_path, given(table(), p=scores[0][:, 1]), linear(), reference="p")
    assert facts["reference"]["columns"] == ["p"]
    assert facts["reference"]["largest_difference"] < 1e-6
    assert facts["reference"]["agreement"] == 1
    assert facts["rows"] == 300


def test_the_largest_differences_are_shown_by_data_row(tmp_path, scores):
    probability = scores[0][:, 1].copy()
    for position, change in ((4, 0.2), (99, -0.5), (250, 0.3)):
        probability[position] = np.clip(probability[position] + change, 0, 1)
    with pytest.raises(InputError) as raised:
        bring(tmp_path, given(table(), p=probability), linear(), reference="p")
    message = str(raised.value)
    assert "models: mine: reference: 3 of 300 rows differ from the original by more than 0.001" in message
    assert "row 100: " in message
    assert "row 5: " in message
    assert "row 251: " in message
    changes = np.abs(probability - scores[0][:, 1])
    order = np.argsort(-changes)[:3]
    places = [message.index(f"row {position + 1}: ") for position in order]
    assert places == sorted(places)  # the largest first
    assert "docs/trained-models.md" in message


def test_a_difference_within_the_tolerance_is_recorded(tmp_path, scores):
    rows = given(table(), p=np.clip(scores[0][:, 1] + 0.01, 0, 1))
    with pytest.raises(InputError, match="differ from the original by more than"):
        bring(tmp_path, rows, linear(), reference="p")
    facts = bring(tmp_path, rows, linear(), reference="p", tolerance=0.02)
    assert facts["reference"]["largest_difference"] == pytest.approx(0.01, abs=1e-6)


def test_rows_without_a_reference_are_named(tmp_path, scores):
    probability = scores[0][:, 1].copy()
    probability[[41, 50]] = np.nan
    with pytest.raises(InputError, match="reference: p has no value in 2 of 300 rows, the first of them data row 42"):
        bring(tmp_path, given(table(), p=probability), linear(), reference="p")


def test_a_file_without_a_reference_is_left_out(tmp_path, scores):
    """Training rows on which methods calibrate need no outputs of the original."""
    probability = scores[0][:, 1].copy()
    rows = dataclasses.replace(table(), file=np.repeat(["train", "test"], [200, 100]).astype(object))
    probability[:200] = np.nan
    facts = bring(tmp_path, given(rows, p=probability), linear(), reference="p")
    assert facts["rows"] == 100 and facts["reference"]["agreement"] == 1
    probability[250] = 1 - probability[250]
    with pytest.raises(InputError, match=r"reference: 1 of 100 rows differ .*row 251: "):
        bring(tmp_path, given(rows, p=probability), linear(), reference="p")
    probability[260] = np.nan
    with pytest.raises(InputError, match="reference: p has no value in 1 of 100 rows, the first of them data row 261"):
        bring(tmp_path, given(rows, p=probability), linear(), reference="p")
    with pytest.raises(InputError, match=r"p has no value in any row; write there what"):
        bring(tmp_path, given(rows, p=np.full(300, np.nan)), linear(), reference="p")
    codes = np.where(rows.file == "train", -1, scores[0].argmax(axis=1))
    facts = bring(tmp_path, given(rows, p=codes), linear(), reference_labels="p")
    assert facts["rows"] == 100 and facts["reference_labels"]["different_rows"] == 0


def with_words(words):
    """A model of one number and the texts `job`, and its rows, of which every fifth has no `job`."""
    keys = ["a", "b", *words]
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["job"],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=keys,
            values_floats=[-1.0, 1.0, *[3.0] * len(words)],
            default_float=0.0,
        ),
        helper.make_node("Add", ["x", "code"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    inputs = [value("x", "n", 1), value("job", "n", 1, element=STRING)]
    proto = model(nodes, inputs, [value("probability", "n", 1)])
    rows = table()
    codes = np.where(np.arange(300) % 5 == 0, 2, np.arange(300) % 2)[:, None]
    x = rows.numeric[:, :1]
    rows = dataclasses.replace(
        rows, numeric=x, numeric_names=("x",), categorical=codes, levels={"job": ("a", "b", "(missing)")}
    )
    effects = np.array([-1.0, 1.0, 3.0])[codes]
    return proto, given(rows, p=1 / (1 + np.exp(-(x + effects)))[:, 0])


def with_zip_codes(written):
    """A model that encodes the texts `zip` and `kind`, in one tensor, and rows with other spellings of zip codes."""
    zips, kinds = ("01067", "01099", "10115"), ("x", "y")
    encoders = [
        helper.make_node("OneHotEncoder", [f"{name}_text"], [f"{name}_codes"], domain="ai.onnx.ml", cats_strings=names)
        for name, names in {"zip": zips, "kind": kinds}.items()
    ]
    pick = [
        helper.make_node("ArrayFeatureExtractor", ["words", f"at_{name}"], [f"{name}_text"], domain="ai.onnx.ml")
        for name in ("zip", "kind")
    ]
    nodes = [
        *pick,
        *encoders,
        helper.make_node("Reshape", ["zip_codes", "shape"], ["codes"]),
        helper.make_node("MatMul", ["codes", "weights"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    weights = np.array([[-2.0], [1.0], [2.0]], np.float32)
    proto = model(nodes, [value("words", "n", 2, element=STRING)], [value("probability", "n", 1)])
    constants = {"at_zip": [0], "at_kind": [1], "shape": [-1, 3]}
    arrays = {name: np.array(values, np.int64) for name, values in constants.items()} | {"weights": weights}
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    rows = table()
    codes = np.stack([np.arange(300) % 3, np.arange(300) % 2], axis=1)
    rows = dataclasses.replace(
        rows, numeric=rows.numeric[:, :0], numeric_names=(), categorical=codes, levels={"zip": written, "kind": kinds}
    )
    return proto, given(rows, p=1 / (1 + np.exp(-weights[codes[:, 0], 0])))


def test_values_that_the_model_does_not_know_are_named_with_their_column(tmp_path):
    options = {"reference": "p", "inputs": {"words": ["zip", "kind"]}}
    proto, rows = with_zip_codes(("01067", "01099", "10115"))
    assert bring(tmp_path, rows, proto, **options)["reference"]["agreement"] == 1
    proto, rows = with_zip_codes(("1067", "1099", "10115"))
    with pytest.raises(InputError, match="reference: 200 of 300 rows differ") as caught:
        bring(tmp_path, rows, proto, **options)
    assert str(caught.value).endswith(
        "; 'zip': values that the model does not know: '1067', '1099', in 200 of them (did you mean '01067'?); write "
        "them as the model was trained with them."
    )
    proto, rows = with_zip_codes(("01067", "01099", "10115"))
    wrong = given(rows, p=rows.given["p"] ** 2)  # a difference that has another reason
    with pytest.raises(InputError) as caught:
        bring(tmp_path, wrong, proto, **options)
    assert "does not know" not in str(caught.value)


@pytest.mark.parametrize("word", ["?", "missing", "Unknown", "nan"])
def test_a_filling_of_the_original_is_found(tmp_path, word):
    proto, rows = with_words([word])
    with pytest.raises(InputError) as raised:
        bring(tmp_path, rows, proto, reference="p")
    message = str(raised.value)
    assert "60 of 300 rows differ" in message
    assert f"60 of them lack 'job', which the model gets as '', and agree with '{word}'" in message
    assert message.endswith(f"write '{word}' there, and list it in no 'missing'.")


def test_a_filling_that_is_not_known_is_asked_for(tmp_path):
    proto, rows = with_words(["quite another word"])
    with pytest.raises(InputError, match=r"lack 'job', .* gets as ''; write there what the original got, such as"):
        bring(tmp_path, rows, proto, reference="p")
    labels = given(rows, p=(rows.given["p"] > 0.5).astype(int))
    with pytest.raises(InputError, match=r"reference_labels: .* lack 'job'"):
        bring(tmp_path, labels, proto, reference_labels="p")


def test_gaps_that_the_original_left_are_no_reason(tmp_path):
    """Here it is the number that is wrong in all rows."""
    proto, rows = with_words([""])
    shifted = dataclasses.replace(rows, numeric=rows.numeric + 1)
    bring(tmp_path, rows, proto, reference="p")
    with pytest.raises(InputError, match=r"300 of 300 rows differ .*compare columns, their order") as raised:
        bring(tmp_path, shifted, proto, reference="p")
    assert "no value" not in str(raised.value)


def test_missing_numbers_are_named(tmp_path, scores):
    rows = given(table(), p=scores[0][:, 1])
    numeric = rows.numeric.copy()
    numeric[::4, 1] = np.nan
    nodes = [helper.make_node("IsNaN", ["age"], ["gap"]), helper.make_node("Where", ["gap", "zero", "age"], ["filled"])]
    proto = linear(inputs=("x", "age"))
    for node in proto.graph.node:
        node.input[:] = ["filled" if name == "age" else name for name in node.input]
    for node in reversed(nodes):
        proto.graph.node.insert(0, node)
    proto.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1), np.float32), "zero"))
    with pytest.raises(InputError, match="70 of them lack 'age', which the model gets as NaN; write the num"):
        bring(tmp_path, dataclasses.replace(rows, numeric=numeric), proto, reference="p")


def test_several_columns_are_in_the_order_of_the_scores(tmp_path, scores):
    rows = given(table(classes=3), a=scores[1][:, 2], b=scores[1][:, 0], c=scores[1][:, 1])
    proto = linear(classes=3, order=[2, 0, 1])
    facts = bring(tmp_path, rows, proto, reference=["a", "b", "c"], classes=[2, 0, 1])
    assert facts["reference"]["agreement"] == 1
    with pytest.raises(InputError, match="rows differ from the original"):
        bring(tmp_path, rows, proto, reference=["b", "a", "c"], classes=[2, 0, 1])
    with pytest.raises(InputError, match="reference: has 2 columns for the 3 classes of the model"):
        bring(tmp_path, rows, proto, reference=["a", "b"], classes=[2, 0, 1])
    with pytest.raises(InputError, match="reference: has 1 columns for the 3 classes of the model"):
        bring(tmp_path, rows, proto, reference="a", classes=[2, 0, 1])


def test_labels_as_a_reference(tmp_path, scores):
    rows = given(table(), predicted=scores[0].argmax(axis=1))
    facts = bring(tmp_path, rows, linear(), reference_labels="predicted")
    assert facts["reference_labels"] == {"column": "predicted", "different_rows": 0}
    other = scores[0].argmax(axis=1)
    other[[8, 200]] = 1 - other[[8, 200]]
    with pytest.raises(
        InputError, match=r"the class of 2 of 300 rows is not that of 'predicted' \(rows 9, 201 first\)"
    ):
        bring(tmp_path, given(table(), predicted=other), linear(), reference_labels="predicted")
    assert bring(tmp_path, given(table(), predicted=other), linear(), reference_labels="predicted", tolerance=0.01)


def test_a_file_of_labels_has_no_probabilities_to_compare(tmp_path):
    proto = linear()
    proto.graph.node.append(onnx.helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0))
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["n"]))
    with pytest.raises(
        InputError, match=r"reference: holds probabilities, and the model returns labels; .*reference_lab"
    ):
        bring(tmp_path, given(table(), p=np.zeros(300)), proto, reference="p")


@pytest.mark.parametrize(("classes", "order"), [(2, [1, 0]), (3, [2, 0, 1]), (3, [1, 0, 2])])
def test_another_order_of_the_classes_is_detected(tmp_path, classes, order):
    rows = table(classes=classes)
    strong = linear(classes=classes, order=order)
    weights = numpy_helper.to_array(strong.graph.initializer[0]).copy()
    weights[1] = 0
    strong.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "W"))
    bias = np.array([0, 0.5, 0] if classes == 3 else [0, 0], np.float32)[order]
    strong.graph.initializer[1].CopyFrom(numpy_helper.from_array(bias, "b"))
    with pytest.raises(InputError) as raised:
        bring(tmp_path, rows, strong)
    assert f"meant {', '.join(str(code) for code in order)};" in str(raised.value)
    assert "in the order of the scores" in str(raised.value)
    bring(tmp_path, rows, strong, classes=order)


def test_a_weak_model_is_not_taken_for_one_of_another_order(tmp_path):
    rows = table()
    rows = dataclasses.replace(rows, label=np.random.default_rng(1).permutation(rows.label))
    assert bring(tmp_path, rows, linear())["accuracy"] == pytest.approx(0.5, abs=0.1)


def test_many_classes_with_few_rows_each_are_not_taken_for_another_order():
    """Of 60 classes with 5 rows each, some order fits chance predictions better than their own."""
    random = np.random.default_rng(0)
    label = np.repeat(np.arange(60), 5)
    rows = table(rows=300, classes=2)
    rows = dataclasses.replace(rows, label=random.permutation(label), classes=tuple(str(code) for code in range(60)))
    chance = np.eye(60)[random.integers(0, 60, 300)]
    _check_order(chance, rows, "in sorted order")
    swapped = rows.label ^ 1  # pairs of classes
    with pytest.raises(InputError, match=r"right for 0\.0% of the rows, and for 100\.0% if"):
        _check_order(np.eye(60)[swapped], rows, "in sorted order")


def parts(n):
    return {"train": np.arange(0, n, 3), "validation": np.arange(1, n, 3), "test": np.arange(2, n, 3)}


def seen(rows, signature=None):
    def right(feeds):
        return np.eye(2)[np.zeros(len(next(iter(feeds.values()))), int)].astype(np.float32)

    signature = signature or Signature.fitted(rows)
    facts = check_imported(
        right, signature, recipe(), rows, parts(len(rows)), order=[0, 1], scores=2, classes_from="in sorted order"
    )
    return facts["test_rows_seen"]


def test_test_rows_that_are_training_rows_are_counted():
    rows = table()
    assert seen(rows) == 0
    numeric = rows.numeric.copy()
    numeric[[2, 5, 8]] = numeric[[0, 1, 11]]  # two copies of other parts, and one of a test row
    assert seen(dataclasses.replace(rows, numeric=numeric)) == 2


def test_wide_rows_are_counted_as_well():
    rows = table(rows=30)
    numeric = np.random.default_rng(0).normal(size=(30, 2000)).astype(np.float32)
    numeric[2] = numeric[0]
    rows = dataclasses.replace(rows, numeric=numeric, numeric_names=tuple(f"c{i}" for i in range(2000)))
    assert seen(rows) == 1


@pytest.mark.parametrize("wrong", ["scaler", "sparse"])
def test_silent_errors_of_converters_are_caught(tmp_path, wrong):
    """Trees whose thresholds lie at values: float32 sends a row to the other side; zeros are taken as missing."""
    path = ORACLES / "xgboost_binary.onnx"
    proto = onnx.load(str(path))
    width = proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    random = np.random.default_rng(0)
    numeric = np.round(random.normal(size=(200, width)), 1).astype(np.float32)
    rows = table(rows=200)
    rows = dataclasses.replace(rows, numeric=numeric, numeric_names=tuple(f"c{i}" for i in range(width)))
    bring(tmp_path, given(rows, p=np.zeros(200)), path, reference="p", tolerance=1)
    original = run(tmp_path, rows)[:, 1]
    assert bring(tmp_path, given(rows, p=original), path, reference="p")["reference"]["agreement"] == 1
    node = next(n for n in proto.graph.node if n.op_type == "TreeEnsembleClassifier" or n.op_type.startswith("TreeEns"))
    for attribute in node.attribute:
        if attribute.name == "nodes_values" and wrong == "scaler":
            attribute.floats[:] = [value + 0.05 for value in attribute.floats]
        if attribute.name == "nodes_missing_value_tracks_true" and wrong == "sparse":
            attribute.ints[:] = [1 - value for value in attribute.ints]
    if wrong == "sparse":
        numeric = np.where(np.abs(numeric) < 0.3, np.nan, numeric)
    rows = dataclasses.replace(rows, numeric=numeric)
    with pytest.raises(InputError, match="of the decisions agree"):
        bring(tmp_path, given(rows, p=original), proto, reference="p")
