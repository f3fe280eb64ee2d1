"""Provenance of a study: its resolved file, software versions, commit and machine."""

import datetime
import platform
import subprocess
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from fairweight.core.artifacts import write_json
from fairweight.core.components import SOURCES
from fairweight.energy.carbon_intensity import intensity_of, with_hours
from fairweight.study.results_layout import KEY, LAYOUT

PACKAGES = (
    "snakemake",
    "torch",
    "onnx",
    "onnxruntime",
    "fairlearn",
    "scikit-learn",
    "numpy",
    "pandas",
    "pyarrow",
    "dask",
)

VECTOR_EXTENSIONS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"),
    *("asimd", "asimddp", "sve", "i8mm"),
)


def write_provenance(
    destination: str,
    *,
    study: dict[str, Any],
    hours: str | Path | list[str] | None,
    cells: int,
    seeds: int,
    left_out: list[dict[str, str]],
) -> None:
    """Write the provenance of a study as JSON.

    Args:
        destination: the file.
        study: the resolved study file.
        hours: file of hourly carbon intensities, if the study has one.
        cells, seeds: size of the grid.
        left_out: variants that an engine of the study cannot run: engine, variant, reason.
    """
    charged = asdict(intensity_of(with_hours(study["energy"], hours)))
    del charged["hours"]  # the file itself is among the results
    write_json(
        destination,
        {
            "study": study,
            "cells": cells,
            "seeds": seeds,
            "left_out": left_out,
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "fairweight": metadata.version("fairweight"),
            KEY: str(LAYOUT),
            "commit": _commit(),
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
            "host": {
                "name": platform.node(),
                "system": platform.platform(),
                "processor": _processor(),
                "isa": isa(),
                "cores": psutil.cpu_count(),
                "memory_bytes": psutil.virtual_memory().total,
            },
            "intensity": charged,
        },
    )


def _commit() -> str | None:
    """Commit of the checkout, marked as dirty if files have changed since; None for an installed package.

    The package may be installed in a folder of another project's repository, whose commit says nothing of it.
    """
    if not (SOURCES / "Snakefile").is_file():
        return None
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(describe, cwd=SOURCES, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or "unknown"


def isa() -> str:
    """Instruction set: architecture and the vector extensions on which the bytes of a result depend."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
    return " ".join([platform.machine(), *(flag for flag in VECTOR_EXTENSIONS if flag in flags)])


def _cpuinfo(key: str) -> str | None:
    """Entry of the first processor in Linux's /proc/cpuinfo; None on other systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.partition(":")[0].strip() == key:
                return line.split(":", 1)[1].strip()
    return None
