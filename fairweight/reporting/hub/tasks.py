"""The hub's name of a dataset's task, and the published model that a study's model starts from."""

import re
from collections.abc import Mapping
from typing import Any

from fairweight.core import components
from fairweight.core.operations import OPERATIONS
from fairweight.reporting.report.results import Results
from fairweight.study.check_datasets import form

# OWNER/NAME of a model among the addresses that the hub serves its files from
HUB = re.compile(r"https://huggingface\.co/(?!datasets/|spaces/)([^/]+/[^/]+)/(?:resolve|blob|raw)/")


def task_of(dataset: Mapping[str, Any]) -> str:
    """The hub's name of a task.

    Args:
        dataset: `datasets: NAME` of the resolved study file.
    """
    if name := components.literal("tasks", dataset["task"], "HUB_TASK"):
        return str(name)
    return f"{form(dataset['inputs']) or 'tabular'}-classification"  # given scores have no inputs


def is_published(model: Mapping[str, Any]) -> bool:
    """Whether a model of the study file starts from published weights."""
    return any(model.get(key) for key in ("hub", "folder", "files", "sources"))


def lineage(results: Results, variant: str) -> list[str]:
    """Names of a variant and its ancestors, root last."""
    path = [variant]
    while parent := results.study["variants"][path[-1]].get("from"):
        path.append(parent)
    return path


def replaces_original(results: Results, cell: Mapping[str, Any]) -> bool:
    """Whether the file of a variant has the inputs and outputs of an imported ONNX file."""
    records = [OPERATIONS[results.operation(variant)] for variant in lineage(results, cell["variant"])]
    return records[-1].imports and all(record.output == "file" for record in records)


def published_name(model: Mapping[str, Any]) -> str | None:
    """OWNER/NAME on the hub of the weights that a model starts from; None if they are not from the hub."""
    if model.get("hub"):
        return str(model["hub"]).partition("@")[0]
    of_files = [file["sources"] for file in (model.get("files") or {}).values()]
    for source in [*(model.get("sources") or []), *(source for sources in of_files for source in sources)]:
        if match := HUB.match(source):
            return match.group(1)
    return None
