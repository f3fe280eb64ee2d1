"""The path of a study file, where there is none: what was probably meant."""

import shlex
from pathlib import Path

from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError, escaped, listed, quoted, similar
from fairweight.core.local_files import is_file
from fairweight.core.yaml_file import read_yaml

DEFAULT_STUDY = WORKFLOW / "config" / "config.yaml"
MOST = 3  # study files that a sentence names
INIT = "fairweight init TABLE --target COLUMN"
# what a file of another kind is, and the command for it
OTHERS = {
    "a table": ("fairweight init {} --target COLUMN", (".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".gz", ".data")),
    "a model": (
        "fairweight check {} --data TABLE --target COLUMN",
        (".onnx", ".safetensors", ".pt", ".pth", ".h5", ".keras", ".tflite", ".pkl", ".joblib", ".gguf"),
    ),
    "an archive": ("fairweight reproduce {} --into FOLDER", (".zip",)),
}
NO_YAML = (".md", ".html", ".py", ".ipynb", ".smk", ".pdf", ".log", ".png", ".svg", ".toml", ".lock")


def check_study_path(study: Path) -> None:
    """Check that a path is one of a study file.

    Raises:
        InputError: there is no such file, or it is one of another kind; with the path or the command that was
            probably meant.
    """
    shown = escaped(str(study))
    if study.is_dir():
        inside = _studies(study)
        near = f"name a file in it: {listed(inside)}" if inside else f"write a study file with: {INIT}"
        raise InputError(f"{shown} is a folder and no study file; {near}.")
    if not is_file(study):
        raise InputError(f"there is no study file {shown}{_meant(study)}.")
    for kind, (command, suffixes) in OTHERS.items():
        if study.suffix.lower() in suffixes:
            raise InputError(f"{shown} is {kind} and no study file; use it with: {command.format(shown)}.")
    if study.suffix.lower() in NO_YAML:
        raise InputError(f"{shown} is no study file, which is YAML{_meant(study)}.")


def chosen_study(study: Path | None, command: str) -> Path:
    """The study file of a command: the one that is named, or the default study where none could be meant.

    Args:
        study: what the command line names; None where it names nothing.
        command: the command, for messages.

    Raises:
        InputError: none is named, and the current folder has study files.
    """
    if study is not None:
        return study
    if inside := [path for path in _studies(Path()) if _is_study(Path(path))]:
        files = ", ".join(quoted(path) for path in inside[:MOST]) + (" ..." if len(inside) > MOST else "")
        raise InputError(
            f"{command}: no study file is named, and this folder has {files}; name one: fairweight {command} "
            f"{shlex.quote(inside[0])}. The default study: fairweight {command} {shlex.quote(str(DEFAULT_STUDY))}."
        )
    return DEFAULT_STUDY


def _is_study(path: Path) -> bool:
    """Whether a YAML file has the keys of a study."""
    try:
        content = read_yaml(path)
    except (InputError, OSError):
        return False
    return isinstance(content, dict) and {"datasets", "grid"} <= set(content)


def _studies(folder: Path) -> list[str]:
    """Paths of the YAML files of a folder, sorted."""
    return sorted(str(path) for suffix in ("*.yaml", "*.yml") for path in folder.glob(suffix))


def _meant(study: Path) -> str:
    """The study file that was probably meant: its name without a suffix, in another folder, or misspelt."""
    folders = dict.fromkeys([study.parent, *([] if study.is_absolute() else [Path(), Path("config")])])
    paths = list(dict.fromkeys(path for folder in folders for path in _studies(folder)))
    by_name = {Path(path).name: path for path in reversed(paths)}
    by_stem = {Path(path).stem: path for path in reversed(paths)}
    near = by_name.get(study.name) or by_stem.get(study.name) or by_stem.get(study.stem)
    if near is None:
        name = similar(study.name, by_name) or similar(study.stem, by_stem)
        near = None if name is None else by_name.get(name) or by_stem[name]
    if near is not None:
        return f" (did you mean {quoted(near)}?)"
    return f"; there are: {listed(paths)}" if paths else f"; write one with: {INIT}"
