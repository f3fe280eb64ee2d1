"""Checks of keys of one dataset that are valid alone and may contradict each other (standard library only)."""

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairweight.core import components, labels
from fairweight.core.errors import InputError, known, quoted
from fairweight.core.lineage import local_path
from fairweight.core.recipes import DatasetRecipe, GroupRecipe, Target
from fairweight.data import counterfactual_terms, parts

EXCLUSIVE = ("image", "text")  # a dataset with such a column has no other inputs
INPUTS = ("numeric", "categorical", *EXCLUSIVE)


def form(inputs: Mapping[str, Any]) -> str | None:
    """Form of a dataset's rows.

    Args:
        inputs: `datasets: NAME: inputs` of the resolved study file.

    Returns:
        `text`, `image` or `tabular`; None where a model reads no column.
    """
    if inputs["text"] or inputs["image"]:
        return "text" if inputs["text"] else "image"
    return "tabular" if inputs["numeric"] or inputs["categorical"] else None


def check_dataset(name: str, dataset: DatasetRecipe) -> None:
    """Check the keys of a dataset that depend on each other.

    Args:
        name: its key in `datasets` of the study file.
        dataset: its entry in the resolved study file.

    Raises:
        InputError: two keys contradict each other; one sentence with the place and the remedy.
    """
    place = f"datasets: {name}"
    _check_files(place, dataset)
    _check_numbers_and_dates(place, dataset)
    _check_inputs(place, dataset)
    _check_task(place, dataset)
    _check_counterfactuals(place, dataset)
    _check_groups(place, dataset)
    _check_dropped_columns(place, dataset)
    _check_split(place, dataset)


def _check_files(place: str, dataset: DatasetRecipe) -> None:
    for name, file in dataset["files"].items():
        schemes = {source.split(":")[0] for source in file["sources"]}
        for source in file["sources"]:
            scheme, _, reference = source.partition(":")
            try:
                components.locate("sources", scheme)
                if scheme == "file":
                    _check_local(local_path(reference), dataset["reader"]["method"])
            except InputError as error:
                raise InputError(f"{place}: files: {name}: {error}.") from None
        if schemes != {"file"} and not file["sha256"]:
            raise InputError(
                f"{place}: files: {name}: 'sha256' is missing; a downloaded file is used only if its checksum matches."
            )


def _check_local(path: Path, reader: str) -> None:
    """Check a folder of parts, for a reader that takes them."""
    if parts.is_folder(path) and not components.literal("readers", reader, "PARTS"):
        raise InputError(f"{path} is a folder, and the reader {reader!r} takes files; name a file")
    parts.source_files(path)


def _check_inputs(place: str, dataset: DatasetRecipe) -> None:
    inputs: Mapping[str, Any] = dataset["inputs"]
    kinds = [kind for kind in INPUTS if inputs[kind]]
    for kind in EXCLUSIVE:
        if kind in kinds and len(kinds) > 1:
            others = ", ".join(repr(other) for other in INPUTS if other != kind)
            raise InputError(f"{place}: inputs: {kind!r} excludes {others}.")
    target = dataset["target"]["column"] if dataset["target"] else None
    for kind in (*INPUTS, "pair"):
        columns = inputs[kind] if isinstance(inputs[kind], list) else [inputs[kind]]
        if target is not None and target in columns:
            raise InputError(
                f"{place}: inputs: {kind}: {target!r} is the target, which a model must not read; remove it from "
                "the inputs."
            )
    if both := [column for column in inputs["numeric"] if column in inputs["categorical"]]:
        raise InputError(f"{place}: inputs: {both[0]!r} is both 'numeric' and 'categorical'; remove one of the two.")


def _check_numbers_and_dates(place: str, dataset: DatasetRecipe) -> None:
    if dataset["thousands"] == dataset["decimal"]:
        raise InputError(
            f"{place}: thousands: {dataset['thousands']!r} is also the decimal mark; change one of the two."
        )
    binned = {group.get("column") for group in dataset["groups"].values() if "bins" in group}
    for column, form in dataset["dates"].items():
        if column not in binned and column not in dataset["inputs"]["numeric"]:
            raise InputError(
                f"{place}: dates: {column!r} is neither a numeric input nor a group with 'bins', for which dates "
                "become numbers; list it there, or remove it from 'dates'."
            )
        if form != "iso" and not _states_a_day(form):
            raise InputError(
                f"{place}: dates: {column}: {quoted(form)} is no format of a whole date; write `iso`, or codes of "
                "strptime for year, month and day, such as '%d.%m.%Y'."
            )


def _states_a_day(form: str) -> bool:
    """Whether a format of strptime states year, month and day."""
    day = datetime.datetime(2021, 2, 3)
    try:
        return datetime.datetime.strptime(day.strftime(form), form).date() == day.date()
    except (ValueError, re.error):
        return False


def _check_task(place: str, dataset: DatasetRecipe) -> None:
    task, rows = dataset["task"], form(dataset["inputs"])
    try:
        components.locate("tasks", task)
    except InputError as error:
        raise InputError(f"{place}: task: {error}.") from None
    forms, labelled = (components.literal("tasks", task, name) for name in ("FORMS", "LABELLED"))
    if rows is not None and rows not in forms:
        raise InputError(f"{place}: task: {task!r} takes {' or '.join(forms)} rows, but these are {rows}.")
    if labelled and dataset["target"] is None:
        raise InputError(f"{place}: the key 'target' is missing; the task {task!r} needs a label.")
    if not labelled and dataset["target"] is not None:
        raise InputError(f"{place}: the key 'target' must be left out; the task {task!r} has no label.")
    if dataset["target"] is not None:
        _check_target(place, dataset["target"], task)


def _check_target(place: str, target: Target, task: str) -> None:
    """Check the keys of a label that go with classes only, or with numbers only."""
    if not labels.measured(task):
        if "unit" in target:
            raise InputError(f"{place}: target: unit: the task {task!r} has classes, which have no unit; leave it out.")
        return
    for key, default in (("positive", None), ("only", None), ("strip", "")):
        if target[key] != default:  # type: ignore[literal-required]
            raise InputError(f"{place}: target: {key}: the label of the task {task!r} is a number; leave it out.")


def _check_counterfactuals(place: str, dataset: DatasetRecipe) -> None:
    if dataset["counterfactuals"] is None:
        return
    if form(dataset["inputs"]) != "text" or dataset["target"] is None:
        raise InputError(f"{place}: counterfactuals: the option is only for the classification of texts; leave it out.")
    try:
        counterfactual_terms.terms_file(dataset["counterfactuals"])
    except InputError as error:
        raise InputError(f"{place}: counterfactuals: {error}.") from None


def _check_groups(place: str, dataset: DatasetRecipe) -> None:
    for name, group in dataset["groups"].items():
        if name == "class":  # the classes of the label are compared under this name
            raise InputError(
                f"{place}: groups: 'class' stands for the classes of the label; give the group another name."
            )
        if ("column" in group) == ("ranges" in group) or ("ranges" in group) != ("file" in group):
            raise InputError(f"{place}: groups: {name}: takes either 'column', or 'file' and 'ranges'.")
        _check_merge(f"{place}: groups: {name}", group)
    if dataset["repeated"] == "remove" and form(dataset["inputs"]) is None:
        raise InputError(f"{place}: repeated: rows are compared by their inputs, and there are none; leave it out.")
    removes = dataset["repeated"] == "remove" or (dataset["target"] and dataset["target"]["only"])
    if removes and any("ranges" in group for group in dataset["groups"].values()):
        raise InputError(
            f"{place}: groups: 'ranges' count the rows of the unchanged file; leave out 'repeated' and 'only'."
        )


def _check_merge(place: str, group: GroupRecipe) -> None:
    if "merge" in group and ("bins" in group or "ranges" in group):
        other = "bins" if "bins" in group else "ranges"
        raise InputError(f"{place}: merge: joins values of a column, and there are {other!r}; change those instead.")
    group_of: dict[str, str] = {}
    for name, values in group.get("merge", {}).items():
        for value in values:
            if group_of.setdefault(str(value), name) != name:
                raise InputError(
                    f"{place}: merge: {quoted(value)} is in {quoted(group_of[str(value)])} and in {quoted(name)}; "
                    "remove it from one of them."
                )


def _check_dropped_columns(place: str, dataset: DatasetRecipe) -> None:
    inputs = dataset["inputs"]
    used = {*inputs["numeric"], *inputs["categorical"], inputs["image"], inputs["text"]}
    used |= {dataset["target"]["column"]} if dataset["target"] else set()
    used |= {group.get("column") for group in dataset["groups"].values()}
    for column in dataset["drop"]:
        if column in used:
            raise InputError(
                f"{place}: drop: {column!r} is also used as input, target or group; remove one of the two."
            )


def _check_split(place: str, dataset: DatasetRecipe) -> None:
    test = dataset["split"]["test"]
    if isinstance(test, list):
        for name in test:
            known(name, dataset["files"], f"{place}: split: test", "a file")
        if set(test) >= set(dataset["files"]):
            raise InputError(f"{place}: split: test names all files; write 'all', or leave out one to train on.")
    official = test == "official"
    if official and not any(file == "test" or file.startswith("test-") for file in dataset["files"]):
        raise InputError(
            f"{place}: split: test is 'official', but no file is named 'test'; rename a file, or set a share such as "
            "0.2."
        )
