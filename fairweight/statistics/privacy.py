"""Privacy checks of a table: k-anonymity, and columns that look like identifiers of persons."""

import re
from typing import Any, TypedDict

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
UNIQUE = 0.9  # share of distinct values above which text is taken for an identifier
EXAMINED = 1_000


class Anonymity(TypedDict):
    """k-anonymity of a table.

    `k` is the smallest number of rows with one combination of quasi-identifiers, `unique` the share of rows whose
    combination no other row has.
    """

    k: int
    unique: float


class Identifier(TypedDict):
    """A column that looks like it identifies a person, and why."""

    column: str
    reason: str


def k_anonymity(kinds: Array) -> Anonymity:
    """Count how many rows share their values of the quasi-identifiers (Sweeney 2002).

    Args:
        kinds: a number for each row (n,), equal for rows whose quasi-identifiers are all equal.
    """
    _, sizes = np.unique(kinds, return_counts=True)
    return {"k": int(sizes.min()), "unique": float((sizes == 1).sum() / len(kinds))}


def identifying(frame: pd.DataFrame) -> list[Identifier]:
    """Columns that look like they identify a person, by name, by their values, or because nearly all values differ."""
    columns: list[Identifier] = []
    for column in frame.columns:
        values = frame[column].dropna()
        if values.empty or not isinstance(values.iloc[0], str | int | float | np.generic):
            continue
        reason = _reason(str(column), values)
        if reason:
            columns.append({"column": str(column), "reason": reason})
    return columns


def _reason(name: str, values: pd.Series) -> str | None:
    if NAMES.search(name):
        return "its name"
    if not isinstance(values.iloc[0], str):
        return None
    sample = values.head(EXAMINED)
    for pattern, kind in ((EMAIL, "e-mail addresses"), (PHONE, "telephone numbers")):
        if sample.map(lambda v, p=pattern: bool(p.fullmatch(v.strip()))).mean() > 0.5:
            return f"its values look like {kind}"
    if len(values) >= 50 and values.nunique() > UNIQUE * len(values):
        return f"{values.nunique():,} of {len(values):,} values are distinct"
    return None
