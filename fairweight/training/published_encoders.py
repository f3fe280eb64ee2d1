"""Published transformer encoders: configuration, weights and tokenizer, from sources, a folder or a hub; never a pickle."""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairweight.core.artifacts import read_tensors, stored_types
from fairweight.core.errors import InputError, first_line
from fairweight.data.fetch import cache_folder, fetch
from fairweight.training.published_files import FILES

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
COMMIT = re.compile("[0-9a-f]{40}")
BY_HAND = f"place {', '.join(FILES)} in a folder by hand and name that as 'folder'"


@dataclass(frozen=True)
class Checkpoint:
    """What was published of a model."""

    config: dict[str, Any]
    weights: dict[str, Any]  # name -> array
    tokenizer: str  # text of tokenizer.json
    stored: dict[str, int]  # type -> weights of matrices stored in it, most first


def take(
    *, files: Mapping[str, Mapping[str, Any]] | None, folder: str | None, hub: str | None, cache: str | None
) -> Checkpoint:
    """Take a model's files and read them.

    Args:
        files: name, one of FILES -> `sources` and `sha256`, as of a dataset's files.
        folder: a local folder that holds them instead.
        hub: OWNER/NAME@COMMIT on the Hugging Face hub instead.
        cache: the study's cache folder, if it sets one.

    Raises:
        InputError: not exactly one place is stated, a file is not there, is a pickle, or has another checksum.
    """
    places = [name for name, stated in (("files", files), ("folder", folder), ("hub", hub)) if stated]
    if len(places) != 1:
        raise InputError(f"takes exactly one of 'files', 'folder' and 'hub', and has {' and '.join(places) or 'none'}")
    if folder:
        return _read(Path(folder).expanduser())
    if hub:
        return _read(_from_hub(hub, cache))
    with tempfile.TemporaryDirectory() as scratch:
        for name in FILES:
            stated = (files or {}).get(name)
            if stated is None:
                raise InputError(f"files: {name} is missing; a model is {', '.join(FILES)}")
            for source in stated["sources"]:
                refuse_pickle(source)
            path = Path(scratch) / name
            try:
                fetch(str(path), sources=stated["sources"], sha256=stated["sha256"], cache=cache, name=f"files: {name}")
            except InputError as error:
                raise InputError(f"{str(error).rstrip('.')}; or {BY_HAND}") from None
        return _read(Path(scratch))


def refuse_pickle(name: str) -> None:
    """Say so if a file is a pickle by its name.

    Raises:
        InputError: it is.
    """
    if name.lower().endswith(PICKLES):
        raise InputError(
            f"{name.rsplit('/', 1)[-1]!r} may be a pickle, which runs code when it is loaded; give weights as safetensors"
        )


def _from_hub(reference: str, cache: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - the extra `text`

    stated = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", reference)
    if not stated:
        raise InputError(f"hub: {reference!r} is not of the form OWNER/NAME@COMMIT")
    name, revision = stated.groups()
    if not COMMIT.fullmatch(revision or ""):
        raise InputError(
            f"hub: {reference!r} names no commit, and what a branch or tag means may change; write {name}@COMMIT with the 40 "
            "digits that the hub shows under 'History'"
        )
    try:
        found = snapshot_download(
            name, revision=revision, allow_patterns=[*FILES], cache_dir=cache_folder(cache) / "hub"
        )
    except Exception as error:
        raise InputError(f"hub: {name!r} could not be had ({first_line(error)}); {BY_HAND}") from None
    return Path(found)


def _read(folder: Path) -> Checkpoint:
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
    return Checkpoint(
        config=config,
        weights=read_tensors(folder / "model.safetensors"),
        tokenizer=tokenizer,
        stored=stored_types(folder / "model.safetensors"),
    )
