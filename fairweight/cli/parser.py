"""Command lines whose mistakes end in one sentence with a suggestion (standard library only)."""

import argparse
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fairweight.core.errors import did_you_mean, escaped, listed, quoted

WRONG_USE = 2  # exit code of a command that was not understood, as argparse has it
# options of Snakemake that people give without "--" in front
SNAKEMAKE = (
    *("-n", "--dry-run", "--dryrun", "-c", "--cores", "-j", "--jobs", "-k", "--keep-going", "-F", "--forceall", "-R"),
    *("--forcerun", "-p", "--printshellcmds", "--executor", "-e", "--profile", "--workflow-profile", "--configfile"),
    *("--config", "--unlock", "--rerun-incomplete", "--until", "--set-threads", "--set-resources", "--touch", "--dag"),
)


class Parser(argparse.ArgumentParser):
    """A parser of arguments that knows its options, and prints no usage in front of a mistake."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.option_names: list[str] = []
        super().__init__(*arguments, **options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Add an argument, and remember its names; a choice that it does not have is suggested."""
        self.option_names += [name for name in names if str(name).startswith("--")]
        if "choices" in options:
            options.setdefault("type", _choice(list(options["choices"])))
        return super().add_argument(*names, **options)

    def error(self, message: str) -> NoReturn:
        """Print a mistake in one sentence, and end."""
        sentence = escaped(message.removeprefix("argument "))
        self.exit(WRONG_USE, f"fairweight: {sentence}; see {self.prog} --help.\n")


def parse(parser: Parser, commands: Mapping[str, Any], words: list[str]) -> argparse.Namespace:
    """Parse the arguments of the command; an unknown command or option ends it in one sentence.

    Args:
        parser: the parser of the whole command.
        commands: the parser of each command, by its name.
        words: the arguments.
    """
    if not words:
        parser.error(f"name a command: {', '.join(commands)}")
    if words[0].startswith("-") and words[0] not in ("-h", *parser.option_names):
        parser.error(f"name a command before {quoted(words[0])}: {', '.join(commands)}")
    if not words[0].startswith("-") and words[0] not in commands:
        meant = f" (did you mean 'run {escaped(words[0])}'?)" if words[0].endswith((".yaml", ".yml")) else ""
        hint = meant or did_you_mean(words[0], commands)
        parser.error(f"there is no command {quoted(words[0])}{hint}; there are: {', '.join(commands)}")
    chosen, rest = parser.parse_known_args(words)
    if rest:
        own = commands.get(words[0], parser)
        own.error(_not_understood(words[0], rest, own))
    return chosen


def _not_understood(command: str, rest: list[str], own: Parser) -> str:
    """What is wrong with the first argument that a command does not have."""
    options = [word for word in rest if word.startswith("-")]
    if not options:
        return f"{own.prog} takes no further argument, and got {listed(map(quoted, rest))}"
    name = options[0].partition("=")[0]
    hint = did_you_mean(name, own.option_names)
    if command in ("run", "check") and (name in SNAKEMAKE or not hint):
        hint = f"; options of Snakemake follow after --, as in: {own.prog} ... -- {escaped(' '.join(rest))[:60]}"
    return f"{own.prog} has no option {quoted(name)}{hint}"


def _number(text: str, kind: Callable[[str], float], fits: Callable[[float], bool], what: str) -> Any:
    try:
        number = kind(text)
        if fits(number):
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not {what}")


def _choice(choices: list[str]) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text in choices:
            return text
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not one of {', '.join(choices)}{did_you_mean(text, choices)}"
        )

    return chosen


def whole(text: str) -> int:
    """A whole number of an option."""
    return int(_number(text, int, lambda _: True, "a whole number"))


def above_zero(text: str) -> float:
    """A finite number above 0 of an option."""
    return float(_number(text, float, lambda number: 0 < number < math.inf, "a number above 0"))


def at_least_zero(text: str) -> float:
    """A finite number of at least 0 of an option."""
    return float(_number(text, float, lambda number: 0 <= number < math.inf, "a number of at least 0"))


def one_of(*numbers: int) -> Callable[[str], int]:
    """A whole number of an option that takes only some."""
    return lambda text: int(_number(text, int, lambda n: n in numbers, f"one of {', '.join(map(str, numbers))}"))
