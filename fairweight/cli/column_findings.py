"""Findings on the columns of a user's table: sensitive ones, zip codes, pictures, and codes that may be one."""

import re
import unicodedata
from collections.abc import Mapping

import pandas as pd

SENSITIVE = re.compile(
    r"(^|[\W_\d])(sex|gender|race|ethnic\w*|colou?r|age|birth\w*|religio\w*|faith|national\w*|native\w*|citizen\w*|"
    r"country|disab\w*|marital\w*|marriage|orientation|pregnan\w*|language|veteran|caste|skin|foreign\w*|immigra\w*)"
    r"($|[\W_\d])",
    re.IGNORECASE,
)
ZIP_CODE = re.compile(r"(^|[\W_])(zip|zip[_ ]?codes?|post(al)?[_ ]?codes?|postcodes?|plz)($|[\W_\d])", re.IGNORECASE)
PICTURE = re.compile(r".+\.(png|jpe?g|gif|bmp|tiff?|webp)", re.IGNORECASE)
SHORTEST_WORD = 3  # characters of a word that a single letter may abbreviate
MOST_CODES = 100  # more values are compared by blanks and case only
EXAMINED = 1_000


def is_sensitive(name: str) -> bool:
    """Whether a column may be a sensitive attribute, by its name."""
    return SENSITIVE.search(name) is not None


def is_zip_code(name: str) -> bool:
    """Whether a column holds zip codes, by its name."""
    return ZIP_CODE.search(name) is not None


def is_path_of_picture(values: pd.Series) -> bool:
    """Whether texts (n,) are names of files of pictures."""
    sample = values.head(EXAMINED)
    return bool(len(sample)) and bool(sample.str.fullmatch(PICTURE).all())


def alike(counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Values that may be one code: they differ by blanks or case, or one is the first letter of the other.

    Args:
        counts: value -> number of its rows.

    Returns:
        The most frequent spelling, of a word if there is one -> all values that may mean the same, itself included.
    """
    of_form: dict[str, list[str]] = {}
    for value in counts:
        of_form.setdefault(_form(value), []).append(value)
    forms = _abbreviated(list(of_form)) if len(of_form) <= MOST_CODES else {}
    codes: dict[str, list[str]] = {}
    for form, values in of_form.items():
        codes.setdefault(forms.get(form, form), []).extend(values)
    return {
        max(of_form[form], key=lambda value: counts[value]): sorted(values)
        for form, values in codes.items()
        if len(values) > 1
    }


def _form(value: str) -> str:
    """What values have in common that differ by blanks or case only."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", value)).casefold()


def _abbreviated(forms: list[str]) -> dict[str, str]:
    """Single letters -> the only word that begins with it; nothing where more letters stand for no word."""
    letters = [form for form in forms if len(form) == 1 and form.isalpha()]
    words = [form for form in forms if len(form) >= SHORTEST_WORD and form.isalpha()]
    beginning = {letter: [word for word in words if word.startswith(letter)] for letter in letters}
    word_of = {letter: own[0] for letter, own in beginning.items() if len(own) == 1}
    return word_of if 2 * len(word_of) >= len(letters) else {}
