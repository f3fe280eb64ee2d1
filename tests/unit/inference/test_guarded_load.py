"""A file on which an engine crashes ends a child process, and the step with one sentence that names engine and file."""

import faulthandler
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16
from tables import tabular
from torch import nn
from trained_study import Study

from fairweight.core import components
from fairweight.core.artifacts import read_json
from fairweight.core.errors import InputError
from fairweight.inference import guarded_load, load_engine
from fairweight.inference.guarded_load import first_load
from fairweight.inference.onnxruntime_session import check_loads, session
from fairweight.inference.predict import predict
from fairweight.inference.profile import profile

CRASH = f"engine 'onnxruntime' {onnxruntime.__version__} crashes (SIGSEGV) while it loads {{path}}; take the variant "


ENGINES = [e for e in ("onnxruntime", "openvino") if not components.missing_extra("engines", e)]


class Attention(nn.Module):
    """Attention between the inputs of a row."""

    def __init__(self, features, classes):
        super().__init__()
        self.embed, self.head = nn.Linear(1, 16), nn.Linear(16, classes)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        tokens = self.embed(x.unsqueeze(-1))
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))


def build(features, classes):
    return Attention(features, classes)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made = Study(tmp_path, tabular(), {"architecture": f"{Path(__file__).stem}:build"})
    made.train(epochs=1)
    made.export()
    return made


@pytest.fixture
def crashing(study):
    """A file on which onnxruntime 1.32 crashes while it loads: attention converted to float16."""
    path = study.path("narrow.onnx")
    onnx.save(convert_float_to_float16(onnx.load(study.path("dense.onnx")), keep_io_types=True), path)
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        session(path, threads=1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != signal.SIGSEGV:
        pytest.skip("this version of onnxruntime does not crash on the file")
    return path


def test_a_conversion_on_which_the_engine_crashes_stores_weights_alone_in_float16(study, crashing):
    study.quantize("half", method="float16")
    assert read_json(study.path("half.quantize.json"))["narrow_weights_share"] > 0.9
    session(study.path("half.onnx"), threads=1)  # it would end this process


def test_a_file_on_which_the_engine_crashes(study, crashing):
    outputs = {"destination": study.path("predictions"), "checks": study.path("checks")}
    with pytest.raises(InputError) as predicting:
        predict(
            model=crashing,
            table=study.data["table"],
            split=study.data["split"],
            **outputs,
            engine="onnxruntime",
            batch_size=64,
            threads=1,
        )
    with pytest.raises(InputError) as profiling:
        profile(
            models=[study.path("dense.onnx"), crashing],
            about=[{"seed": 0, "augmentation": "none", "variant": name} for name in ("dense", "narrow")],
            table=study.data["table"],
            destination=study.path("profile"),
            repetitions=study.path("repetitions"),
            engine="onnxruntime",
            batch_sizes=[1],
            rounds=1,
            seconds=0.01,
            threads=1,
        )
    with pytest.raises(InputError) as loading:
        check_loads(crashing, file="model.onnx")
    for error in (predicting, profiling):
        assert str(error.value).startswith(f"{crashing}: " + CRASH.format(path=Path(crashing).name))
    assert str(loading.value).startswith("model.onnx: " + CRASH.format(path="model.onnx"))


@pytest.mark.parametrize("number", sorted(guarded_load.CRASHES))
def test_signals_of_native_code(tmp_path, number):
    path = tmp_path / "file"
    path.touch()
    sentence = rf"^{path}: engine 'mine' crashes \({number.name}\) while it loads {path.name}; "
    with pytest.raises(InputError, match=sentence):
        first_load(lambda: os.kill(os.getpid(), number), engine="'mine'", path=path)


def test_what_the_engine_writes_before_it_crashes_is_kept(tmp_path, capfd):
    def load():
        os.write(2, b"terminate called after throwing an instance of 'mine'\n")
        os.abort()

    with pytest.raises(InputError, match="SIGABRT"):
        first_load(load, engine="'mine'", path=tmp_path)
    assert "terminate called after throwing an instance of 'mine'" in capfd.readouterr().err


@pytest.mark.parametrize(
    "load",
    [
        lambda: None,
        lambda: 1 / 0,
        lambda: os.write(1, b"twice"),
        lambda: os.kill(os.getpid(), signal.SIGKILL),  # such as by the kernel, when memory runs out
        lambda: os._exit(3),
    ],
)
def test_other_ends_decide_nothing_and_write_nothing(tmp_path, capfd, load):
    first_load(load, engine="'mine'", path=tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_child_that_does_not_end_is_given_up(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(guarded_load, "PATIENCE_S", 0.2)
    started = time.monotonic()
    first_load(lambda: time.sleep(60), engine="'mine'", path=tmp_path)
    assert time.monotonic() - started < 5
    assert "engine 'mine' was not tried in a process of its own" in capfd.readouterr().out


def test_an_engine_that_leaves_threads_is_tried_before_it_has_run(study, monkeypatch):
    tried = []
    monkeypatch.setattr(load_engine, "first_load", lambda *_args, engine, **_options: tried.append(engine.split()[0]))
    monkeypatch.setattr(load_engine, "_LOADED", set())
    for engine in ENGINES:
        for _ in range(2):
            load_engine.load(engine, study.path("dense.onnx"), threads=2)
    assert tried == ["'onnxruntime'", "'onnxruntime'", "'openvino'"][: len(ENGINES) + 1]


def test_a_profile_checks_all_files_before_it_loads_the_first(study, monkeypatch):
    calls = []

    def counted(name, original):
        return lambda *args, **options: (calls.append(name), original(*args, **options))[1]

    for name in ("check_loads", "load"):
        monkeypatch.setattr(load_engine, name, counted(name, getattr(load_engine, name)))
    profile(
        models=[study.path("dense.onnx")] * 3,
        about=[{"seed": 0, "augmentation": "none", "variant": str(number)} for number in range(3)],
        table=study.data["table"],
        destination=study.path("profile"),
        repetitions=study.path("repetitions"),
        engine=ENGINES[-1],
        batch_sizes=[1],
        rounds=1,
        seconds=0.01,
        threads=2,
    )
    assert calls == ["check_loads"] * 3 + ["load"] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_it_works_beside_threads_and_loaded_engines(study, engine):
    path, feeds = study.path("dense.onnx"), {"numeric": study.table.numeric, "categorical": study.table.categorical}
    stop, done = threading.Event(), []
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    work = torch.randn(200, 200)
    busy = threading.Thread(target=lambda: [work.copy_(work @ work).clamp_(-1, 1) for _ in iter(stop.is_set, True)])
    busy.start()
    try:
        started = time.monotonic()
        for _ in range(4):
            load_engine.check_loads(engine, path, threads=2)
        for _ in range(4):
            run = load_engine.load(engine, path, threads=2)
            done.append(run(feeds))
        assert time.monotonic() - started < guarded_load.PATIENCE_S / 2  # no child was given up
    finally:
        stop.set()
        busy.join()
        torch.set_num_threads(threads)
    assert all(np.array_equal(first, done[0]) for first in done)


def test_an_engine_that_builds_the_model_is_not_loaded_twice(study, monkeypatch):
    monkeypatch.setattr(load_engine, "first_load", lambda *_args, **_options: pytest.fail("loaded in a child"))
    for name in ("st", "json"):
        Path(study.path(f"dense.{name}")).rename(study.path({"st": "model.safetensors", "json": "model.json"}[name]))
    Path(study.path("dense.onnx")).rename(study.path("model.onnx"))
    load_engine.load("torch_eager", study.path("model.onnx"), threads=1)


def test_macos_loads_without_a_fork_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    first_load(lambda: pytest.fail("loaded"), engine="onnxruntime", path="model.onnx")
    assert "model.onnx: engine onnxruntime was not tried in a process of its own: on macOS" in capsys.readouterr().out
