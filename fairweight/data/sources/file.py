"""`file:PATH`: a local file, relative to the folder of the run; `file:ARCHIVE#MEMBER` extracts one member."""

from pathlib import Path

from fairweight.core.errors import LONGEST_NAME, InputError, shortened
from fairweight.core.lineage import local_path
from fairweight.core.local_files import is_file
from fairweight.data.archive_members import take_member


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - same signature as all sources
    """Return the local file that `reference` (without its scheme) names.

    Args:
        reference: path, followed by `#member` if the file is an archive.
        folder: folder for the extracted member.

    Raises:
        InputError: there is no such file, or the archive does not contain the member.
    """
    path, member = local_path(reference), reference.partition("#")[2]
    if not is_file(path):
        raise InputError(f"there is no file {shortened(str(path.absolute()), 2 * LONGEST_NAME)}")
    return take_member(path, member, folder) if member else path
