"""`s3://BUCKET/KEY`: file or folder of parts in S3 or a store like it, with `?region=`, `endpoint=`, `anonymous=`."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from pyarrow import fs

from fairweight.core.errors import InputError, did_you_mean, first_line, listed, quoted
from fairweight.data.archive_members import decompressed, take_member
from fairweight.data.parts import pack, part_paths

SETTINGS = ("region", "endpoint", "anonymous")
CONNECT_S, REQUEST_S, ATTEMPTS = 10, 60, 3
CHUNK = 1 << 22  # bytes
DENIED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_SIGNATURE", "HTTP status 403")
MOVED = ("HTTP status 301", "PermanentRedirect", "AuthorizationHeaderMalformed", "HTTP status 400")


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - same signature as all sources
    """Download what `reference` (without its scheme) names, and return it decompressed, extracted or packed.

    Credentials are those of the machine: the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE ...), files of the AWS command
    line, or the role of an instance. A study file never has them.

    Args:
        reference: `//BUCKET/KEY?region=...#MEMBER`; without `region` and `endpoint`, AWS_REGION and AWS_ENDPOINT_URL.
        folder: folder for the files.

    Raises:
        InputError: the reference is not of that form; there is no such bucket or key, access is denied, or a folder is
            no table in parts.
        OSError: a temporary error.
    """
    address, _, member = reference.partition("#")
    path, _, query = address.partition("?")
    path = unquote(path.removeprefix("//")).rstrip("/")
    bucket, _, key = path.partition("/")
    if not re.fullmatch(r"[\w.-]+", bucket) or not key:
        raise InputError(
            f"'s3:{address}' is not of the form s3://BUCKET/KEY; credentials stand in the environment, such as "
            "AWS_ACCESS_KEY_ID"
        )
    store = _store(dict(parse_qsl(query, keep_blank_values=True)))
    with _explained(bucket):
        info = store.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            if store.get_file_info(bucket).type == fs.FileType.NotFound:
                raise InputError(f"there is no bucket {quoted(bucket)} at this store; check name, region and endpoint")
            raise InputError(f"the bucket {quoted(bucket)} has no key {quoted(key)}")
        if info.type == fs.FileType.Directory:
            return _folder(store, path, folder)
        target = folder / (Path(key).name[-100:] or "download")
        _download(store, path, info.size, target)
    return take_member(target, member, folder) if member else decompressed(target, folder / "unpacked")


def _store(settings: dict[str, str]) -> fs.S3FileSystem:
    if unknown := [name for name in settings if name not in SETTINGS]:
        hint = did_you_mean(unknown[0], SETTINGS)
        raise InputError(f"there is no setting {quoted(unknown[0])} of s3{hint}; there are {listed(SETTINGS)}")
    anonymous = settings.get("anonymous", "false")
    if anonymous not in ("true", "false"):
        raise InputError(f"anonymous={anonymous} is neither true nor false")
    endpoint = (
        settings.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    )
    scheme, mark, host = endpoint.rpartition("://")
    if mark and scheme not in ("http", "https"):
        raise InputError(f"the endpoint {quoted(endpoint)} is not of the form https://host:port")
    options: dict[str, Any] = {"scheme": scheme} if scheme else {}
    if host:
        options["endpoint_override"] = host
    return fs.S3FileSystem(
        anonymous=anonymous == "true",
        region=settings.get("region") or None,
        connect_timeout=CONNECT_S,
        request_timeout=REQUEST_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        **options,
    )


def _folder(store: fs.S3FileSystem, path: str, folder: Path) -> Path:
    """All parts of a folder, packed as one file.

    The names are laid out first, without their content, so that what is no table in parts is refused at once.
    """
    place, keys = folder / "folder", dict[Path, fs.FileInfo]()
    place.mkdir()
    for info in store.get_file_info(fs.FileSelector(path, recursive=True)):
        names = info.path.removeprefix(f"{path}/").split("/")
        if any(name in ("", ".", "..") for name in names):
            raise InputError(f"the key {quoted(info.path)} is no path of a file; rename it")
        target = place.joinpath(*names)
        if info.type == fs.FileType.Directory:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
            keys[target] = info
    for target in part_paths(place):
        _download(store, keys[target].path, keys[target].size, target)
    packed = folder / "parts"
    pack(place, packed, lambda part: decompressed(part, folder / "part"))
    return packed


def _download(store: fs.S3FileSystem, path: str, size: int, target: Path) -> None:
    with store.open_input_stream(path, compression=None) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
    if target.stat().st_size != size:
        raise OSError(f"{quoted(path)} ended after {target.stat().st_size:,} of {size:,} bytes")


@contextlib.contextmanager
def _explained(bucket: str) -> Iterator[None]:
    """What the store refuses becomes one sentence; other errors may be temporary."""
    try:
        yield
    except OSError as error:
        text = first_line(error)
        if any(word in text for word in ("NO_SUCH_BUCKET", "NoSuchBucket")):
            raise InputError(
                f"there is no bucket {quoted(bucket)} at this store; check name, region and endpoint"
            ) from None
        if any(word in text for word in DENIED):
            raise InputError(
                f"access to the bucket {quoted(bucket)} is denied; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE, or for a public bucket '?anonymous=true' in the source"
            ) from None
        if any(word in text for word in MOVED):
            raise InputError(
                f"the bucket {quoted(bucket)} is in another region; set '?region=...' in the source, or AWS_REGION"
            ) from None
        raise OSError(f"the store does not answer ({text})") from None
