"""A study reports to nobody: no process of it looks up a name or connects to another machine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runs import CONFIG, LOCAL, Run

from fairweight.core import components
from fairweight.core.components import WORKFLOW as ROOT

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(not shutil.which("strace"), reason="no strace (Debian: strace)"),
]
CALLS = "connect,sendto,sendmsg,sendmmsg"
ELSEWHERE = re.compile(r'sin6?_addr=inet_(?:addr|pton)\((?:AF_INET6, )?"(?!127\.|::1"|::ffff:127\.)([^"]+)"')
ASKS_SLURM = "_slurmctld"  # a command of SLURM's own, which Snakemake's plugin for it runs where SLURM is installed


def contacts(trace):
    """Calls in the output of strace that reach other machines; a command of SLURM may look for its server."""
    lines = [line.split(maxsplit=1) for line in trace.splitlines()]
    own = {pid for pid, call in lines if ASKS_SLURM in call}
    return [call for pid, call in lines if pid not in own and ELSEWHERE.search(call)]


def traced(folder, *command):
    """Run a command in a folder with a home of its own; returns what it contacted and what it left in its home."""
    home, cache = folder / "home", os.environ.get("FAIRWEIGHT_CACHE") or Path.home() / ".cache" / "fairweight"
    home.mkdir(exist_ok=True)
    unset = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "CI", "XDG_CACHE_HOME")
    clean = {name: value for name, value in os.environ.items() if name not in unset}
    strace = ["strace", "--follow-forks", "--seccomp-bpf", "--quiet=all", f"--trace={CALLS}", "--output=trace.txt"]
    done = subprocess.run(
        [*strace, *command],
        cwd=folder,
        env=clean | {"HOME": str(home), "FAIRWEIGHT_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    left = {path.name for path in home.rglob("*")} & {"Microsoft", "intel", "deviceid", "openvino_ga_cid"}
    return contacts((folder / "trace.txt").read_text(errors="replace")), left


def test_the_trace_shows_who_does_report(tmp_path):
    program = "import socket\ntry: socket.getaddrinfo('telemetry.invalid', 443)\nexcept OSError: pass\n"
    program += (
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor a in ('192.0.2.1', '127.0.0.1'): s.connect((a, 9))"
    )
    reached, _ = traced(tmp_path, sys.executable, "-c", program)
    assert any("192.0.2.1" in call for call in reached) and not any("127.0.0.1" in call for call in reached)
    reached, left = traced(tmp_path, sys.executable, "-c", "import fairweight, onnxruntime, time; time.sleep(6)")
    assert reached == [] and not left


def study_of_numbers(folder):
    openvino = components.missing_extra("engines", "openvino") is None
    narrow = {"from": "dense", "quantize": "openvino" if openvino else "static"}
    Run(folder).study(
        seeds=1,
        variants={"dense": {"train": "standard"}, "int8": narrow},
        engines=["onnxruntime", *(["openvino"] if openvino else [])],
        grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["int8"]}],
    )
    raw = [f"results/tiny/data/adult/raw/{file}" for file in ("train", "test")]
    return ["results/tiny/report/report.html", *raw]


def study_of_texts(folder):
    sys.path.insert(0, str(ROOT / "tests" / "unit"))
    from tables import comments, small_bert

    table = comments(300)
    rows = [
        f"{text},{label},{'women' if n % 2 else 'men'}"
        for n, (text, label) in enumerate(zip(table.texts, table.label, strict=True))
    ]
    (folder / "texts.csv").write_text("\n".join(["comment,label,about", *rows]))
    small_bert(folder / "bert", table.texts)
    (folder / "study.yaml").write_text((CONFIG / "texts.yaml").read_text())
    return ["results/texts/seed-0/comments/none/bert/int8/onnxruntime/assessment.parquet"]


STUDIES = {
    "numbers": (study_of_numbers, "engines", "onnxruntime"),
    "texts": (study_of_texts, "architectures", "pretrained"),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_no_step_of_a_study_contacts_another_machine(tmp_path, kind):
    make, folder, component = STUDIES[kind]
    if extra := components.missing_extra(folder, component):
        pytest.skip(f"the extra {extra!r} is not installed")
    target, *raw = make(tmp_path)
    if raw:  # which may be downloaded, before the trace
        Run(tmp_path).snakemake("study.yaml", *LOCAL, *raw)
    fairweight = str(Path(sys.executable).with_name("fairweight"))
    reached, left = traced(tmp_path, fairweight, "run", "study.yaml", "--", target)
    assert reached == [] and not left
