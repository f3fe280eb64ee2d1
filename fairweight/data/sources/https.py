"""`https://HOST/FILE`, unpacked if it ends in `.gz`, `.bz2` or `.xz`; `https://HOST/ARCHIVE#MEMBER`: a member.

`https://HOST/FOLDER/{part-0.csv,part-1.csv}` and `https://HOST/FOLDER/part-[00000-00199].parquet`, as curl writes lists
of files, are the parts of one table.
"""

import itertools
import re
from pathlib import Path
from urllib.parse import urlsplit

import requests

from fairweight.core.errors import InputError, first_line
from fairweight.data.archive_members import decompressed, take_member
from fairweight.data.parts import MOST_PARTS, pack

CONNECT_S, READ_S = 10, 60  # time-outs in seconds
LIST = re.compile(r"\{([^{}]*)\}|\[([0-9]+)-([0-9]+)\]")  # several names, or numbers with as many digits as the first
TEMPORARY = (408, 429)  # temporary client errors: request time-out, rate limit


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - same signature as all sources
    """Download the file that `reference` (without its scheme) names, and return it decompressed or extracted.

    Raises:
        InputError: the address is wrong (HTTP 4xx), or the archive does not contain the member.
        requests.RequestException: a temporary error.
    """
    address, _, member = f"https:{reference}".partition("#")
    try:
        addresses = _addresses(address)
        if addresses:
            return _folder(addresses, folder)
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


def _addresses(address: str) -> dict[str, str]:
    """Addresses of a list of files, by their names in the folder; empty for the address of one file."""
    start = address.find("/", len("https://"))
    listing = LIST.search(address, start)
    if start < 0 or listing is None:
        return {}
    before = address.rfind("/", 0, listing.start()) + 1  # the folder of all files
    pieces, end = list[list[str]](), before
    for match in LIST.finditer(address, before):
        pieces += [[address[end : match.start()]], _values(match)]
        end = match.end()
    names = ["".join(name) for name in itertools.islice(itertools.product(*pieces, [address[end:]]), MOST_PARTS + 1)]
    if len(names) > MOST_PARTS:
        raise InputError(f"the list has more than {MOST_PARTS:,} files, which is the limit")
    paths = [urlsplit(f"//host/{name}").path.removeprefix("/") for name in names]  # without '?version=2'
    if any(part in ("", ".", "..") for path in paths for part in path.split("/")) or len(set(paths)) < len(paths):
        raise InputError("the list in braces names a file twice, or has a name that is no path of a file")
    return {path: address[:before] + name for path, name in zip(paths, names, strict=True)}


def _values(match: re.Match[str]) -> list[str]:
    names, first, last = match.groups()
    if names is not None:
        return [name.strip() for name in names.split(",")]
    if not 0 <= int(last) - int(first) < MOST_PARTS:
        raise InputError(f"the range {match[0]} does not ascend, or has more than {MOST_PARTS:,} files")
    return [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]


def _folder(addresses: dict[str, str], folder: Path) -> Path:
    """All files of a list, packed as the parts of one table."""
    place = folder / "folder"
    for name, address in addresses.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _download(address, path)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    packed = folder / "parts"
    pack(place, packed, lambda part: decompressed(part, folder / "part"))
    return packed


def _download(address: str, path: Path) -> None:
    with requests.get(address, stream=True, timeout=(CONNECT_S, READ_S)) as response:
        if 400 <= response.status_code < 500 and response.status_code not in TEMPORARY:
            raise InputError(f"HTTP {response.status_code} {response.reason}")
        response.raise_for_status()
        with path.open("wb") as file:
            for chunk in response.iter_content(1 << 20):
                file.write(chunk)
