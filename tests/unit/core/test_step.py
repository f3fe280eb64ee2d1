"""What goes wrong on a user's machine ends a step in one sentence; a mistake of the program keeps its traceback."""

import subprocess
import sys

import pytest

STEP = """
from fairweight.core.errors import InputError
from fairweight.core.step import step
class Outputs(list):
    usage = "step.usage.json"
with step("log.txt", ["a", "b", "data/raw/a"], Outputs(["step.usage.json", "out", "out.txt"]), 1):
    {body}
"""
SENTENCES = {
    "raise InputError('datasets: d: no rows\\x1b[31m.')": "fairweight: datasets: d: no rows\\x1b[31m.",
    "open('/proc/no/such/file')": "/proc/no/such/file is missing; it was moved or removed while the run needed it",
    "open('/proc/1/mem/x')": "/proc/1/mem/x is missing; it was moved",
    "import os; os.mkdir('here'); open('here', 'w')": "here is not what is expected there (Is a directory); remove it",
    "raise OSError(28, 'No space left on device', 'table.parquet')": "the disk is full at table.parquet; free space",
    "raise PermissionError(13, 'Permission denied', 'table.parquet')": "table.parquet cannot be written or read",
    "import numpy; numpy.zeros(10**17)": "there is not enough memory for this step (Unable to allocate",
    "import torch; torch.nn.Linear(10**9, 10**9)": "there is not enough memory for this step (",
}


def end_of(folder, body):
    done = subprocess.run([sys.executable, "-c", STEP.format(body=body)], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 1 and not (folder / "step.usage.json").exists()
    return (folder / "log.txt").read_text()


@pytest.mark.parametrize("body", SENTENCES)
def test_a_step_ends_in_one_sentence(tmp_path, body):
    log = end_of(tmp_path, body)
    assert log.startswith("fairweight: ") and SENTENCES[body] in log and log.count("\n") == 1


@pytest.mark.parametrize(
    "body", ["raise RuntimeError('shapes differ')", "raise OSError(5, 'Input/output error')", "1 / 0"]
)
def test_every_other_error_keeps_its_traceback(tmp_path, body):
    assert "Traceback (most recent call last)" in end_of(tmp_path, body)
