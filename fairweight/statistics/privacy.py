"""Whether rows can be told to be someone's: k-anonymity, and columns that look like identifiers."""

import re
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]
NAMES = re.compile(
    r"(^|[_\W])(e?mail|phone|mobile|address|street|surname|ssn|passport|iban|dob|birth\w*|name|firstname|lastname|"
    r"(user|person|patient|customer|case)[_ ]?(id|number|no))($|[_\W])",
    re.IGNORECASE,
)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.IGNORECASE)
PHONE = re.compile(r"\+?\d[\d ()/-]{7,}\d")
UNIQUE = 0.9  # share of distinct values from which text is taken for an identifier
EXAMINED = 1_000


def k_anonymity(kinds: Array) -> dict[str, Any]:
    """How many rows share the values of quasi-identifiers (Sweeney 2002).

    Args:
        kinds: a number (n,) for each row, equal where all its quasi-identifiers are.

    Returns:
        `k`, the smallest number of rows with one combination, and `unique`, the share of rows that are alone with theirs.
    """
    _, sizes = np.unique(kinds, return_counts=True)
    return {"k": int(sizes.min()), "unique": float((sizes == 1).sum() / len(kinds))}


def identifying(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Columns that look like they identify a person, and why: by name, by their values, or because no two rows agree."""
    found = []
    for column in frame.columns:
        values = frame[column].dropna()
        if values.empty or not isinstance(values.iloc[0], str | int | float | np.generic):
            continue
        reason = _reason(str(column), values)
        if reason:
            found.append({"column": str(column), "reason": reason})
    return found


def _reason(name: str, values: pd.Series) -> str | None:
    if NAMES.search(name):
        return "its name"
    if not isinstance(values.iloc[0], str):
        return None
    some = values.head(EXAMINED)
    for pattern, kind in ((EMAIL, "e-mail addresses"), (PHONE, "telephone numbers")):
        if some.map(lambda v, p=pattern: bool(p.fullmatch(v.strip()))).mean() > 0.5:
            return f"its values look like {kind}"
    if len(values) >= 50 and values.nunique() > UNIQUE * len(values):
        return f"{values.nunique():,} of {len(values):,} values are distinct"
    return None
