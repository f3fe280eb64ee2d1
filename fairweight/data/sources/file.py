"""`file:PATH`: a local file, unpacked if it ends in `.gz`, or a folder of parts; `file:ARCHIVE#MEMBER`: a member."""

from pathlib import Path

from fairweight.core.errors import LONGEST_NAME, InputError, shortened
from fairweight.core.lineage import local_path
from fairweight.core.local_files import is_file, similar_file
from fairweight.data.archive_members import decompressed, take_member
from fairweight.data.parts import is_folder, pack


def fetch(reference: str, folder: Path, archives: Path) -> Path:  # noqa: ARG001 - same signature as all sources
    """Return the local file that `reference` (without its scheme) names.

    Args:
        reference: path, followed by `#member` if the file is an archive; relative to the folder of the run.
        folder: folder for the extracted member, the decompressed file, or the packed parts.

    Raises:
        InputError: there is no such file, it is damaged, the archive does not contain the member, or a folder is no
            table in parts.
    """
    path, member = local_path(reference), reference.partition("#")[2]
    if is_folder(path) and not member:
        packed = folder / "parts"
        pack(path, packed, lambda part: decompressed(part, folder / "part"))
        return packed
    if not is_file(path):
        where = shortened(str(path.absolute()), 2 * LONGEST_NAME)
        raise InputError(f"there is no file {where}{similar_file(path)}")
    return take_member(path, member, folder) if member else decompressed(path, folder / "unpacked")
