"""Archives: download one once and extract a single named member; an archive is never unpacked as a whole."""

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from fairweight.core.errors import InputError


def take_member(archive: Path, member: str, folder: Path) -> Path:
    """Extract one regular file of a zip, wheel or tar archive into `folder` and return its path.

    Raises:
        InputError: the archive is broken or of another kind, or does not contain the member.
    """
    target = folder / "member"
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened, opened.open(member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened_tar:
                extracted = opened_tar.extractfile(member)
                if extracted is None:
                    raise KeyError(member)
                with extracted, target.open("wb") as file:
                    shutil.copyfileobj(extracted, file)
        else:
            raise InputError(f"{archive.name} is neither a zip nor a tar archive, or it is truncated")
    except KeyError:
        raise InputError(f"{archive.name} has no member {member!r}") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"the archive {archive.name} is broken ({error})") from None
    return target


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
    with FileLock(f"{place}.lock"):
        if place.exists():
            try:
                return take_member(place, member, folder)
            except InputError:
                place.unlink()
        with tempfile.TemporaryDirectory(dir=archives) as scratch:
            download(Path(scratch)).replace(place)
        return take_member(place, member, folder)
