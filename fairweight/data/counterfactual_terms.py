"""Counterfactual texts: words for one group in the place of those for another (standard library and PyYAML)."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from fairweight.core.components import PACKAGE
from fairweight.core.errors import InputError

FOLDER = PACKAGE.parent / "config" / "terms"


def terms_file(stated: str) -> Path:
    """File of a list of terms: one of config/terms by its name, or a path.

    Raises:
        InputError: there is no such file.
    """
    for path in (FOLDER / f"{stated}.yaml", Path(stated).expanduser()):
        if path.is_file():
            return path
    named = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
    raise InputError(f"terms: there is no file {stated!r}; a list is one of {named}, or the path of a YAML file")


@dataclass(frozen=True)
class Terms:
    """Words that stand in one another's place."""

    words: dict[str, dict[str, list[str]]]  # kind of word -> group -> terms, the first of which is put in

    @classmethod
    def read(cls, stated: str) -> "Terms":
        """Read a list; see `terms_file`.

        Raises:
            InputError: there is none, or it has another form.
        """
        path = terms_file(stated)
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
            words = {
                str(kind): {str(group): [str(term) for term in terms] for group, terms in groups.items() if terms}
                for kind, groups in found["words"].items()
            }
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"terms: {str(path)!r} does not hold 'words': kind of word -> group -> list of terms"
            ) from None
        if len({group for groups in words.values() for group in groups}) < 2:
            raise InputError(f"terms: {str(path)!r} has words for fewer than two groups")
        return cls(words)

    @cached_property
    def groups(self) -> list[str]:
        """The groups that there are words for, sorted."""
        return sorted({group for groups in self.words.values() for group in groups})

    @cached_property
    def _places(self) -> dict[str, tuple[str, str]]:
        """Term in small letters -> kind and group."""
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
        return {self._places[found.group().lower()][1] for found in self._pattern.finditer(text)}

    def swapped(self, text: str, group: str) -> str | None:
        """The text with the words for every other group changed to those for this one; None where it has none of them."""
        changed = False

        def put(found: re.Match[str]) -> str:
            nonlocal changed
            kind, of = self._places[found.group().lower()]
            if of == group or group not in self.words[kind]:
                return found.group()
            changed = True
            word = self.words[kind][group][0]
            return word[0].upper() + word[1:] if found.group()[0].isupper() else word

        swapped = self._pattern.sub(put, text)
        return swapped if changed else None

    def counterfactual(self, text: str, draw: int) -> str | None:
        """The text about another group, which a number chooses among those that it has no word for; None where it has none."""
        named = self.named(text)
        others = [group for group in self.groups if group not in named]
        return self.swapped(text, others[draw % len(others)]) if named and others else None
