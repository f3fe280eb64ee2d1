"""Fewer trees are those of the library that made them; zeros stand where the smallest weights were."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from foreign_graphs import FEWER, ORACLES, ROWS, imported
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import GRAPHS, feeds

from fairweight.compression.graph_pruning import fewer_trees, magnitude
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.tree_ensembles import trees_in
from fairweight.inference.onnx_file import compressed_bytes

FORESTS = ("skl_forest", "skl_forest_3")
TREES = ("xgboost_binary", "xgboost_3", "lightgbm_binary", "lightgbm_3", "skl_boosting", "skl_boosting_3", *FORESTS)


def run(path, output=1, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, inputs or {"input": ROWS["x"]})[output]


@pytest.mark.parametrize("name", TREES)
def test_fewer_trees_are_those_of_the_library(name, tmp_path):
    source, destination = imported(name, tmp_path), tmp_path / "fewer.onnx"
    report = fewer_trees.prune(source, destination, share=0.5, trees=FEWER)
    onnx.checker.check_model(str(destination), full_check=True)
    np.testing.assert_allclose(run(destination), ROWS[name], atol=2e-6)
    assert np.abs(run(source) - ROWS[name]).max() > 0.02, "all trees would pass as well"
    classes = 3 if name.endswith("_3") and name not in FORESTS else 1
    assert (report["trees"], report["forest"]) == (FEWER * classes, name in FORESTS)
    assert destination.stat().st_size < 0.7 * source.stat().st_size
    labels = run(destination, output=0)
    if name not in FORESTS:  # whose scores may be equal
        assert (labels == ROWS[name].argmax(axis=1)).all()


def test_a_share_of_trees_is_of_each_class_and_at_least_one(tmp_path):
    source = imported("xgboost_3", tmp_path)
    report = fewer_trees.prune(source, tmp_path / "fewer.onnx", share=0.01, trees=None)
    assert (report["trees_before"], report["trees"]) == (45, 3)
    report = fewer_trees.prune(source, tmp_path / "fewer.onnx", share=0.4, trees=None)
    assert report["trees"] == 18


def test_nothing_to_leave_out_is_one_sentence(tmp_path):
    source = imported("xgboost_3", tmp_path)
    with pytest.raises(NotApplicable, match="would keep all 45 trees"):
        fewer_trees.prune(source, tmp_path / "fewer.onnx", share=0.5, trees=15)
    with pytest.raises(NotApplicable, match="takes ensembles of decision trees, and this model has none"):
        fewer_trees.prune(imported("skl_mlp", tmp_path), tmp_path / "fewer.onnx", share=0.5, trees=None)


# ---- the newer operator

MODES = {b"BRANCH_LEQ": 0, b"BRANCH_LT": 1}


def newer(source: Path, destination: Path, element=np.float32):
    """The same ensemble with the operator of version 5, without the label; its scores are sums."""
    proto = onnx.load(str(source))
    (node,) = (n for n in proto.graph.node if n.op_type == "TreeEnsembleClassifier")
    about = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    keys = list(zip(about["nodes_treeids"], about["nodes_nodeids"], strict=True))
    leaf = {key: mode == b"LEAF" for key, mode in zip(keys, about["nodes_modes"], strict=True)}
    places = {key: i for i, key in enumerate(k for k in keys if not leaf[k])}
    votes = list(zip(about["class_treeids"], about["class_nodeids"], strict=True))
    leaves = {key: i for i, key in enumerate(votes)}
    inner = [i for i, key in enumerate(keys) if not leaf[key]]
    attributes = {
        "tree_roots": [places[key] for key in places if key[1] == 0],
        "nodes_featureids": [about["nodes_featureids"][i] for i in inner],
        "nodes_splits": numpy_helper.from_array(np.array(about["nodes_values"], element)[inner], "splits"),
        "nodes_modes": numpy_helper.from_array(
            np.array([MODES[about["nodes_modes"][i]] for i in inner], np.uint8), "modes"
        ),
        "leaf_targetids": list(about["class_ids"]),
        "leaf_weights": numpy_helper.from_array(np.array(about["class_weights"], element), "weights"),
        "n_targets": 3,
    }
    for side in ("true", "false"):
        children = [(keys[i][0], about[f"nodes_{side}nodeids"][i]) for i in inner]
        attributes[f"nodes_{side}leafs"] = [int(leaf[child]) for child in children]
        attributes[f"nodes_{side}nodeids"] = [(leaves if leaf[child] else places)[child] for child in children]
    made = helper.make_node("TreeEnsemble", ["input"], ["scores"], domain="ai.onnx.ml", **attributes)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    inputs, outputs = (helper.make_tensor_value_info(n, kind, ["n", k]) for n, k in (("input", 6), ("scores", 3)))
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)]
    graph = helper.make_graph([made], "trees", [inputs], [outputs])
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=10), str(destination))
    return destination


@pytest.mark.parametrize("element", [np.float32, np.float64])
def test_fewer_trees_of_the_newer_operator(tmp_path, element):
    source = newer(imported("xgboost_3", tmp_path), tmp_path / "newer.onnx", element)
    rows = {"input": ROWS["x"].astype(element)}
    about = onnx.load(str(source)).graph.node[0]
    assert [len(group) for group in trees_in(about).groups] == [15, 15, 15]
    destination = tmp_path / "fewer.onnx"
    fewer_trees.prune(source, destination, share=0.5, trees=FEWER)
    fewer = np.log(ROWS["xgboost_3"])  # up to a constant of each row, and the base values of each class
    change = run(destination, 0, **rows) - fewer
    change -= change[:, :1]
    assert np.ptp(change, axis=0).max() < 1e-5
    assert np.ptp(run(source, 0, **rows) - fewer - (run(source, 0, **rows) - fewer)[:, :1], axis=0).max() > 0.1


def test_sets_of_values_stay_with_their_nodes(tmp_path):
    """Two trees, each with one node that compares with a set; the second tree's set is the one that has to go."""
    nan, member = np.nan, 6
    make = numpy_helper.from_array
    node = helper.make_node(
        "TreeEnsemble",
        ["input"],
        ["scores"],
        domain="ai.onnx.ml",
        tree_roots=[0, 1],
        nodes_featureids=[0, 0],
        nodes_splits=make(np.array([0, 0], np.float32), "splits"),
        nodes_modes=make(np.array([member, member], np.uint8), "modes"),
        membership_values=make(np.array([1, 2, nan, 3, nan], np.float32), "members"),
        nodes_truenodeids=[0, 2],
        nodes_trueleafs=[1, 1],
        nodes_falsenodeids=[1, 3],
        nodes_falseleafs=[1, 1],
        leaf_targetids=[0, 0, 0, 0],
        leaf_weights=make(np.array([10, -1, 100, -5], np.float32), "weights"),
        n_targets=1,
    )
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 1]) for n in ("input", "scores")]
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)]
    proto = helper.make_model(helper.make_graph([node], "g", value[:1], value[1:]), opset_imports=sets, ir_version=10)
    source, destination = tmp_path / "source.onnx", tmp_path / "fewer.onnx"
    onnx.save(proto, str(source))
    rows = {"input": np.array([[1], [2], [3], [4]], np.float32)}
    assert run(source, 0, **rows).ravel().tolist() == [5, 5, 99, -6]
    fewer_trees.prune(source, destination, share=0.5, trees=1)
    assert run(destination, 0, **rows).ravel().tolist() == [10, 10, -1, -1]


# ---- magnitude


@pytest.mark.parametrize("name", GRAPHS)
def test_the_smallest_weights_of_every_layer_become_zero(name, tmp_path):
    proto = GRAPHS[name]()
    source, destination = tmp_path / "source.onnx", tmp_path / "pruned.onnx"
    onnx.save(proto, str(source))
    report = magnitude.prune(source, destination, sparsity=0.75)
    assert report["sparsity"]["all"] == pytest.approx(0.75, abs=0.01)
    assert len(report["sparsity"]) >= 3 and min(report["sparsity"].values()) > 0.7
    assert compressed_bytes(destination.read_bytes()) < 0.75 * compressed_bytes(source.read_bytes())
    before, after = (run(path, 0, **feeds(proto, 50)) for path in (source, destination))
    assert 0.001 < np.abs(before - after).mean() < 0.5


def test_weights_of_doubles_and_of_branches(tmp_path):
    source, destination = imported("skl_mlp_double", tmp_path), tmp_path / "pruned.onnx"
    magnitude.prune(source, destination, sparsity=0.5)
    for before, after in zip(
        onnx.load(source).graph.initializer, onnx.load(destination).graph.initializer, strict=True
    ):
        old, new = numpy_helper.to_array(before), numpy_helper.to_array(after)
        if before.name.startswith("coefficient"):
            kept = new != 0
            assert (old[kept] == new[kept]).all() and np.abs(old[~kept]).max() <= np.abs(old[kept]).min()
            assert kept.mean() == pytest.approx(0.5, abs=0.01)
        else:
            assert before == after
    with pytest.raises(NotApplicable, match="takes stored matrices and kernels"):
        magnitude.prune(imported("xgboost_3", tmp_path), destination, sparsity=0.5)


def test_the_oracles_are_small():
    assert sum(path.stat().st_size for path in ORACLES.iterdir()) < 300_000
