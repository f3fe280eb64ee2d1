"""Names that look like other names: letters of other scripts, and characters that cannot be seen (standard library)."""

import re
import unicodedata
from collections import Counter

# scripts that East Asian languages write together; their letters look different
TOGETHER = {"LATIN", "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO", "HANGUL"}
# letters of other scripts that look like Latin ones (Unicode Technical Standard 39, confusables.txt)
LOOKALIKES = str.maketrans(
    "асеорухіјѕһԁԛԝӏАВЕКМНОРСТУХІЈЅԌԚԜοναιρυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aceopyxijshdqwlABEKMHOPCTYXIJSGQWovaipuABEZHIKMNOPTYX",
)
JOINERS = "\u200c\u200d"  # which several scripts and emoji need
WORD = re.compile(r"[^\W\d_]+")


def look(name: str) -> str:
    """A form that names which look the same have in common."""
    if name.isascii():
        return " ".join(name.split())
    plain = unicodedata.normalize("NFKC", name).translate(LOOKALIKES)
    return " ".join("".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc")).split())


def hidden(name: str) -> list[str]:
    """Characters of a name that cannot be seen: direction marks, control characters, and spaces without width."""
    if name.isascii() and name.isprintable():
        return []
    needed = JOINERS if any(ord(c) > 127 and c not in JOINERS for c in name) else ""
    return [c for c in dict.fromkeys(name) if unicodedata.category(c) in ("Cc", "Cf") and c not in needed]


def scripts(name: str) -> set[str]:
    """Scripts of a name's letters, if there are several that no language writes together."""
    if name.isascii():
        return set()
    names = {_script(c) for c in name if c.isalpha()}
    return names if len(names) > 1 and not names <= TOGETHER else set()


def strange_letters(name: str) -> list[str]:
    """Letters of the rarer scripts in a word that has letters of several scripts."""
    strange: dict[str, None] = {}
    for word in WORD.findall(name):
        if scripts(word):
            usual = Counter(map(_script, word)).most_common(1)[0][0]
            strange |= dict.fromkeys(c for c in word if _script(c) != usual)
    return list(strange)


def code_points(characters: list[str]) -> str:
    """Characters by number and name: "U+0430 cyrillic small letter a"."""
    return ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, '').lower()}".strip() for c in characters)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "OTHER").split()[0]
