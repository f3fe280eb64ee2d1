"""Reading ONNX files from elsewhere: soundness, external data, maps of scores, classes, number of rows."""

import random

import numpy as np
import onnx
import pytest
from foreign_graphs import ORACLES
from imported_files import FLOAT, INT64, STRING, bring, linear, model, table, value
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from fairweight.core.errors import InputError
from fairweight.inference import imported_graph
from fairweight.inference.imported_graph import random_feeds, read_graph, with_free_rows


def external(folder, location="weights.bin", proto=None):
    """A linear model whose matrix is in a file of its own."""
    proto = proto or linear()
    weights = next(tensor for tensor in proto.graph.initializer if tensor.name == "W")
    (folder / "weights.bin").write_bytes(weights.raw_data)
    set_external_data(weights, location)
    weights.ClearField("raw_data")
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def with_map(strings):
    labels = {"classlabels_strings": ["no", "yes"]} if strings else {"classlabels_int64s": [4, 7]}
    node = helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", **labels)
    proto = linear(output="scores", extra=[node])
    key = STRING if strings else INT64
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, [])))
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_value_info("probabilities", kind))
    return proto


def test_external_data_beside_the_file_come_inside(tmp_path):
    expected = next(t.raw_data for t in linear().graph.initializer if t.name == "W")
    proto = read_graph(external(tmp_path)).proto
    assert next(t.raw_data for t in proto.graph.initializer if t.name == "W") == expected
    assert all(t.data_location == TensorProto.DEFAULT for t in proto.graph.initializer)


def test_external_data_are_read_with_their_offset(tmp_path):
    proto = linear()
    weights = next(tensor for tensor in proto.graph.initializer if tensor.name == "W")
    expected = weights.raw_data
    (tmp_path / "weights.bin").write_bytes(b"x" * 64 + expected + b"y" * 8)
    set_external_data(weights, "weights.bin", offset=64, length=len(expected))
    weights.ClearField("raw_data")
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    assert next(t for t in read_graph(tmp_path / "model.onnx").proto.graph.initializer if t.name == "W").raw_data == (
        expected
    )


def test_the_cache_of_a_hub_holds_links_to_both_files(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    external(blobs)
    (blobs / "model.onnx").rename(blobs / "aa")
    (blobs / "weights.bin").rename(blobs / "bb")
    (snapshot / "model.onnx").symlink_to("../../blobs/aa")
    (snapshot / "weights.bin").symlink_to("../../blobs/bb")
    assert read_graph(snapshot / "model.onnx").inputs


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "a/../../weights.bin", ""])
def test_external_data_outside_of_the_folder_are_refused(tmp_path, location):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 16)
    with pytest.raises(InputError, match="outside of the folder of the file, and is not read"):
        read_graph(external(folder, location))


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = external(folder)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(InputError, match="outside of the folder"):
        read_graph(path)


def test_missing_external_data_are_named(tmp_path):
    path = external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError, match=r"its weights are in 'weights\.bin', which is missing beside it"):
        read_graph(path)


def test_external_data_that_are_too_short_are_refused(tmp_path):
    path = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"abc")
    with pytest.raises(InputError, match=r"external data cannot be read|onnxruntime .* cannot load the file"):
        bring(tmp_path, table(), path)


def test_more_than_two_gigabytes_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = external(tmp_path)
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(3 * 2**30)  # without a byte on the disk
    monkeypatch.setattr(imported_graph, "load_external_data_for_tensor", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match="larger than 2 GB with its weights"):
        read_graph(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07", random.Random(0).randbytes(64)])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(InputError, match="is not an ONNX file"):
        read_graph(tmp_path / "model.onnx")


def test_a_graph_without_operators_is_refused(tmp_path):
    onnx.save(model([], [value("x", 1)], [value("x", 1)]), str(tmp_path / "model.onnx"))
    with pytest.raises(InputError, match="holds no graph"):
        read_graph(tmp_path / "model.onnx")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.onnx cannot be read \(No such file"):
        read_graph(tmp_path / "none.onnx")


def test_operators_of_an_unknown_set_are_refused_also_in_branches(tmp_path):
    node = helper.make_node("Wavelet", ["probabilities"], ["w"], domain="my.own")
    onnx.save(linear(extra=[node]), str(tmp_path / "model.onnx"))
    with pytest.raises(InputError, match=r"operators of the set my\.own, which onnxruntime does not know"):
        read_graph(tmp_path / "model.onnx")
    branch = helper.make_graph([helper.make_node("Wavelet", ["logits"], ["w"], domain="my.own")], "b", [], [value("w")])
    condition = helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)
    onnx.save(linear(extra=[condition]), str(tmp_path / "model.onnx"))
    with pytest.raises(InputError, match=r"my\.own"):
        read_graph(tmp_path / "model.onnx")


@pytest.mark.parametrize(("strings", "classes"), [(True, ("no", "yes")), (False, ("4", "7"))])
def test_a_map_of_scores_becomes_a_tensor(tmp_path, strings, classes):
    onnx.save(with_map(strings), str(tmp_path / "model.onnx"))
    described = read_graph(tmp_path / "model.onnx")
    assert described.classes == classes
    assert described.changes == ("the map of scores probabilities is a tensor now",)
    assert [str(tensor) for tensor in described.outputs] == ["probabilities (float32 [?, ?])"]
    onnx.checker.check_model(described.proto, full_check=True)


@pytest.mark.parametrize("path", sorted(ORACLES.glob("*.onnx")), ids=lambda path: path.stem)
def test_files_of_other_libraries_have_no_maps_and_say_their_classes_if_they_do(path):
    described = read_graph(path)
    assert not [n for n in described.proto.graph.node if n.op_type == "ZipMap"]
    assert described.classes is None or len(described.classes) in (2, 3)
    assert all(tensor.type != "map" for tensor in described.outputs)


def test_types_without_a_name_are_described(tmp_path):
    proto = linear()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UNDEFINED
    onnx.save(proto, str(tmp_path / "model.onnx"))
    assert str(read_graph(tmp_path / "model.onnx").inputs[0]) == "input (of no type [?, 2])"


def test_weights_that_are_inputs_are_no_inputs(tmp_path):
    proto = linear()
    proto.graph.input.append(value("W", 2, 2))
    onnx.save(proto, str(tmp_path / "model.onnx"))
    assert [tensor.name for tensor in read_graph(tmp_path / "model.onnx").inputs] == ["input"]


def test_the_stated_number_of_rows_becomes_free_in_a_copy():
    proto = linear(rows=7)
    free = with_free_rows(proto)
    assert free.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 7


def test_random_feeds_have_the_types_and_shapes_of_the_inputs(tmp_path):
    proto = linear(inputs=("first", "second"), shapes=[("n", 1), ("n",)])
    proto.graph.input[0].type.tensor_type.elem_type = STRING
    onnx.save(proto, str(tmp_path / "model.onnx"))
    feeds = random_feeds(read_graph(tmp_path / "model.onnx").inputs, 5)
    assert feeds["first"].shape == (5, 1)
    assert feeds["first"].dtype == object
    assert isinstance(feeds["first"][0, 0], str)
    assert (feeds["second"].shape, feeds["second"].dtype) == ((5,), np.float32)
