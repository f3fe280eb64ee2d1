"""Published transformer models: read configuration, weights and tokenizer from sources, a folder or a hub.

Only safetensors are read; a pickle is refused.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fairweight.core.artifacts import read_tensors, stored_types
from fairweight.core.errors import InputError, first_line
from fairweight.core.local_files import expanded
from fairweight.core.recipes import RawFile
from fairweight.data.fetch import cache_folder, fetch
from fairweight.training.published_files import FILES

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
COMMIT = re.compile("[0-9a-f]{40}")
BY_HAND = f"place {', '.join(FILES)} in a folder by hand and name that folder as 'folder'"

Config = dict[str, Any]  # a model's config.json, in the terms of transformers
State = dict[str, NDArray[Any]]  # tensors, by name


@dataclass(frozen=True)
class PublishedModel:
    """Contents of a published model's files."""

    config: Config
    weights: State
    tokenizer: str  # text of tokenizer.json
    stored: dict[str, int]  # type -> number of weights of matrices that are stored in it, most frequent first


def take(
    *, files: Mapping[str, RawFile] | None, folder: str | None, hub: str | None, cache: str | None
) -> PublishedModel:
    """Fetch a model's files and read them.

    Args:
        files: name, one of FILES -> `sources` and `sha256`, as for a dataset's files.
        folder: a local folder that holds them instead.
        hub: OWNER/NAME@COMMIT on the Hugging Face hub instead.
        cache: the study's cache folder, if it sets one.

    Raises:
        InputError: not exactly one place is given, or a file is missing, is a pickle, or has another checksum.
    """
    places = [name for name, value in (("files", files), ("folder", folder), ("hub", hub)) if value]
    if len(places) != 1:
        raise InputError(f"takes exactly one of 'files', 'folder' and 'hub', and has {' and '.join(places) or 'none'}")
    if folder:
        return _read(expanded(folder))
    if hub:
        return _read(_from_hub(hub, cache))
    with tempfile.TemporaryDirectory() as scratch:
        for name in FILES:
            file = (files or {}).get(name)
            if file is None:
                raise InputError(f"files: {name} is missing; a model is {', '.join(FILES)}")
            for source in file["sources"]:
                refuse_pickle(source)
            path = Path(scratch) / name
            try:
                fetch(str(path), sources=file["sources"], sha256=file["sha256"], cache=cache, name=f"files: {name}")
            except InputError as error:
                raise InputError(f"{str(error).rstrip('.')}; or {BY_HAND}") from None
        return _read(Path(scratch))


def refuse_pickle(name: str) -> None:
    """Refuse a file whose name is that of a pickle.

    Raises:
        InputError: its name ends like that of a pickle.
    """
    if name.lower().endswith(PICKLES):
        raise InputError(
            f"{name.rsplit('/', 1)[-1]!r} may be a pickle, which runs code when it is loaded; give weights as "
            "safetensors"
        )


def _from_hub(reference: str, cache: str | None) -> Path:
    """Download a model's files from the hub and return their folder."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - the extra `text`

    match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", reference)
    if not match:
        raise InputError(f"hub: {reference!r} is not of the form OWNER/NAME@COMMIT")
    name, revision = match.groups()
    if not COMMIT.fullmatch(revision or ""):
        raise InputError(
            f"hub: {reference!r} names no commit, and the content of a branch or tag may change; write {name}@COMMIT "
            "with the 40 digits that the hub shows under 'History'"
        )
    try:
        folder = snapshot_download(
            name, revision=revision, allow_patterns=[*FILES], cache_dir=cache_folder(cache) / "hub"
        )
    except Exception as error:
        raise InputError(f"hub: {name!r} could not be downloaded ({first_line(error)}); {BY_HAND}") from None
    return Path(folder)


def _read(folder: Path) -> PublishedModel:
    for name in FILES:
        if (folder / name).is_file():
            continue
        if name == "model.safetensors" and folder.is_dir():
            for other in sorted(folder.iterdir()):
                refuse_pickle(other.name)
        raise InputError(f"{name} is missing in {str(folder)!r}; a model is {', '.join(FILES)}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise InputError("config.json is not a JSON object")
    try:
        tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("tokenizer.json is not UTF-8") from None
    return PublishedModel(
        config=config,
        weights=read_tensors(folder / "model.safetensors"),
        tokenizer=tokenizer,
        stored=stored_types(folder / "model.safetensors"),
    )
