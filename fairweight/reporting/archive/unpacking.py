"""An archive read back: unpacked by the names in its manifest, and its checksums recomputed."""

import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fairweight.core.artifacts import checksum
from fairweight.core.errors import InputError
from fairweight.reporting.archive.layout import CHECKSUMS, MANIFEST, SNAKEFILE, STUDY


@dataclass(frozen=True)
class Checked:
    """What the checksums say: how many files are as they were, and which are not."""

    whole: int
    changed: list[str]
    missing: list[str]
    unknown: list[str]

    @property
    def sound(self) -> bool:
        """Whether every file is as it was, and no other is there."""
        return not (self.changed or self.missing or self.unknown)

    def sentence(self) -> str:
        """The same in words."""
        if self.sound:
            return f"{self.whole} files are as their checksums say."
        parts = [f"{kind}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
                 for kind, names in (("changed", self.changed), ("missing", self.missing), ("not in the manifest", self.unknown)) if names]  # fmt: skip
        return f"{'; '.join(parts)} ({self.whole} files are as they were)"


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a folder that is new or empty.

    Only what the manifest names is taken, and nothing outside of the folder is written.

    Raises:
        InputError: it is no archive of a study, it is broken, or the folder holds something.
    """
    expect_clean(folder, "name a folder that is new")
    try:
        with zipfile.ZipFile(archive) as opened:
            try:
                manifest = opened.read(MANIFEST).decode()
            except KeyError:
                raise InputError(f"{archive} is no archive of a study: it has no {MANIFEST}.") from None
            present = set(opened.namelist())
            for name in [*parsed(manifest), MANIFEST]:
                if name not in present:
                    continue  # told by `check`
                target = folder / PurePosixPath(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(name) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except FileNotFoundError:
        raise InputError(f"there is no archive {archive}.") from None
    except (zipfile.BadZipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"the archive {archive} is broken ({error}).") from None
    except OSError as error:
        raise InputError(f"{archive} cannot be unpacked into {folder} ({error.strerror}).") from None


def expect_clean(folder: Path, remedy: str) -> None:
    """Check that a folder is new or empty.

    Raises:
        InputError: it holds something, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; {remedy}.")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; {remedy}.")


def parsed(manifest: str) -> dict[str, str]:
    """Name -> SHA-256 of a manifest.

    Raises:
        InputError: a name leads out of the archive or is that of a file and of a folder, or a line is none.
    """
    found: dict[str, str] = {}
    for line in manifest.splitlines():
        digest, separator, name = line.partition("  ")
        path = PurePosixPath(name)
        if not separator or len(digest) != 64 or path.is_absolute() or ".." in path.parts or "\\" in name:
            raise InputError(f"{MANIFEST} has an illegal line: {line[:100]!r}.")
        found[name] = digest
    for name in found:
        if above := [str(p) for p in PurePosixPath(name).parents if str(p) in found]:
            raise InputError(
                f"{MANIFEST} has both {above[0][:100]!r} and {name[:100]!r}; one cannot be file and folder."
            )
    return found


def check(folder: Path) -> Checked:
    """Recompute the checksums of an unpacked archive.

    Raises:
        InputError: the folder holds none, or none of a study.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} holds no unpacked archive: there is no {MANIFEST}.")
    stated = parsed((folder / MANIFEST).read_text(encoding="utf-8"))
    if absent := [name for name in (STUDY, CHECKSUMS, SNAKEFILE) if name not in stated]:
        raise InputError(f"{folder} holds no archive of a study: its {MANIFEST} has no {', '.join(absent)}.")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    same = {name for name in stated if name in present and checksum(folder / name) == stated[name]}
    return Checked(
        whole=len(same),
        changed=sorted((stated.keys() & present) - same),
        missing=sorted(stated.keys() - present),
        unknown=sorted(present - stated.keys()),
    )
