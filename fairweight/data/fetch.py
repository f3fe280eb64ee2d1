"""Raw files: from the first source that has them, verified, through a cache that all studies of a machine share."""

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

import requests
from filelock import FileLock

from fairweight.core import components
from fairweight.core.artifacts import atomic, checksum
from fairweight.core.errors import InputError

ATTEMPTS = 3
BACK_OFF_S = 2.0  # before the second attempt; doubled before each further one

log = logging.getLogger(__name__)


def cache_folder(stated: str | None) -> Path:
    """Folder of the download cache: FAIRWEIGHT_CACHE, else the study's `cache`, else `~/.cache/fairweight`."""
    stated = os.environ.get("FAIRWEIGHT_CACHE") or stated
    return Path(stated).expanduser() if stated else Path.home() / ".cache" / "fairweight"


def fetch(destination: str, *, sources: list[str], sha256: str | None, cache: str | None, name: str) -> None:
    """Place one raw file.

    Args:
        destination: where it goes; it appears there whole and verified, or not at all.
        sources: references, tried in order; those that fail in a way that may pass are tried again, with back-off.
        sha256: checksum of the extracted file; None only where every source is a local file, which is then not cached.
        cache: the study's cache folder, if it sets one.
        name: what messages call the file.

    Raises:
        InputError: no source gave the file; each is listed with its reason.
    """
    archives = cache_folder(cache) / "archives"
    if sha256 is None:
        with tempfile.TemporaryDirectory() as scratch:
            _place(_first(sources, None, Path(scratch), archives, name), destination)
        return
    folder = cache_folder(cache) / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / sha256
    with FileLock(f"{cached}.lock"):
        if not cached.exists() or checksum(cached) != sha256:
            # unpacked beside the cache: the machine's temporary folder may be small
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                _place(_first(sources, sha256, Path(scratch), archives, name), cached)
    _place(cached, destination)


def _place(source: Path, destination: str | Path) -> None:
    with atomic(destination) as temporary:
        shutil.copyfile(source, temporary)


def _first(sources: list[str], sha256: str | None, scratch: Path, archives: Path, name: str) -> Path:
    reasons: dict[str, str] = {}
    worth_trying = list(sources)
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACK_OFF_S * 2 ** (attempt - 1))
        for number, source in enumerate(list(worth_trying)):
            folder = scratch / f"{attempt}-{number}"
            folder.mkdir()
            log.info("%s: trying %s", name, source)
            try:
                return _verified(source, sha256, folder, archives)
            except InputError as error:  # trying again would not help
                worth_trying.remove(source)
                reasons[source] = str(error)
            except (requests.RequestException, OSError) as error:
                reasons[source] = _plain(error)
            log.info("%s: %s: %s", name, source, reasons[source])
        if not worth_trying:
            break
    listed = "; ".join(f"{source}: {reason}" for source, reason in reasons.items())
    raise InputError(f"{name} could not be had from any of its sources: {listed}.")


def _verified(source: str, sha256: str | None, folder: Path, archives: Path) -> Path:
    scheme, _, reference = source.partition(":")
    path: Path = components.load("sources", scheme)(reference, folder, archives)
    if sha256 is not None and (found := checksum(path)) != sha256:
        raise InputError(f"the checksum differs (expected {sha256}, found {found})")
    if path.stat().st_size == 0:
        raise InputError("the file is empty")
    return path


def _plain(error: Exception) -> str:
    text = str(error)
    if "NameResolutionError" in text or "Name or service not known" in text:
        return "the host's name is not known (no network?)"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return text or type(error).__name__
