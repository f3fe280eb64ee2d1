"""The three distributions of the repository, built and installed in an environment without the checkout."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from fairweight.core.components import WORKFLOW as ROOT

DISTRIBUTIONS = (".", "snakemake_executor_plugin_dask", "snakemake_logger_plugin_live")
PACKAGES = Path(np.__file__).parents[1]  # what the environment of the tests holds, but no editable package


def environment(folder: Path, *distributions: str) -> Path:
    """Create an environment with the given distributions, and return its folder of commands.

    Each wheel is built from the sdist alone, as pip does where there is no wheel. The environment reads third-party
    packages from the environment of the tests. Files that make a package editable count in that environment alone, so
    that the checkout cannot be imported.
    """
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    for distribution in distributions:
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", wheels]
        _run([*pip, "wheel", *options, build("sdist", distribution, folder / "sdists")])
    _run([sys.executable, "-m", "venv", "--without-pip", folder / "env"])
    commands = folder / "env" / "bin"
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(f"{PACKAGES}\n")
    (folder / "env" / "share").symlink_to(PACKAGES.parents[2] / "share")  # templates of nbconvert
    files = sorted(wheels.glob("*.whl"))
    _run([*pip, "--python", commands / "python", "install", "--no-deps", "--no-index", "--ignore-installed", *files])
    return commands


def build(kind: str, distribution: str, folder: Path) -> Path:
    """Build an sdist or a wheel from the checkout into a folder, and return the file."""
    earlier = set(folder.glob("*"))
    _run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder], ROOT / distribution)
    (made,) = set(folder.glob("*.*")) - earlier
    return made


def _run(command: list[object], folder: Path | None = None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
