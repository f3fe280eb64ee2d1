"""An engine that does not know an operator of a real file says so in one sentence; other errors stay what they are."""

import onnx
import pytest
from tables import tabular
from trained_study import Study, foreign

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference import load_engine
from fairweight.inference.predict import predict
from fairweight.inference.profile import profile

ENGINES = [e for e in ("onnxruntime", "openvino") if not components.missing_extra("engines", e)]


@pytest.fixture
def study(tmp_path):
    made = Study(tmp_path, tabular())
    made.train(epochs=1)
    made.export()
    return made


@pytest.mark.parametrize("engine", ENGINES)
def test_an_operator_that_the_engine_does_not_know(study, engine):
    path = foreign(study.path("dense.onnx"), study.path("foreign.onnx"))
    outputs = {"destination": study.path("predictions"), "checks": study.path("checks")}
    common = {"model": path, "table": study.data["table"], "split": study.data["split"], **outputs}
    with pytest.raises(InputError) as predicting:
        predict(**common, engine=engine, batch_size=64, threads=1)
    with pytest.raises(InputError) as profiling:
        profile(
            models=[path],
            about=[{}],
            table=study.data["table"],
            destination=study.path("profile"),
            repetitions=study.path("repetitions"),
            engine=engine,
            batch_sizes=[1],
            rounds=1,
            seconds=0.01,
            threads=1,
        )
    for error in (str(predicting.value), str(profiling.value)):
        assert error.startswith(
            f"{path}: engine '{engine}' cannot run the file: operator my.own.Wavelet (its message: "
        )
        assert "\n" not in error and error.endswith("take the variant out of `grid`, or the engine out of `engines`.")
    assert not any((study.folder / name).exists() for name in ("predictions", "checks", "profile", "repetitions"))


def test_a_type_that_an_operator_has_no_kernel_for(study):
    proto = onnx.load(study.path("dense.onnx"))
    softmax = next(n for n in proto.graph.node if n.op_type == "Softmax")
    before, after = softmax.input[0], softmax.output[0]
    softmax.input[0], softmax.output[0] = "narrow", "narrow_softmax"
    narrow = onnx.helper.make_node("Cast", [before], ["narrow"], to=onnx.TensorProto.BFLOAT16)
    widened = onnx.helper.make_node("Cast", ["narrow_softmax"], [after], to=onnx.TensorProto.FLOAT)
    place = list(proto.graph.node).index(softmax)
    proto.graph.node.insert(place, narrow)
    proto.graph.node.insert(place + 2, widened)
    onnx.save(proto, study.path("narrow.onnx"))
    with pytest.raises(InputError, match="Could not find an implementation for"):
        load_engine.load("onnxruntime", study.path("narrow.onnx"), threads=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_file_is_not_called_an_unknown_operator(study, engine):
    proto = onnx.load(study.path("dense.onnx"))
    proto.graph.node[1].input[0] = "nowhere"
    onnx.save(proto, study.path("damaged.onnx"))
    with pytest.raises(Exception) as caught:
        load_engine.load(engine, study.path("damaged.onnx"), threads=1)
    assert not isinstance(caught.value, InputError)
