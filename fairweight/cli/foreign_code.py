"""What a study file makes this machine execute besides fairweight: components of others, and the program of a meter."""

import shlex
from pathlib import Path

from fairweight.core import components
from fairweight.study.schema import own_components
from fairweight.study.sweeps import Config


def announce(study: Path, config: Config, known: tuple[Path, ...]) -> None:
    """Print what a study file from elsewhere executes, before it runs.

    Args:
        study: the study file.
        config: its content, with every default.
        known: folders whose study files are the user's own.
    """
    if any(study.resolve().is_relative_to(folder.resolve()) for folder in known):
        return
    if lines := executed(config):
        print(f"fairweight: {study} is not in this folder, and runs code that is not fairweight's:", flush=True)
        print(*(f"  {line}" for line in lines), sep="\n", flush=True)


def executed(config: Config) -> list[str]:
    """One line for each component that is not fairweight's own, with its file, and for the program of a meter."""
    own = sorted({(folder, name, str(components.locate(folder, name))) for folder, name in own_components(config)})
    lines = [f"{folder}: {name} ({file})" for folder, name, file in own]
    if command := config["energy"].get("meter_command"):
        lines.append(f"energy: meter_command: {shlex.join(command)}")
    return lines
