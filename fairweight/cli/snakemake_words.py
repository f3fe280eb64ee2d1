"""Arguments that are passed to Snakemake, checked before it starts: executors, profiles and targets (no Snakemake)."""

import itertools
import os
import pkgutil
import re
from pathlib import Path

from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError, did_you_mean, escaped, listed, quoted, similar

BUILT_IN = ("local", "dryrun", "touch")
PLUGIN = "snakemake_executor_plugin_"
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):", re.MULTILINE)


def check_words(words: list[str], workflow: Path = WORKFLOW) -> None:
    """Refuse names of executors, profiles and targets that do not exist, which Snakemake would print its usage for.

    Args:
        words: arguments for Snakemake.
        workflow: folder of the Snakefile.

    Raises:
        InputError: there is no such executor, profile or target; similar ones are suggested.
    """
    for option, value in _values(words, ("--executor", "-e")):
        _check_executor(option, value)
    for option, value in _values(words, ("--profile", "--workflow-profile")):
        _check_profile(option, value, workflow)
    targets = rules(workflow)
    for word in words:
        if word.startswith("-"):
            return  # what follows may be the value of an option
        if word not in targets and "/" not in word and "." not in word:
            hint = did_you_mean(word, targets)
            raise InputError(
                f"{quoted(word)} after -- is no target{hint}; targets are: all, power, gate, paper, article, cards, "
                "archive, the name of a rule, or the path of a result."
            )


def _values(words: list[str], options: tuple[str, ...]) -> list[tuple[str, str]]:
    """(option, value) of everything that is given for some options."""
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    return [(option, value) for option, value in itertools.pairwise(parts) if option in options]


def _check_executor(option: str, name: str) -> None:
    modules = [module.name for module in pkgutil.iter_modules() if module.name.startswith(PLUGIN)]
    installed = {module.removeprefix(PLUGIN).replace("_", "-") for module in modules}
    legal = [*BUILT_IN, *sorted(installed)]
    if name not in legal:
        raise InputError(
            f"{option}: there is no executor {quoted(name)}{did_you_mean(name, legal)}; installed are: "
            f"{listed(legal)}; others are packages snakemake-executor-plugin-NAME."
        )


def _check_profile(option: str, name: str, workflow: Path) -> None:
    """Check a profile: a folder, or the name of one in the folders that Snakemake looks into."""
    homes = [Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser(), Path("/etc/xdg")]
    places = [Path(name), *(home / "snakemake" / name for home in homes)]
    if name == "none" or any(place.exists() for place in places):
        return
    folder = workflow / "profiles"
    inside = folder.is_relative_to(Path.cwd())
    own = {
        path.name: os.path.relpath(path) if inside else str(path) for path in sorted(folder.iterdir()) if path.is_dir()
    }
    near = similar(Path(name).name, own)
    hint = f" (did you mean {quoted(own[near])}?)" if near else f"; there are: {listed(own.values())}"
    raise InputError(f"{option}: there is no profile {escaped(name)}{hint}.")


def rules(workflow: Path) -> list[str]:
    """Names of all rules of the workflow, as its files state them."""
    files = [workflow / "Snakefile", *sorted((workflow / "rules").glob("*.smk"))]
    return [name for file in files if file.is_file() for name in RULE.findall(file.read_text(encoding="utf-8"))]
