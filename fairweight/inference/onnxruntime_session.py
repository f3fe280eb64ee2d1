"""Load an ONNX file into onnxruntime, on the CPU and with a fixed number of threads."""

import functools
from pathlib import Path

import onnxruntime

from fairweight.inference.guarded_load import first_load


def session(path: str | Path, *, threads: int, quiet: bool = False) -> onnxruntime.InferenceSession:
    """Load an ONNX file into onnxruntime; each call uses `threads` threads, and `quiet` drops its warnings."""
    options = onnxruntime.SessionOptions()
    if quiet:
        options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check_loads(path: str | Path, *, file: str | Path = "") -> None:
    """Load an ONNX file in a child process, where a step loads it itself and not through `load_engine`.

    Args:
        path: ONNX file.
        file: name of the file in the error sentence; the path if it is empty.

    Raises:
        InputError: onnxruntime crashes.
    """
    engine = f"'onnxruntime' {onnxruntime.__version__}"
    first_load(functools.partial(session, path, threads=1), engine=engine, path=path, file=file)
