"""Checks of the user's files that become inputs of rules (standard library only); `check_datasets` has raw files."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairweight.core.errors import InputError
from fairweight.core.local_files import expanded, workflow_input


def check_paths(config: Mapping[str, Any]) -> None:
    """Check the paths of models and of hourly intensities.

    Args:
        config: a resolved study file.

    Raises:
        InputError: a home folder does not exist, or Snakemake would take a part of a path for a wildcard.
    """
    for place, path in _local_paths(config):
        try:
            workflow_input(expanded(path))
        except InputError as error:
            raise InputError(f"{place}: {error}") from None


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
