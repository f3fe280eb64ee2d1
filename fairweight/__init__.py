"""fairweight: which compressed version of a model can ship, for whom, and what it saves.

A study reports to nobody. Some of the packages that it uses report their use to their makers, with an identifier of the
user, unless they are kept from it before they are imported, which this file does first of all.
"""

import os
import sys

NO_REPORTS = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime, onnxruntime-genai
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, transformers
    "DO_NOT_TRACK": "1",  # a convention of several packages
    "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
os.environ.update(NO_REPORTS)
# NNCF and OpenVINO have no such variable: without this package, they report nothing
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
