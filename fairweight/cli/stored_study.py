"""The study whose results a folder holds, and whether it is the one of a study file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError
from fairweight.study.results_layout import PROVENANCE, layout_of
from fairweight.study.schema import resolve
from fairweight.study.sweeps import Config

# what changes no number, or only how a study runs
WITHOUT_EFFECT = {"version", "name", "cache", "partitions", "pathvars"}
IN_WORDS = {"title", "licence", "description"}  # of a dataset
# what may change between a run and a look at its results; a later run updates them
CHANGEABLE = {"seeds", "energy", "life_cycle", "profile", "prediction"}
# what makes a study another one; other keys only where the study file has them, since a default may be a newer one
ESSENTIAL = {"datasets", "augmentations", "models", "training", "variants", "engines", "grid"}
MOST = 3  # keys that a sentence names


def stored_study(results: Path) -> Config | None:
    """The resolved study of the last finished run of a results folder; None where none has finished.

    Args:
        results: the folder of a study's results.

    Raises:
        InputError: a newer version of fairweight wrote the results.
    """
    try:
        provenance = json.loads((results / PROVENANCE).read_text(encoding="utf-8"))
        study = provenance["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(study, dict):
        return None
    layout_of(provenance, results)
    try:
        return resolve(study)  # with the defaults of keys that are newer than the run
    except InputError:
        return study


def differing_keys(config: Config, stored: Config) -> list[str]:
    """Keys by which two resolved studies differ, such as "datasets: german" and "seeds".

    Args:
        config: one study.
        stored: the other.
    """
    ours, theirs = _plain(config), _plain(stored)
    return [key for part in ours | theirs for key in _differing(part, ours.get(part), theirs.get(part))]


def _plain(config: Config) -> Config:
    """What counts of a study, as it is after it has been written as JSON."""
    plain: Config = json.loads(json.dumps({k: v for k, v in config.items() if k not in WITHOUT_EFFECT}, default=str))
    for dataset in plain.get("datasets", {}).values():
        for key in IN_WORDS & set(dataset):
            del dataset[key]
    return plain


def _differing(part: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours | theirs:
            if ours.get(key) != theirs.get(key):
                yield f"{part}: {key}"
    elif ours != theirs:
        yield part


def check_answer(study: Path, written: Config, config: Config, results: Path) -> None:
    """Refuse results of another study, and warn of changes that a later run would update.

    Args:
        study: the study file.
        written: its content.
        config: it, resolved.
        results: folder of its results.

    Raises:
        InputError: the results belong to another study of the same name.
    """
    stored = stored_study(results)
    keys = differing_keys(config, stored) if stored else []
    if others := [key for key in keys if _of_another(key, written)]:
        raise InputError(
            f"{results} holds the results of another study named {config['name']!r} ({in_words(others)}); "
            f"run: fairweight run {study}, or give the study another name."
        )
    if stored and keys:
        warn(config, stored, results)


def _of_another(key: str, written: Config) -> bool:
    """Whether results with another value of a key belong to another study."""
    part, _, name = key.partition(": ")
    return part in ESSENTIAL or (part not in CHANGEABLE and name in (written.get(part) or {}))


def warn_of_another(config: Config, results: Path) -> None:
    """Warn where results belong to another study, or to another state of this one.

    Args:
        config: the resolved study.
        results: folder of its results.
    """
    if stored := stored_study(results):
        warn(config, stored, results)


def warn(config: Config, stored: Config, results: Path) -> None:
    """Print in one line on stderr how a stored study differs; nothing where it does not."""
    keys = differing_keys(config, stored)
    if keys == ["seeds"]:
        counts = f"{stored['seeds']} seeds, and the study has {config['seeds']}"
        print(f"fairweight: {results} holds {counts}.", file=sys.stderr)
    elif keys:
        print(f"fairweight: {results} holds results of another state of the study ({in_words(keys)}).", file=sys.stderr)


def note_of_run(config: Config, results: Path) -> str | None:
    """What a run says where its results folder holds a study of other data; None where it does not.

    Args:
        config: the resolved study.
        results: folder of its results.
    """
    stored = stored_study(results)
    keys = [key for key in differing_keys(config, stored) if key.startswith("datasets")] if stored else []
    if not keys:
        return None
    return f"{results} holds the results of a study of other data ({in_words(keys)}); this run replaces them."


def in_words(keys: list[str]) -> str:
    """Keys that differ in words: "datasets: german and grid differ"."""
    more = [f"{len(keys) - MOST} more"] if len(keys) > MOST else []
    *first, last = [*keys[:MOST], *more]
    return f"{', '.join(first)}{' and ' if first else ''}{last} {'differ' if first else 'differs'}"
