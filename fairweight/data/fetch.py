"""Fetch raw files from the first source that has them, verify them, and cache them for all studies of a machine."""

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

import requests
from filelock import FileLock

from fairweight.core import components
from fairweight.core.artifacts import atomic
from fairweight.core.checksums import checksum
from fairweight.core.errors import LONGEST_NAME, LONGEST_REASONS, InputError, joined, shortened
from fairweight.core.local_files import expanded
from fairweight.data.archive_members import check_cached

ATTEMPTS = 3
LONGEST_REASON = 130  # characters: a checksum fits
SHORTEST_NAME = 24  # characters of a source
BACK_OFF_S = 2.0  # before the second attempt; doubled before each further one

log = logging.getLogger(__name__)


def cache_folder(configured: str | None) -> Path:
    """Folder of the download cache: FAIRWEIGHT_CACHE, else the study's `cache`, else `~/.cache/fairweight`."""
    folder = os.environ.get("FAIRWEIGHT_CACHE") or configured
    return expanded(folder or "~/.cache/fairweight")


def fetch(destination: str, *, sources: list[str], sha256: str | None, cache: str | None, name: str) -> None:
    """Fetch one raw file.

    Args:
        destination: path of the fetched file; it is written whole and verified, or not at all.
        sources: references, tried in order; a source that fails with a temporary error is tried again, with back-off.
        sha256: checksum of the extracted file; None only if every source is a local file, which is then not cached.
        cache: the study's cache folder, if it sets one.
        name: how messages refer to the file.

    Raises:
        InputError: no source has the file; the message lists each source with its reason.
    """
    archives = cache_folder(cache) / "archives"
    if sha256 is None:
        with tempfile.TemporaryDirectory() as scratch:
            _place(_first(sources, None, Path(scratch), archives, name), destination)
        return
    folder = cache_folder(cache) / "sha256"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the cache {folder.parent} cannot be written ({error.strerror}); name another folder with 'cache' in the "
            "study file, or with the environment variable FAIRWEIGHT_CACHE."
        ) from None
    cached = folder / sha256
    check_cached(cached)
    with FileLock(f"{cached}.lock"):
        if not cached.exists() or checksum(cached) != sha256:
            # unpacked inside the cache folder: the machine's temporary folder may be small
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                _place(_first(sources, sha256, Path(scratch), archives, name), cached)
    _place(cached, destination)


def _place(source: Path, destination: str | Path) -> None:
    with atomic(destination) as temporary:
        shutil.copyfile(source, temporary)


def _first(sources: list[str], sha256: str | None, scratch: Path, archives: Path, name: str) -> Path:
    """The verified file of the first source that has it."""
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
            except InputError as error:  # permanent: another attempt would not help
                worth_trying.remove(source)
                reasons[source] = str(error)
            except (requests.RequestException, OSError) as error:
                reasons[source] = _plain(error)
            log.info("%s: %s: %s", name, source, reasons[source])
        if not worth_trying:
            break
    listed = [_in_words(source, reason) for source, reason in reasons.items()]
    why = joined(listed, "in the log", LONGEST_REASON + SHORTEST_NAME)
    raise InputError(f"{name} could not be fetched from any of its sources: {why}.")


def _in_words(source: str, reason: str) -> str:
    """A source and why it does not have the file; a long reason leaves less room for the source, which is known."""
    reason = shortened(reason, LONGEST_REASON)
    room = LONGEST_REASONS - len(reason) - 2
    return f"{shortened(source, min(max(room, SHORTEST_NAME), LONGEST_NAME))}: {reason}"


def _verified(source: str, sha256: str | None, folder: Path, archives: Path) -> Path:
    scheme, _, reference = source.partition(":")
    path: Path = components.load("sources", scheme)(reference, folder, archives)
    if sha256 is not None and (actual := checksum(path)) != sha256:
        raise InputError(f"the checksum differs (expected {sha256[:12]}..., found {actual})")
    if path.stat().st_size == 0:
        raise InputError("the file is empty")
    return path


def _plain(error: Exception) -> str:
    text = str(error)
    if "NameResolutionError" in text or "Name or service not known" in text:
        return "the host name cannot be resolved (no network?)"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return text or type(error).__name__
