"""`file:PATH`: a file of this machine, relative to the folder of the run; `file:archive.zip#member` takes one member."""

from pathlib import Path

from fairweight.core.errors import InputError
from fairweight.core.lineage import local_path
from fairweight.data.archive_members import take_member


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - one signature for all sources
    """Return the local file that `reference` (without its scheme) names.

    Args:
        reference: path, with `#member` where the file is an archive.
        folder: place for what is unpacked.

    Raises:
        InputError: there is no such file.
    """
    path, member = local_path(reference), reference.partition("#")[2]
    if not path.is_file():
        raise InputError(f"there is no file {path.absolute()}")
    return take_member(path, member, folder) if member else path
