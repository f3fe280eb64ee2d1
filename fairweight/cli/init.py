"""A study file from a user's table: what `fairweight init` writes, with what it guessed and why beside each line."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.data.raw_rows import FILE
from fairweight.statistics.privacy import identifying
from fairweight.study.schema import resolve
from fairweight.study.study import Study

SEPARATORS = ",;\t|"
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "--")
MOST_CLASSES = 20  # distinct values from which a numeric target is taken for a quantity
MOST_LEVELS = 100  # categories from which a column is taken for text
FEW_VALUES = 10  # distinct whole numbers up to which a column may be codes of categories
LEAST_ROWS = 20
SENSITIVE = re.compile(
    r"(^|[\W_\d])(sex|gender|race|ethnic\w*|colou?r|age|birth\w*|religio\w*|faith|national\w*|native\w*|citizen\w*|country|"
    r"disab\w*|marital\w*|marriage|orientation|pregnan\w*|language|veteran|caste|skin)($|[\W_\d])",
    re.IGNORECASE,
)
YEARS = re.compile(r"(^|[\W_])age($|[\W_])", re.IGNORECASE)


@dataclass
class Column:
    """What a column holds, and what is made of it."""

    name: str
    kind: str  # numeric, categorical or dropped
    distinct: int
    missing: int
    note: str | None = None  # why it is dropped, or what to check


def begin(data: Path, *, target: str, groups: list[str], positive: str | None, output: Path | None) -> Path:
    """Write a commented study file for a delimited table; a file that exists is never overwritten.

    Args:
        data: CSV or a relative, with a header line.
        target: column of the label.
        groups: columns of sensitive attributes.
        positive: the positive class of a binary label; None takes the rarer one.
        output: file to write; None is the name of the data with `.yaml`, in the current folder.

    Returns:
        The file that was written.

    Raises:
        InputError: the table or the columns do not fit; one sentence with the remedy.
    """
    output = output or Path(f"{_name(data.stem)}.yaml")
    separator, encoding, frame = _read(data)
    for column, option in [(target, "--target"), *((group, "--groups") for group in groups)]:
        if column not in frame.columns:
            legal = ", ".join(frame.columns)
            raise InputError(f"init: {option}: {data} has no column {column!r}; it has {legal}.")
    if target in groups:
        raise InputError(f"init: --groups: {target!r} is the target; name other columns.")
    marks = sorted({mark for mark in MISSING if (frame == mark).to_numpy().any()} | {""})
    frame = frame.mask(frame.isin(marks), None)
    classes = _classes(frame, target, positive)
    columns = [_column(frame, name) for name in frame.columns if name != target]
    _explain_identifiers(frame, columns)
    text = _text(data, frame, columns, dict(target=target, groups=groups, separator=separator, encoding=encoding,
                                            missing=marks, classes=classes))  # fmt: skip
    Study(resolve(yaml.safe_load(text)))  # what is written must be legal
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"init: {output} exists and is left as it is; name another file with --output.") from None
    except OSError as error:
        raise InputError(f"init: --output: {output} cannot be written ({error.strerror}); name another file.") from None
    return output


def _read(data: Path) -> tuple[str, str, pd.DataFrame]:
    """(separator, encoding, table of strings) of a delimited file."""
    if not data.is_file():
        raise InputError(f"init: there is no file {data}.")
    if "#" in str(data):  # as the source `file:archive.zip#member` is read
        raise InputError(f"init: {data} has a '#', after which a study file names a member of an archive; rename it.")
    encoding = "utf-8"
    try:
        text = data.read_text(encoding="utf-8-sig")
        encoding = "utf-8-sig" if data.read_bytes().startswith(b"\xef\xbb\xbf") else encoding
    except UnicodeDecodeError:
        text, encoding = data.read_text(encoding="latin-1"), "latin-1"
    if "\0" in text or not text.strip():
        raise InputError(f"init: {data} is empty or not text; it takes a delimited table (CSV) with a header line.")
    header = text.lstrip().splitlines()[0]
    separator = max(SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark))))
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise InputError(f"init: {data} has two columns {repeated[0]!r}; rename one.")
    # what the study will read it with
    read = components.load("readers", "delimited")
    stated = {"separator": separator, "encoding": encoding, "missing": [""], "quote": '"'}
    try:
        blocks = list(read({data.name: data}, columns=None, keep=None, skip_lines={}, rows=None, **stated))
    except InputError as error:
        raise InputError(f"init: {error} (read with separator {separator!r}).") from None
    frame = pd.concat(blocks, ignore_index=True).drop(columns=FILE)
    if len(frame) < LEAST_ROWS:
        raise InputError(f"init: {data} has {len(frame)} rows; a study needs at least {LEAST_ROWS}.")
    return separator, encoding, frame


def _classes(frame: pd.DataFrame, target: str, positive: str | None) -> pd.Series:
    """Rows of each class, the positive one first where there are two."""
    if frame[target].isna().any():
        number = int(frame[target].isna().sum())
        raise InputError(f"init: --target: {target!r} is missing in {number:,} rows; take those rows out of the file.")
    counts = frame[target].value_counts()
    if len(counts) < 2:
        raise InputError(f"init: --target: {target!r} has one value only; a label needs at least two classes.")
    numeric = pd.to_numeric(frame[target], errors="coerce").notna().all()
    if len(counts) > MOST_CLASSES and (numeric or len(counts) > len(frame) / 10):
        raise InputError(
            f"init: --target: {target!r} has {len(counts):,} distinct values, which is a quantity and not a class; "
            "make a column of classes from it, say above and below a threshold."
        )
    if positive is not None and positive not in counts.index:
        raise InputError(f"init: --positive: {target!r} has no class {positive!r}; it has {', '.join(counts.index)}.")
    first = positive if positive is not None else counts.index[-1]
    return counts.reindex([first, *(c for c in counts.index if c != first)])


def _column(frame: pd.DataFrame, name: str) -> Column:
    values = frame[name].dropna()
    found = Column(name, "categorical", int(values.nunique()), int(frame[name].isna().sum()))
    if found.distinct < 2:
        found.kind, found.note = "dropped", "it has one value only"
        return found
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().all():
        found.kind = "numeric"
        whole = bool((numbers % 1 == 0).all())
        if whole and found.distinct <= FEW_VALUES:
            found.note = f"{found.distinct} distinct whole numbers: categorical if they are codes"
    elif found.distinct > max(MOST_LEVELS, len(values) // 2):
        found.kind, found.note = "dropped", f"{found.distinct:,} distinct texts: no category"
    elif numbers.notna().mean() > 0.9:
        odd = values[numbers.isna()].iloc[0]
        found.note = f"numbers but for values like {odd!r}: numeric if that marks a missing value (add it to missing)"
    return found


def _explain_identifiers(frame: pd.DataFrame, columns: list[Column]) -> None:
    """Drop what looks like it identifies a person, with the reason."""
    # numbers as numbers: that hardly two agree says nothing of a quantity
    numbers = {c.name: pd.to_numeric(frame[c.name]) for c in columns if c.kind == "numeric"}
    reasons = {entry["column"]: entry["reason"] for entry in identifying(frame.assign(**numbers))}
    for column in columns:
        if column.name in reasons:
            column.kind, column.note = "dropped", f"may identify a person: {reasons[column.name]}"
        elif column.kind == "numeric" and column.distinct == len(frame) and bool((numbers[column.name] % 1 == 0).all()):
            column.kind, column.note = "dropped", "whole numbers of which no two agree: numbers its rows"


# ---- the text


def _text(data: Path, frame: pd.DataFrame, columns: list[Column], about: dict[str, Any]) -> str:
    target, classes, groups = about["target"], about["classes"], about["groups"]
    name = _key(_name(data.stem))
    used = [c for c in columns if c.kind != "dropped" or c.name in groups]
    inputs = [c for c in used if c.kind != "dropped"]
    if not inputs:
        raise InputError(f"init: {data} has no column to learn from beside {target!r} and what was left out.")
    dropped = [c for c in columns if c.kind == "dropped" and c.name not in groups]
    candidates = [c.name for c in columns if SENSITIVE.search(c.name) and c.name not in groups]
    lines = [
        f"# A first study of {_comment(data.name)}: {len(frame):,} rows, {len(frame.columns)} columns.",
        "# Written once by `fairweight init`; it is yours now. Check what is marked CHECK; every key is explained in config/README.md.",
        f"name: {name}",
        "seeds: 8  # the smallest number with which several variants can be proven; 2 for a first look",
        "",
        "datasets:",
        f"  {name}:",
        f"    title: {_scalar(data.stem)}",
        "    licence: null  # CHECK: shown on the data card",
        f"    reader: {{method: delimited, separator: {_scalar(about['separator'])}, encoding: {about['encoding']}, missing: {_list(about['missing'])}}}",
        f"    files: {{all: {{sources: [{_scalar(f'file:{data}')}]}}}}",
        "    inputs:",
        *_inputs("numeric", [c for c in inputs if c.kind == "numeric"]),
        *_inputs("categorical", [c for c in inputs if c.kind == "categorical"]),
    ]
    gaps = [c for c in inputs if c.kind == "numeric" and c.missing]
    if gaps:
        lines.append("      missing_numeric: mean  # CHECK: the mean of the training rows stands for a missing number")
    lines += _target(target, classes)
    lines += _groups(frame, columns, groups)
    if candidates:
        lines.append(f"    # CHECK: may be sensitive, too, and could be groups: {_comment(', '.join(candidates))}")
    if dropped:
        lines.append("    drop:  # CHECK: these never reach the table")
        lines += [f"      - {_scalar(c.name)}  # {_comment(c.note or '')}" for c in dropped]
    lines += [
        "    split: {test: 0.2, validation: 0.1}  # test rows are drawn once; validation rows anew by each seed",
        "",
    ]
    return "\n".join([*lines, *_rest(name)]) + "\n"


def _inputs(kind: str, columns: list[Column]) -> list[str]:
    if not columns:
        return [f"      {kind}: []"]
    lines = [f"      {kind}:"]
    for column in columns:
        notes = [f"{column.distinct:,} distinct" if kind == "categorical" else "", f"{column.missing:,} missing" if column.missing else ""]  # fmt: skip
        notes.append(f"CHECK: {column.note}" if column.note else "")
        note = "; ".join(n for n in notes if n)
        lines.append(f"        - {_scalar(column.name)}" + (f"  # {_comment(note)}" if note else ""))
    return lines


def _target(target: str, classes: pd.Series) -> list[str]:
    shares = ", ".join(f"{c} {n / classes.sum():.1%}" for c, n in list(classes.items())[:10])
    if len(classes) > 2:
        return [f"    target: {{column: {_scalar(target)}}}  # {_comment(f'{len(classes)} classes: {shares}')}"]
    stated = f"{{column: {_scalar(target)}, positive: {_scalar(classes.index[0])}}}"
    return [f"    target: {stated}  # CHECK: which class is the positive one? {_comment(shares)}"]


def _groups(frame: pd.DataFrame, columns: list[Column], groups: list[str]) -> list[str]:
    if not groups:
        return [
            "    groups: {}  # CHECK: whom could the model treat unequally? {sex: {column: sex}} would compare by sex"
        ]
    lines, known, taken = ["    groups:"], {c.name: c for c in columns}, set[str]()
    for group in groups:
        column, name = known[group], _name(group)
        while name in taken:
            name += "_"
        taken.add(name)
        stated = f"column: {_scalar(group)}"
        numbers = pd.to_numeric(frame[group], errors="coerce")
        if column.kind == "numeric" and column.distinct > FEW_VALUES:
            bins = [25, 60] if YEARS.search(group) else _thirds(numbers)
            lines.append(f"      {_key(name)}: {{{stated}, bins: {bins}}}  # CHECK: where to cut")
            continue
        counts = frame[group].value_counts()
        if len(counts) < 2:
            raise InputError(f"init: --groups: {group!r} has one value only; there is nobody to compare.")
        if len(counts) > MOST_LEVELS:
            raise InputError(
                f"init: --groups: {group!r} has {len(counts):,} distinct values; make a column of fewer groups from it."
            )
        shown = ", ".join(f"{k} {n:,}" for k, n in list(counts.items())[:8])
        small = " CHECK: groups below 50 rows say little;" if counts.min() < 50 else ""
        lines.append(f"      {_key(name)}: {{{stated}}}  #{small} {_comment(shown)}")
    return lines


def _thirds(numbers: pd.Series) -> list[float]:
    cuts = sorted({float(f"{q:.3g}") for q in numbers.quantile([1 / 3, 2 / 3])})
    return [int(c) if c == int(c) else c for c in cuts]


def _rest(name: str) -> list[str]:
    return [
        "models:",
        "  mlp: {architecture: mlp, hidden: [64, 32]}",
        '  # mine: {architecture: "my_models:tower"}  # a function of your own, in my_models.py beside this file',
        "",
        "training:",
        "  standard: {epochs: 10, learning_rate: 1.0e-3, schedule: cosine, batch_size: 128}",
        "",
        "variants:",
        "  dense: {train: standard}",
        "  dense_again: {train: standard, replicate: 1}  # the noise floor: what retraining alone changes",
        "  pruned50: {from: dense, prune: {method: global_magnitude, sparsity: 0.5, finetune: {epochs: 3}}}",
        "  int8: {from: dense, quantize: auto}",
        "  pruned50_int8: {from: pruned50, quantize: auto}",
        "",
        "# what a variant must keep to be recommended: losses against its baseline that you accept, as shares",
        "criteria:",
        "  margins: {accuracy: 0.01, worst_group_accuracy: 0.02, fairness_gap: 0.05}  # CHECK: yours to decide, before you look",
        "",
        "grid:",
        f"  - {{dataset: {name}, models: [mlp], variants: [dense, dense_again, pruned50, int8, pruned50_int8]}}",
    ]


def _scalar(value: str) -> str:
    """A string as YAML on one line, quoted whatever it holds."""
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("...").rstrip("\n")


def _key(name: str) -> str:
    """A legal name, quoted only where YAML would read it as something else: `2020`, `null` and `on` are no strings."""
    plain = yaml.safe_dump(name, allow_unicode=True).splitlines()[0]
    return name if plain == name else _scalar(name)


def _list(values: list[str]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _comment(text: str) -> str:
    """Text inside a comment: on one line, without control characters, not endless."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 240 else f"{plain[:239]}\N{HORIZONTAL ELLIPSIS}"


def _name(text: str) -> str:
    """A legal name of a study file (`$defs: name` of the schema) made from any text."""
    return re.sub(r"[^\w]+", "_", text).strip("_")[:60] or "data"
