"""Study files for the tests."""

import copy
from pathlib import Path
from typing import Any

import yaml

TINY = yaml.safe_load((Path(__file__).parents[1] / "config" / "tiny.yaml").read_text())


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny study with values set at paths such as `datasets__adult__drop`; DELETE removes a key."""
    study = copy.deepcopy(TINY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = study
        for key in parents:
            node = node[key]
        if value is DELETE:
            del node[last]
        else:
            node[last] = value
    return study


DELETE = object()
