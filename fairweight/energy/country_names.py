"""Countries by other names than their ISO 3166 alpha-3 code, to suggest the code (standard library only).

The names are those of pycountry, which CodeCarbon depends on: its tables are Debian's iso-codes (ISO 3166-1 and -2).
"""

import difflib
import functools
import importlib.util
import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

NEAREST = 3
LEAST_BEGIN, LEAST_PART = 3, 4  # letters of the begin or another part of a name; fewer are in many names
SIMILAR = 0.75  # ratio of difflib above which a name counts as misspelt

# codes that ISO 3166 reserves for use beside its own (UK), those of the European Union (EL), and names that are or were
# in common use: "Short names of countries" in the CLDR of the Unicode Consortium, alternative and earlier forms
ALIASES = {
    "uk": "GBR",
    "britain": "GBR",
    "great britain": "GBR",
    "el": "GRC",
    "america": "USA",
    "holland": "NLD",
    "the netherlands": "NLD",
    "russia": "RUS",
    "uae": "ARE",
    "emirates": "ARE",
    "turkey": "TUR",
    "czech republic": "CZE",
    "ivory coast": "CIV",
    "burma": "MMR",
    "swaziland": "SWZ",
    "cape verde": "CPV",
    "macedonia": "MKD",
    "drc": "COD",
    "prc": "CHN",
    "rok": "KOR",
    "roc": "TWN",
}


def suggested(place: str, legal: Mapping[str, str]) -> list[str]:
    """Codes of the countries that a name may stand for, best first; at most three.

    Args:
        place: what somebody wrote: a code, a name, a part of a country, misspelt or not.
        legal: names by alpha-3 code.
    """
    wanted = _plain(place)
    names = {_plain(name): code for code, name in legal.items()} | _names()
    for exact in (names.get(wanted), _subdivisions().get(wanted)):
        if exact:
            return [exact] if exact in legal else []
    near = [code for name, code in names.items() if len(wanted) >= LEAST_BEGIN and name.startswith(wanted)]
    near += [code for name, code in names.items() if len(wanted) >= LEAST_PART and wanted in name]
    near += [names[name] for name in difflib.get_close_matches(wanted, names, n=2 * NEAREST, cutoff=SIMILAR)]
    near += difflib.get_close_matches(place, legal, n=NEAREST)
    return [code for code in dict.fromkeys(near) if code in legal][:NEAREST]


def _plain(name: str) -> str:
    """A name without case, accents, dots and surrounding blanks."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c) and c != ".").strip()


def _table(standard: str) -> list[dict[str, str]]:
    # located without importing it, like CodeCarbon
    spec = importlib.util.find_spec("pycountry")
    if spec is None or spec.origin is None:
        return []
    path = Path(spec.origin).parent / "databases" / f"iso{standard}.json"
    entries: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))[standard]
    return entries


@functools.cache
def _names() -> dict[str, str]:
    """Alpha-3 code by plain name, alpha-2 and alpha-3 code, and alias."""
    keys = ("name", "common_name", "official_name", "alpha_2", "alpha_3")
    names = {_plain(entry[key]): entry["alpha_3"] for entry in _table("3166-1") for key in keys if key in entry}
    return names | ALIASES


@functools.cache
def _subdivisions() -> dict[str, str]:
    """Alpha-3 code by plain name of a part of one country, such as England; names of parts of several are left out."""
    alpha_3 = {entry["alpha_2"]: entry["alpha_3"] for entry in _table("3166-1")}
    countries: dict[str, set[str]] = {}
    for entry in _table("3166-2"):
        for name in re.split(r"[;\[\]]|\b[A-Z]{2}-[A-Z]{3}\b", entry["name"]):  # "Wales [Cymru GB-CYM]"
            countries.setdefault(_plain(name), set()).add(alpha_3[entry["code"].split("-")[0]])
    return {name: next(iter(codes)) for name, codes in countries.items() if len(codes) == 1}
