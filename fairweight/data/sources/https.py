"""`https://HOST/FILE`, decompressed if it ends in `.gz`; `https://HOST/ARCHIVE#MEMBER` extracts one member."""

import gzip
import shutil
import zlib
from pathlib import Path

import requests

from fairweight.core.errors import InputError
from fairweight.data.archive_members import take_member

CONNECT_S, READ_S = 10, 60  # time-outs in seconds
TEMPORARY = (408, 429)  # temporary client errors: request time-out, rate limit


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - same signature as all sources
    """Download the file that `reference` (without its scheme) names, and return it decompressed or extracted.

    Raises:
        InputError: the address is wrong (HTTP 4xx), or the archive does not contain the member.
        requests.RequestException: a temporary error.
    """
    address, _, member = f"https:{reference}".partition("#")
    path = folder / address.rsplit("/", 1)[-1]
    with requests.get(address, stream=True, timeout=(CONNECT_S, READ_S)) as response:
        if 400 <= response.status_code < 500 and response.status_code not in TEMPORARY:
            raise InputError(f"HTTP {response.status_code} {response.reason}")
        response.raise_for_status()
        with path.open("wb") as file:
            for chunk in response.iter_content(1 << 20):
                file.write(chunk)
    if member:
        return take_member(path, member, folder)
    return _gunzipped(path) if path.suffix == ".gz" else path


def _gunzipped(path: Path) -> Path:
    target = path.with_suffix("")
    try:
        with gzip.open(path) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"the archive {path.name} is broken ({error})") from None
    return target
