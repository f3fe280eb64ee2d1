"""Counterfactual texts: replace the words for one group by words for another (standard library and PyYAML)."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError, did_you_mean, listed, quoted
from fairweight.core.local_files import expanded, is_file, workflow_input
from fairweight.core.yaml_file import read_yaml

FOLDER = WORKFLOW / "config" / "terms"


def terms_file(name: str) -> Path:
    """File of a list of terms: the name of a list in `config/terms`, or a path.

    Raises:
        InputError: there is no such file, or it cannot be an input of a rule.
    """
    for path in (FOLDER / f"{name}.yaml", expanded(name)):
        if is_file(path):
            return workflow_input(path)
    shipped = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    raise InputError(
        f"terms: there is no file {quoted(name)}{did_you_mean(name, shipped)}; give one of {listed(shipped)}, or the "
        "path of a YAML file"
    )


@dataclass(frozen=True)
class Terms:
    """Words for groups that can replace one another."""

    words: dict[str, dict[str, list[str]]]  # kind of word -> group -> terms, the first of which is the replacement

    @classmethod
    def read(cls, name: str) -> "Terms":
        """Read a list of terms; see `terms_file`.

        Raises:
            InputError: there is no such file, or it has another form.
        """
        path = terms_file(name)
        try:
            content = read_yaml(path)
            words = {
                str(kind): {str(group): [str(term) for term in terms] for group, terms in groups.items() if terms}
                for kind, groups in content["words"].items()
            }
        except InputError as error:
            raise InputError(f"terms: {error}") from None
        except (KeyError, TypeError, AttributeError):
            raise InputError(
                f"terms: {str(path)!r} does not hold 'words': kind of word -> group -> list of terms"
            ) from None
        if len({group for groups in words.values() for group in groups}) < 2:
            raise InputError(f"terms: {str(path)!r} has words for fewer than two groups")
        return cls(words)

    @cached_property
    def groups(self) -> list[str]:
        """The groups that the list has words for, sorted."""
        return sorted({group for groups in self.words.values() for group in groups})

    @cached_property
    def _places(self) -> dict[str, tuple[str, str]]:
        """Term in lower case -> kind and group."""
        return {
            term.lower(): (kind, group)
            for kind, groups in self.words.items()
            for group, terms in groups.items()
            for term in terms
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # longer terms first, so that "black people" is not "black" with "people" left over
        terms = sorted(map(re.escape, self._places), key=len, reverse=True)
        return re.compile(rf"\b(?:{'|'.join(terms)})\b", re.IGNORECASE)

    def named(self, text: str) -> set[str]:
        """Groups that a text has words for."""
        return {self._places[match.group().lower()][1] for match in self._pattern.finditer(text)}

    def swapped(self, text: str, group: str) -> str | None:
        """The text with the words for all other groups replaced by words for `group`; None if it has no such words."""
        changed = False

        def replacement(match: re.Match[str]) -> str:
            nonlocal changed
            kind, named_group = self._places[match.group().lower()]
            if named_group == group or group not in self.words[kind]:
                return match.group()
            changed = True
            word = self.words[kind][group][0]
            return word[0].upper() + word[1:] if match.group()[0].isupper() else word

        swapped = self._pattern.sub(replacement, text)
        return swapped if changed else None

    def counterfactual(self, text: str, draw: int) -> str | None:
        """The text about another group; None if the text names no group, or all of them.

        Args:
            text: any text.
            draw: random number that selects the other group, among those that the text has no words for.
        """
        named = self.named(text)
        others = [group for group in self.groups if group not in named]
        return self.swapped(text, others[draw % len(others)]) if named and others else None
