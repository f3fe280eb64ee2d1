"""Modules that a run imports before its first step: without torch where no step of the study uses it."""

from pathlib import Path

from fairweight.core import components
from fairweight.core.code_version import imported_files
from fairweight.core.operations import OPERATIONS
from fairweight.core.parsed_source import parsed
from fairweight.study.sweeps import Config

LIST = Path("profiles", "default", "preload.txt")
TORCH = "torch"
OWN = ("--dask-preload", "--profile", "--workflow-profile", "--executor", "-e")  # options that choose otherwise


def preload_options(config: Config, workflow: Path, further: list[str]) -> list[str]:
    """Options for Snakemake that leave torch out of the preloaded modules: its import takes two seconds.

    Args:
        config: the study file with its defaults.
        workflow: folder of the workflow.
        further: arguments for Snakemake of the command line.

    Returns:
        No options where a step uses torch, or where the command line chooses another executor or profile.
    """
    if {word.split("=", 1)[0] for word in further} & set(OWN) or uses_torch(config):
        return []
    lines = (workflow / LIST).read_text(encoding="utf-8").splitlines()
    names = [name for line in lines if (name := line.partition("#")[0].strip())]
    return ["--dask-preload", ",".join(name for name in names if name.split(".")[0] != TORCH)]


def uses_torch(config: Config) -> bool:
    """Whether a step of a study handles weights as tensors, or predicts with an engine of torch."""
    for variant in config["variants"].values():
        for name, operation in OPERATIONS.items():
            if name in variant and operation.output == "weights":
                return True
            if name in variant and operation.folder and components.trains(operation.folder, variant[name]["method"]):
                return True
    engines = [components.locate("engines", engine) for engine in config["engines"]]
    files = [file for engine in engines for file in (engine, *imported_files(engine))]
    return any(each.module.split(".")[0] == TORCH for file in files for each in parsed(file).imports)
