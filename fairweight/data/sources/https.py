"""`https://HOST/FILE`, unpacked if it ends in `.gz`, `.bz2` or `.xz`; `https://HOST/ARCHIVE#MEMBER`: a member."""

from pathlib import Path
from urllib.parse import urlsplit

import requests

from fairweight.core.errors import InputError, first_line
from fairweight.data.archive_members import decompressed, take_member

CONNECT_S, READ_S = 10, 60  # time-outs in seconds
TEMPORARY = (408, 429)  # temporary client errors: request time-out, rate limit


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - same signature as all sources
    """Download the file that `reference` (without its scheme) names, and return it decompressed or extracted.

    Raises:
        InputError: the address is wrong (HTTP 4xx), or the archive does not contain the member.
        requests.RequestException: a temporary error.
    """
    address, _, member = f"https:{reference}".partition("#")
    try:
        name = urlsplit(address).path.rpartition("/")[2]
        path = folder / ("download" if name in ("", ".", "..") else name[:100])
        _download(address, path)
    except requests.RequestException:
        raise
    except ValueError as error:  # what the libraries below `requests` say of an address that is none
        raise InputError(f"the address is not valid ({first_line(error)})") from None
    if member:
        return take_member(path, member, folder)
    return decompressed(path, folder / "unpacked")


def _download(address: str, path: Path) -> None:
    with requests.get(address, stream=True, timeout=(CONNECT_S, READ_S)) as response:
        if 400 <= response.status_code < 500 and response.status_code not in TEMPORARY:
            raise InputError(f"HTTP {response.status_code} {response.reason}")
        response.raise_for_status()
        with path.open("wb") as file:
            for chunk in response.iter_content(1 << 20):
                file.write(chunk)
