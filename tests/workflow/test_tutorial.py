"""The tutorial as it stands: every block of code is run, in its order."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairweight.core.components import WORKFLOW as ROOT

pytestmark = pytest.mark.workflow

MINUTES = 10
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_takes_a_table_and_a_module_to_a_report_in_ten_minutes(tmp_path):
    # the commands of this environment, and this checkout
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    started, output = time.monotonic(), ""
    blocks = BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())
    assert len(blocks) >= 7
    for language, code in blocks:
        if named := re.match(r"# file: (\S+)\n", code):
            (tmp_path / named.group(1)).write_text(code)
            continue
        command = [sys.executable, "-c", code] if language == "python" else ["sh", "-ec", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        output += done.stdout + done.stderr
        assert done.returncode == 0, f"{code}\n{output[-5000:]}"
    took = time.monotonic() - started
    print(f"tutorial: {took:.0f} s")
    assert took < MINUTES * 60
    results = tmp_path / "results" / "patients"
    page = (results / "report" / "report.html").read_text()
    assert "mine" in page and "proven" in page
    assert (results / "hub/models/patients/none/mine/int8/model.onnx").exists()
    # the user's own module is in the archive, the user's table is not
    assert "Reproduced" not in output and "the same bytes" in output
    command = [sys.executable, "-m", "zipfile", "-l", results / "archive/patients.crate.zip"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "run/my_models.py" in names and "patients.csv" not in names
