"""Convert Keras, TensorFlow and TFLite models to ONNX, in an environment of its own (`make setup-convert-keras`)."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from fairweight.core.components import SOURCES, WORKFLOW
from fairweight.core.errors import InputError
from fairweight.core.foreign_models import model_format, refuse_foreign
from fairweight.data.fetch import cache_folder

# where the Makefile of a checkout makes it; an installed package may be in a folder that cannot be written
ENVIRONMENT = cache_folder(None) / "convert" if WORKFLOW != SOURCES else SOURCES / ".venv-convert"
LOCK = WORKFLOW / "requirements-convert-keras.lock"
SCRIPT = Path(__file__).with_name("convert_keras.py")
CONVERTED = ("keras", "hdf5", "savedmodel", "tflite")
OPSET = 18  # the last that tf2onnx writes
USER_MISTAKE = 3  # exit code of the script after one sentence
# TensorFlow reports its version and its processor features otherwise
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}


def convert(source: Path, target: Path, *, opset: int = OPSET, signature: str | None = None) -> None:
    """Convert a model to ONNX, compare both on random rows, and print what the file takes and returns.

    Args:
        source: `.keras`, `.h5` or `.tflite` file, or folder of a SavedModel; recognised by its content.
        target: ONNX file to write.
        opset: version of ONNX's operators.
        signature: of a SavedModel; None takes `serving_default`, or the only one.

    Raises:
        InputError: the model is of another format, holds code, or cannot be converted; or the file exists.
    """
    kind = model_format(source) if source.exists() else None
    if kind == "onnx":
        raise InputError(f"{source} is an ONNX file already; give it to fairweight check.")
    if kind not in CONVERTED:
        refuse_foreign(source)
    if target.exists():
        raise InputError(f"{target} exists already; remove it, or name another file.")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent} is no folder; create it, or name another file.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".convert-") as folder:
        made, rows = Path(folder) / "model.onnx", Path(folder) / "rows.npz"
        options = ["--format", str(kind), "--opset", str(opset)]
        options += ["--signature", signature] if signature else []
        _run([str(source), str(made), str(rows), *options], source)
        lines = _described(made, rows)
        made.replace(target)
    print(f"Wrote {target} ({target.stat().st_size / 1e3:,.0f} kB, opset {opset}).", *lines, sep="\n  ")


def _run(arguments: list[str], source: Path) -> None:
    """Run the script with the Python of its environment, alone: without the folders and settings of this one."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise InputError(
            f"{source} needs TensorFlow, which has an environment of its own (1.7 GB); run {setup_command()}, "
            "then again."
        )
    command = [str(python), "-I", str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | QUIET)
    if done.returncode == 0:
        return
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode == USER_MISTAKE:
        raise InputError(f"{source}: {last}.")
    raise InputError(f"{source} cannot be converted: TensorFlow and tf2onnx end with an error ({last}).")


def setup_command() -> str:
    """Command that creates the environment."""
    if WORKFLOW == SOURCES:
        return f"make setup-convert-keras in {SOURCES}"
    pip = shlex.join([str(ENVIRONMENT / "bin" / "pip"), "install", "--no-deps", "--require-hashes", "-r", str(LOCK)])
    return f"{shlex.join(['python3', '-m', 'venv', str(ENVIRONMENT)])} && {pip}"


def _described(path: Path, rows: Path) -> list[str]:
    """Inputs and outputs of an ONNX file, and its largest difference from the original on random rows."""
    import numpy as np  # noqa: PLC0415 - other commands need neither
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"onnxruntime does not load the converted file ({str(error).splitlines()[0]}).") from None
    lines = [_line("input", each) for each in session.get_inputs()]
    lines += [_line("output", each) for each in session.get_outputs()]
    with np.load(rows, allow_pickle=False) as arrays:
        inputs = {name[6:]: arrays[name] for name in arrays.files if name.startswith("input ")}
        expected = {name[7:]: arrays[name] for name in arrays.files if name.startswith("output ")}
    if not expected:
        return [*lines, "not compared with the original, which does not run on random rows"]
    try:
        answers = dict(zip(expected, session.run(list(expected), inputs), strict=True))
    except Exception as error:
        raise InputError(f"onnxruntime does not run the converted file ({str(error).splitlines()[0]}).") from None
    largest = max(float(np.abs(answers[name].astype(float) - expected[name]).max()) for name in expected)
    count = len(next(iter(inputs.values())))
    return [*lines, f"largest difference from the original: {largest:.1e} (on {count} random rows)"]


def _line(kind: str, value: Any) -> str:
    sizes = ", ".join(str(size) for size in value.shape)
    return f"{kind} {value.name}: {value.type.removeprefix('tensor(').rstrip(')')} [{sizes}]"
