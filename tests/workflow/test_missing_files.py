"""A study in which a file is missing or damaged is not done."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

RESULTS = Path("results/tiny")
DENSE = RESULTS / "seed-0/adult/none/mlp/dense"
INT8 = RESULTS / "seed-0/adult/none/mlp/int8"
# what is removed -> rules that run because of it, those behind it aside
REMOVED = {
    INT8 / "model.onnx": {"quantize": 1, "predict": 1, "assess": 1, "profile": 1},
    INT8 / "onnxruntime/predictions.parquet": {"predict": 1, "assess": 1},
    DENSE / "onnxruntime/assessment.parquet": {"assess": 1},
    DENSE / "model.json": {"train": 1, "prune": 1, "export": 2, "quantize": 1, "predict": 3, "assess": 3},
    DENSE / "train.usage.json": {"train": 1},
    RESULTS / "profile/adult/mlp/onnxruntime.rounds.parquet": {"profile": 1},
    RESULTS / "data/adult/card.json": {"card": 1},
    RESULTS / "data/adult/raw/train": {"fetch": 1, "read": 1, "split": 2},
    RESULTS / "seed-1/adult/balanced/augmented.parquet": {"augment": 1, "train": 1},
    RESULTS / "summary/power.parquet": {"power": 1, "render_notebook": 7},
    RESULTS / "report/notebooks/data.ipynb": {"render_notebook": 2, "report": 1},  # and the one that counts the others
}


def flip(path):
    """Flip one bit in the middle of a file, and keep its time stamp."""
    content, time = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(time.st_atime_ns, time.st_mtime_ns))


def fairweight(run, *arguments):
    command = [str(Path(sys.executable).with_name("fairweight")), *arguments]
    done = subprocess.run(command, cwd=run.folder, capture_output=True, text=True, check=False, timeout=500)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", REMOVED, ids=str)
def test_a_missing_file_is_made_again(scratch, path):
    (scratch.folder / path).unlink()
    jobs = scratch.jobs("study.yaml")
    assert jobs.items() >= REMOVED[path].items()
    assert jobs["report"] == 1


def test_other_targets_ask_for_what_they_read(scratch):
    for path in (INT8 / "model.onnx", INT8 / "onnxruntime/predictions.parquet", DENSE / "model.safetensors"):
        (scratch.folder / path).unlink()
    assert scratch.jobs("study.yaml", "--", "power") == {}
    assert scratch.jobs("study.yaml", "--", "gate") == {"gate": 1}
    assert scratch.jobs("study.yaml", "--", "paper") == {"paper": 1}
    # the parent's exported file is there, so that its weights are not needed
    wanted = str(INT8 / "onnxruntime/predictions.parquet")
    assert scratch.jobs("study.yaml", "--", wanted) == {"quantize": 1, "predict": 1}
    until = scratch.jobs("study.yaml", "--until", "predict")
    assert {"train", "quantize", "predict"} <= set(until) and not {"assess", "summarize", "report"} & set(until)


def test_a_damaged_file_ends_in_one_sentence_and_the_study_recovers(scratch):
    parent, child = scratch.folder / DENSE / "model.onnx", scratch.folder / INT8 / "model.onnx"
    before = {path: path.read_bytes() for path in (parent, child)}
    flip(parent)
    child.unlink()
    code, output = fairweight(scratch, "run", "study.yaml")
    sentence = f"{DENSE}/model.onnx, which export wrote, has another checksum than when it was made; delete it"
    assert code == 1 and sentence in output and "Traceback" not in output
    assert not child.with_name("quantize.usage.json").exists()  # outputs of a failed step are deleted
    code, output = fairweight(scratch, "verify", "study.yaml")
    assert code == 1 and "3 missing" in output and "1 damaged" in output
    assert f"damaged  {DENSE}/model.onnx (export): has another checksum than when it was made" in output
    assert f"missing  {INT8}/quantize.json (quantize)" in output
    assert re.search(r"fairweight: 4 of 17\d files are missing or damaged; delete those that are damaged, ", output)
    assert output.endswith("fairweight run study.yaml.\n")
    parent.unlink()
    assert fairweight(scratch, "run", "study.yaml")[0] == 0
    assert scratch.jobs("study.yaml") == {}
    assert {path: path.read_bytes() for path in before} == before
    assert fairweight(scratch, "verify", "study.yaml") == (
        0,
        "      176 intact             as their steps wrote them\n",
    )


def test_a_file_that_was_cut_is_not_done(scratch):
    path = scratch.folder / DENSE / "model.onnx"
    time = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:5000])
    os.utime(path, ns=(time, time))
    code, output = fairweight(scratch, "run", "study.yaml")
    assert code == 1 and f"{DENSE}/model.onnx, which export wrote, has 5,000 bytes, not " in output
    assert "Nothing to be done" not in output
    output = scratch.snakemake("study.yaml", ok=False)
    assert "has 5,000 bytes, not " in output and "Nothing to be done" not in output and "Traceback" not in output
