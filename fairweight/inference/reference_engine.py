"""Name of the reference engine (standard library only, because rules read it while they parse a study).

Exported and quantized files are loaded in this engine before they are written, thresholds are fitted to its scores, and
the other engines must agree with it.
"""

REFERENCE_ENGINE = "onnxruntime"
