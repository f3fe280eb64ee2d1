"""A shipped file, loaded in onnxruntime."""

from pathlib import Path

import onnxruntime


def session(path: str | Path, *, threads: int) -> onnxruntime.InferenceSession:
    """Load a file; one call uses so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
