"""What the keys of one dataset of a study file say together (standard library only)."""

from collections.abc import Mapping
from typing import Any

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.data import counterfactual_terms


def form(inputs: Mapping[str, Any]) -> str | None:
    """What a dataset's rows are: `text`, `image` or `tabular`; None where nothing is fed to a model."""
    if inputs["text"] or inputs["image"]:
        return "text" if inputs["text"] else "image"
    return "tabular" if inputs["numeric"] or inputs["categorical"] else None


def _check_task_of(name: str, dataset: Mapping[str, Any]) -> None:
    place, task, rows = f"datasets: {name}", dataset["task"], form(dataset["inputs"])
    try:
        components.locate("tasks", task)
    except InputError as error:
        raise InputError(f"{place}: task: {error}.") from None
    forms, labelled = (components.literal("tasks", task, of) for of in ("FORMS", "LABELLED"))
    if rows is not None and rows not in forms:
        raise InputError(f"{place}: task: {task!r} takes {' or '.join(forms)} rows, and these are {rows}.")
    if labelled != (dataset["target"] is not None):
        raise InputError(f"{place}: the key 'target' is {'missing' if labelled else 'not for'}: the task is {task!r}.")


def _check_counterfactuals(name: str, dataset: Mapping[str, Any]) -> None:
    place, inputs = f"datasets: {name}", dataset["inputs"]
    if dataset["counterfactuals"] is not None:
        if form(inputs) != "text" or dataset["target"] is None:
            raise InputError(f"{place}: counterfactuals: are for the classification of texts.")
        try:
            counterfactual_terms.terms_file(dataset["counterfactuals"])
        except InputError as error:
            raise InputError(f"{place}: counterfactuals: {error}.") from None


def _check_groups(name: str, dataset: Mapping[str, Any]) -> None:
    place = f"datasets: {name}"
    for group, stated in dataset["groups"].items():
        if ("column" in stated) == ("ranges" in stated) or ("ranges" in stated) != ("file" in stated):
            raise InputError(f"{place}: groups: {group}: takes either 'column', or 'file' and 'ranges'.")
    removes = dataset["repeated"] == "remove" or (dataset["target"] and dataset["target"]["only"])
    if removes and any("ranges" in stated for stated in dataset["groups"].values()):
        raise InputError(f"{place}: groups: 'ranges' are rows of a file as it is; leave out 'repeated' and 'only'.")


def check_dataset(name: str, dataset: Mapping[str, Any]) -> None:
    """Check the keys of a dataset that only make sense together."""
    place = f"datasets: {name}"
    for file, stated in dataset["files"].items():
        schemes = {source.split(":")[0] for source in stated["sources"]}
        for scheme in schemes:
            try:
                components.locate("sources", scheme)
            except InputError as error:
                raise InputError(f"{place}: files: {file}: {error}.") from None
        if schemes != {"file"} and not stated["sha256"]:
            raise InputError(f"{place}: files: {file}: 'sha256' is missing; a downloaded file is never trusted unseen.")
    inputs = dataset["inputs"]
    stated = [kind for kind in ("numeric", "categorical", "image", "text") if inputs[kind]]
    for alone in ("image", "text"):
        if alone in stated and len(stated) > 1:
            others = [kind for kind in ("numeric", "categorical", "image", "text") if kind != alone]
            raise InputError(f"{place}: inputs: {alone!r} excludes {', '.join(map(repr, others))}.")
    _check_task_of(name, dataset)
    _check_counterfactuals(name, dataset)
    _check_groups(name, dataset)
    used = {*inputs["numeric"], *inputs["categorical"], inputs["image"], inputs["text"]}
    used |= {dataset["target"]["column"]} if dataset["target"] else set()
    used |= {stated.get("column") for stated in dataset["groups"].values()}
    for column in dataset["drop"]:
        if column in used:
            raise InputError(f"{place}: drop: {column!r} is also used as input, target or group; take one of them out.")
    official = dataset["split"]["test"] == "official"
    if official and not any(file == "test" or file.startswith("test-") for file in dataset["files"]):
        raise InputError(
            f"{place}: split: test is 'official' and no file is named 'test'; name it, or give a share such as 0.2."
        )
