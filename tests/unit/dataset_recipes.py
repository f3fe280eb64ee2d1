"""A dataset of the study file, and the options of its reader."""

from studies import tiny

from fairweight.study.schema import resolve

READER = {
    "separator": ",",
    "quote": '"',
    "encoding": "utf-8",
    "keep": None,
    "columns": None,
    "missing": ["", "?"],
    "skip_lines": {},
    "rows": None,
}


def dataset(**changes):
    keys = {f"datasets__adult__{key}": value for key, value in changes.items()}
    defaults = {
        "datasets__adult__inputs": {"numeric": ["age"], "categorical": ["job"]},
        "datasets__adult__target": {"column": "paid"},
        "datasets__adult__groups": {"sex": {"column": "sex"}},
    }
    return resolve(tiny(**(defaults | keys)))["datasets"]["adult"]
