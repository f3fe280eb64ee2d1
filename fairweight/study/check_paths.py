"""Checks of the user's files that become inputs of rules (standard library only); `check_datasets` has raw files."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from fairweight.core.errors import InputError, quoted
from fairweight.core.local_files import expanded, workflow_input


def check_paths(config: Mapping[str, Any]) -> None:
    """Check the folder of the results, and the paths of models and of hourly intensities.

    Args:
        config: a resolved study file.

    Raises:
        InputError: the results would hold the folder of the run, a home folder does not exist, or Snakemake would take
            a part of a path for a wildcard.
    """
    if results := config["pathvars"].get("results"):
        _check_results(results)
    for place, path in _local_paths(config):
        try:
            workflow_input(expanded(path))
        except InputError as error:
            raise InputError(f"{place}: {error}") from None


def _check_results(folder: str) -> None:
    """Refuse a folder with other files than results: a run looks through it for files that it left unfinished."""
    place = os.path.realpath(folder)
    if os.path.commonpath([place, os.path.realpath(".")]) == place:
        raise InputError(f"pathvars: results: {quoted(folder)} contains the folder of the run; name one of its own.")


def _local_paths(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(place, path) of every such file."""
    for name, model in config["models"].items():
        for source in model.get("sources") or []:
            if source.startswith("file:"):
                yield f"models: {name}: sources", source.removeprefix("file:").partition("#")[0]
        for key in ("file", "weights", "tokenizer"):
            if model.get(key):
                yield f"models: {name}: {key}", model[key]
        if folder := model.get("folder"):
            yield f"models: {name}: folder", folder
    if hourly := config["energy"]["hourly"]:
        yield "energy: hourly", hourly
