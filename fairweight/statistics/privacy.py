"""Privacy checks of a table: k-anonymity, l-diversity, t-closeness, and columns that may identify persons."""

import re
from typing import Any, NotRequired, TypedDict

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
    """k-anonymity of a table, and what a combination of quasi-identifiers says of the label.

    `k` is the smallest number of rows with one combination of quasi-identifiers, `unique` the share of rows whose
    combination no other row has. Where labels are classes, `distinct_labels` is the smallest number of classes with one
    combination (l-diversity), and `largest_shift` the largest total variation distance of the classes of one
    combination from those of the table (t-closeness).
    """

    k: int
    unique: float
    distinct_labels: NotRequired[int]
    largest_shift: NotRequired[float]


class Identifier(TypedDict):
    """A column that looks like it identifies a person, and why."""

    column: str
    reason: str


def k_anonymity(kinds: Array, labels: Array | None = None) -> Anonymity:
    """Count how many rows share their values of the quasi-identifiers (Sweeney 2002), and their labels.

    Args:
        kinds: a number for each row (n,), equal for rows whose quasi-identifiers are all equal.
        labels: class of each row (n,), for l-diversity (Machanavajjhala et al. 2007) and t-closeness (Li et al. 2007,
            with equal distances between classes); None without them.
    """
    _, places, sizes = np.unique(kinds, return_inverse=True, return_counts=True)
    measured: Anonymity = {"k": int(sizes.min()), "unique": float((sizes == 1).sum() / len(kinds))}
    if labels is None:
        return measured
    classes, codes = np.unique(labels, return_inverse=True)
    pairs, counts = np.unique(places.ravel() * len(classes) + codes, return_counts=True)
    owner, code = np.divmod(pairs, len(classes))
    shares, overall = counts / sizes[owner], np.bincount(codes) / len(codes)
    # half the sum of absolute differences is the sum of those above the overall share
    above = np.bincount(owner, weights=np.maximum(shares - overall[code], 0), minlength=len(sizes))
    measured["distinct_labels"] = int(np.bincount(owner, minlength=len(sizes)).min())
    measured["largest_shift"] = float(above.max())
    return measured


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
