"""What a hub calls a dataset's task, and the published model that a study's model starts from."""

import re
from collections.abc import Mapping
from typing import Any

from fairweight.core import components
from fairweight.study.check_datasets import form

# OWNER/NAME of a model among the addresses that the hub serves its files from
HUB = re.compile(r"https://huggingface\.co/(?!datasets/|spaces/)([^/]+/[^/]+)/(?:resolve|blob|raw)/")


def task_of(dataset: Mapping[str, Any]) -> str:
    """The hub's name of a task.

    Args:
        dataset: `datasets: NAME` of the resolved study file.
    """
    if stated := components.literal("tasks", dataset["task"], "HUB_TASK"):
        return str(stated)
    return f"{form(dataset['inputs']) or 'tabular'}-classification"  # scores that come with the data are fed nothing


def is_published(model: Mapping[str, Any]) -> bool:
    """Whether a model of the study file starts from weights that somebody published."""
    return any(model.get(place) for place in ("hub", "folder", "files", "sources"))


def published_name(model: Mapping[str, Any]) -> str | None:
    """OWNER/NAME on the hub of the weights that a model starts from; None where it has none, or another home."""
    if model.get("hub"):
        return str(model["hub"]).partition("@")[0]
    files = [stated["sources"] for stated in (model.get("files") or {}).values()]
    for source in [*(model.get("sources") or []), *(source for sources in files for source in sources)]:
        if found := HUB.match(source):
            return found.group(1)
    return None
