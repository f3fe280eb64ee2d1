"""Unpack an archive by the names in its manifest, and recompute its checksums."""

import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fairweight.core.checksums import checksum
from fairweight.core.errors import InputError
from fairweight.reporting.archive.layout import CHECKSUMS, MANIFEST, SNAKEFILE, STUDY

MOST_NAMES = 5  # names of each kind in a message


@dataclass(frozen=True)
class Checked:
    """Result of the checksums: how many files are unchanged, and which are not."""

    whole: int
    changed: list[str]
    missing: list[str]
    unknown: list[str]

    @property
    def sound(self) -> bool:
        """Whether every file is unchanged, and there is no other."""
        return not (self.changed or self.missing or self.unknown)

    def sentence(self) -> str:
        """The same as a sentence."""
        if self.sound:
            return f"{self.whole} files match their checksums."
        kinds = {"changed": self.changed, "missing": self.missing, "not in the manifest": self.unknown}
        parts = [
            f"{kind}: {', '.join(names[:MOST_NAMES])}{', ...' if len(names) > MOST_NAMES else ''}"
            for kind, names in kinds.items()
            if names
        ]
        return f"{'; '.join(parts)} ({self.whole} files are unchanged)"


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a folder that is new or empty.

    Only the files in the manifest are taken, and nothing outside of the folder is written.

    Raises:
        InputError: the file is not an archive of a study, it is broken, or the folder is not empty.
    """
    expect_clean(folder, "choose a new folder")
    try:
        with zipfile.ZipFile(archive) as opened:
            try:
                manifest = opened.read(MANIFEST).decode()
            except KeyError:
                raise InputError(f"{archive} is not an archive of a study: it has no {MANIFEST}.") from None
            present = set(opened.namelist())
            for name in [*parsed(manifest), MANIFEST]:
                if name not in present:
                    continue  # `check` reports it
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
        InputError: it is not empty, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder; {remedy}.")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; {remedy}.")


def parsed(manifest: str) -> dict[str, str]:
    """Name -> SHA-256 of a manifest.

    Raises:
        InputError: a name leads out of the archive, or is that of both a file and a folder, or a line is illegal.
    """
    digests: dict[str, str] = {}
    for line in manifest.splitlines():
        digest, separator, name = line.partition("  ")
        path = PurePosixPath(name)
        if not separator or len(digest) != 64 or path.is_absolute() or ".." in path.parts or "\\" in name:
            raise InputError(f"{MANIFEST} has an illegal line: {line[:100]!r}.")
        digests[name] = digest
    for name in digests:
        if above := [str(p) for p in PurePosixPath(name).parents if str(p) in digests]:
            raise InputError(
                f"{MANIFEST} has both {above[0][:100]!r} and {name[:100]!r}; a name cannot be both file and folder."
            )
    return digests


def check(folder: Path) -> Checked:
    """Recompute the checksums of an unpacked archive.

    Raises:
        InputError: the folder does not hold an archive, or not one of a study.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} does not hold an unpacked archive: there is no {MANIFEST}.")
    digests = parsed((folder / MANIFEST).read_text(encoding="utf-8"))
    if absent := [name for name in (STUDY, CHECKSUMS, SNAKEFILE) if name not in digests]:
        raise InputError(f"{folder} does not hold an archive of a study: its {MANIFEST} has no {', '.join(absent)}.")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    same = {name for name in digests if name in present and checksum(folder / name) == digests[name]}
    return Checked(
        whole=len(same),
        changed=sorted((digests.keys() & present) - same),
        missing=sorted(digests.keys() - present),
        unknown=sorted(present - digests.keys()),
    )
