"""Load an ONNX file into onnxruntime, on the CPU and with a fixed number of threads."""

from pathlib import Path

import onnxruntime


def session(path: str | Path, *, threads: int) -> onnxruntime.InferenceSession:
    """Load an ONNX file into onnxruntime; each call uses `threads` threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
