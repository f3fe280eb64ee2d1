"""Writes a study file for a user's table (`fairweight init`); comments explain each guess and mark what to check."""

import contextlib
import csv
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from fairweight.core import components
from fairweight.core.errors import InputError, listed, quoted
from fairweight.core.yaml_file import parse_yaml
from fairweight.data import guess_formats, value_formats
from fairweight.data.delimited_text import MARKS
from fairweight.data.raw_rows import FILE
from fairweight.data.value_formats import Formats
from fairweight.statistics.privacy import identifying
from fairweight.study.schema import resolve
from fairweight.study.study import Study

SEPARATORS = ",;\t|"
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "--")
MOST_CLASSES = 20  # a numeric target with more distinct values is a quantity
MOST_LEVELS = 100  # a column with more categories is text
FEW_VALUES = 10  # a column with at most this number of distinct whole numbers may hold codes of categories
LEAST_ROWS = 20
MOST_CHARACTERS = 100_000  # of a header line, in which the separator is looked for
SENSITIVE = re.compile(
    r"(^|[\W_\d])(sex|gender|race|ethnic\w*|colou?r|age|birth\w*|religio\w*|faith|national\w*|native\w*|citizen\w*|"
    r"country|disab\w*|marital\w*|marriage|orientation|pregnan\w*|language|veteran|caste|skin)($|[\W_\d])",
    re.IGNORECASE,
)
YEARS = re.compile(r"(^|[\W_])age($|[\W_])", re.IGNORECASE)


@dataclass
class Column:
    """Content of a column, and its use in the study."""

    name: str
    kind: str  # numeric, categorical or dropped
    distinct: int
    missing: int
    note: str | None = None  # why it is dropped, or what to check


@dataclass(frozen=True)
class Raw:
    """A delimited file as it was read.

    Attributes:
        path: the file.
        separator: of its columns.
        quote: around values that contain separators, or `none`.
        encoding: of its text.
        missing: marks of missing values, such as `?`.
        frame: its rows, as strings; missing values are None.
        formats: how numbers and dates are written.
    """

    path: Path
    separator: str
    quote: str
    encoding: str
    missing: list[str]
    frame: pd.DataFrame
    formats: Formats

    def numbers(self, column: str) -> pd.Series:
        """A column as numbers, missing where a value is none."""
        return pd.Series(value_formats.numbers(self.frame[column], column, self.formats))


def write_study_file(data: Path, *, target: str, groups: list[str], positive: str | None, output: Path | None) -> Path:
    """Write a commented study file for a delimited table; an existing file is never overwritten.

    Args:
        data: CSV or similar, with a header line.
        target: column of the label.
        groups: columns of sensitive attributes.
        positive: positive class of a binary label; None takes the rarer one.
        output: file to write; None is the name of the table with `.yaml`, in the current folder.

    Returns:
        The file that was written.

    Raises:
        InputError: the table or the columns cannot be used; one sentence with the remedy.
    """
    output = output or Path(f"{_name(data.stem)}.yaml")
    raw = _read(data)
    for column, option in [(target, "--target"), *((group, "--groups") for group in groups)]:
        if column not in raw.frame.columns:
            raise InputError(
                f"init: {option}: {data} has no column {quoted(column)}; it has {listed(raw.frame.columns)}."
            )
    if target in groups:
        raise InputError(f"init: --groups: {target!r} is the target; name other columns.")
    classes = _classes(raw, target, positive)
    columns = [_column(raw, name) for name in raw.frame.columns if name != target]
    _drop_identifiers(raw, columns)
    text = _study_text(raw, columns, target, classes, groups)
    Study(resolve(parse_yaml(text, str(output))))  # the file must be a legal study
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(
            f"init: {output} exists and was not changed; name another file with --output, or delete it."
        ) from None
    except OSError as error:
        raise InputError(f"init: --output: {output} cannot be written ({error.strerror}); name another file.") from None
    return output


# ---- reading the table


def _read(data: Path) -> Raw:
    """Read a delimited file; separator, encoding and marks of missing values are guessed."""
    if not data.is_file():
        raise InputError(f"init: there is no file {data}.")
    if "#" in str(data):  # a source may be `file:archive.zip#member`
        raise InputError(f"init: {data} has a '#', after which a study file names a member of an archive; rename it.")
    text, encoding = _decoded(data)
    if "\0" in text or not text.strip():
        raise InputError(f"init: {data} is empty or not text; it takes a delimited table (CSV) with a header line.")
    separator = _separator(text.lstrip().splitlines()[0])
    quote, blocks = _rows(data, separator, encoding)
    frame = pd.concat(blocks, ignore_index=True).drop(columns=FILE)
    if len(frame) < LEAST_ROWS:
        raise InputError(f"init: {data} has {len(frame)} rows; a study needs at least {LEAST_ROWS}.")
    marks = sorted({mark for mark in MISSING if (frame == mark).to_numpy().any()} | {""})
    frame = frame.mask(frame.isin(marks), None)
    return Raw(data, separator, quote, encoding, marks, frame, guess_formats.guess(frame))


def _separator(header: str) -> str:
    """The separator of most names in a header line, doubled if it always is there."""
    header = header[:MOST_CHARACTERS]
    mark = max(SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark))))
    return mark * 2 if header.count(mark) == 2 * header.count(mark * 2) > 0 else mark


def _rows(data: Path, separator: str, encoding: str) -> tuple[str, list[pd.DataFrame]]:
    """(quote, rows) of a file, by the reader that the study will use; `none` where quotes belong to the text."""
    read = components.load("readers", "delimited")
    options = {"separator": separator, "encoding": encoding, "missing": [""], "keep": None, "columns": None}
    mistakes = []
    for quote in ('"', "none"):
        try:
            blocks = list(read({data.name: data}, quote=quote, skip_lines={}, rows=None, **options))
        except InputError as error:
            mistakes.append(error)
            continue
        if not mistakes or not any(block[c].str.fullmatch('".*"').any() for block in blocks for c in block):
            return quote, blocks
    raise InputError(f"init: {mistakes[0]} (read with separator {separator!r}).")


def _decoded(data: Path) -> tuple[str, str]:
    """(text, encoding) of a file."""
    content = data.read_bytes()
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), "")
    for encoding in ("utf-8-sig" if marked == "utf-8" else marked or "utf-8", "latin-1"):
        with contextlib.suppress(UnicodeError):
            return content.decode(encoding), encoding
    raise AssertionError("every byte is a character of latin-1")


def _classes(raw: Raw, target: str, positive: str | None) -> pd.Series:
    """Number of rows of each class; the positive one is first where there are two."""
    frame = raw.frame
    if frame[target].isna().any():
        number = int(frame[target].isna().sum())
        raise InputError(f"init: --target: {target!r} is missing in {number:,} rows; remove those rows from the file.")
    counts = frame[target].value_counts()
    if len(counts) < 2:
        raise InputError(f"init: --target: {target!r} has one value only; a label needs at least two classes.")
    numeric = raw.numbers(target).notna().all()
    if len(counts) > MOST_CLASSES and (numeric or len(counts) > len(frame) / 10):
        raise InputError(
            f"init: --target: {target!r} has {len(counts):,} distinct values, which is a quantity and not a class; "
            "make a column of classes from it, for example above and below a threshold."
        )
    if positive is not None and positive not in counts.index:
        raise InputError(f"init: --positive: {target!r} has no class {positive!r}; it has {listed(counts.index)}.")
    first = positive if positive is not None else counts.index[-1]
    return counts.reindex([first, *(c for c in counts.index if c != first)])


def _column(raw: Raw, name: str) -> Column:
    """Guess the kind of a column from its values."""
    values = raw.frame[name].dropna()
    column = Column(name, "categorical", int(values.nunique()), int(raw.frame[name].isna().sum()))
    if column.distinct < 2:
        column.kind, column.note = "dropped", "it has one value only"
        return column
    numbers = raw.numbers(name)[values.index]
    if numbers.notna().all():
        column.kind = "numeric"
        whole = bool((numbers % 1 == 0).all())
        if name in raw.formats.dates:
            swapped = guess_formats.may_be_swapped(values, raw.formats.dates[name])
            column.note = "dates, as days since 1970-01-01" + (": day or month first?" if swapped else "")
        elif whole and column.distinct <= FEW_VALUES:
            column.note = f"{column.distinct} distinct whole numbers: categorical if they are codes"
    elif column.distinct > max(MOST_LEVELS, len(values) // 2):
        column.kind, column.note = "dropped", f"{column.distinct:,} distinct texts: no category"
    elif numbers.notna().mean() > 0.9:
        odd = values[numbers.isna()].iloc[0]
        column.note = f"numbers except for values like {odd!r}: numeric if it marks a missing value (add it to missing)"
    return column


def _drop_identifiers(raw: Raw, columns: list[Column]) -> None:
    """Drop the columns that may identify a person, and note the reason."""
    # numbers are compared as numbers: a quantity is no identifier, although hardly any two of its values are equal
    numbers = {c.name: raw.numbers(c.name) for c in columns if c.kind == "numeric"}
    reasons = {entry["column"]: entry["reason"] for entry in identifying(raw.frame.assign(**numbers))}
    for column in columns:
        if column.name in reasons:
            column.kind, column.note = "dropped", f"may identify a person: {reasons[column.name]}"
        elif _numbers_the_rows(raw, column, numbers):
            column.kind, column.note = "dropped", "distinct whole numbers: they number the rows"


def _numbers_the_rows(raw: Raw, column: Column, numbers: dict[str, pd.Series]) -> bool:
    """Whether a column holds a different whole number in every row."""
    if column.name not in numbers or column.name in raw.formats.dates or column.distinct < len(raw.frame):
        return False
    return bool((numbers[column.name] % 1 == 0).all())


# ---- writing the study file


def _study_text(raw: Raw, columns: list[Column], target: str, classes: pd.Series, groups: list[str]) -> str:
    """Text of the study file."""
    name = _key(_name(raw.path.stem))
    inputs = [c for c in columns if c.kind != "dropped"]
    if not inputs:
        raise InputError(f"init: {raw.path} has no column to learn from beside {target!r} and what was left out.")
    reader = (
        f"{{method: delimited, separator: {_scalar(raw.separator)}, "
        f"{'quote: none, ' * (raw.quote == 'none')}encoding: {raw.encoding}, "
        f"missing: {_list(raw.missing)}}}"
    )
    lines = [
        f"# A first study of {_comment(raw.path.name)}: {len(raw.frame):,} rows, {len(raw.frame.columns)} columns.",
        "# Written once by `fairweight init`; from now on it is yours to edit. Check the lines marked CHECK.",
        "# config/README.md explains every key.",
        f"name: {name}",
        "seeds: 8  # the smallest number with which several variants can be proven; 2 for a first look",
        "",
        "datasets:",
        f"  {name}:",
        f"    title: {_scalar(raw.path.stem)}",
        "    licence: null  # CHECK: shown on the data card",
        f"    reader: {reader}" + "  # CHECK: quotes are taken for text" * (raw.quote == "none"),
        f"    files: {{all: {{sources: [{_scalar(f'file:{raw.path}')}]}}}}",
        *_formats(raw, inputs, columns, groups),
        "    inputs:",
        *_inputs("numeric", [c for c in inputs if c.kind == "numeric"]),
        *_inputs("categorical", [c for c in inputs if c.kind == "categorical"]),
    ]
    if any(c.kind == "numeric" and c.missing for c in inputs):
        lines.append("      missing_numeric: mean  # CHECK: replaces a missing number by the mean of the training rows")
    lines += _target(target, classes)
    lines += _groups(raw, columns, groups)
    lines += _remarks(columns, groups)
    lines += [
        "    split: {test: 0.2, validation: 0.1}  # test rows are drawn once, validation rows for each seed",
        "",
    ]
    return "\n".join([*lines, *_rest(name)]) + "\n"


def _remarks(columns: list[Column], groups: list[str]) -> list[str]:
    """Lines on further sensitive columns, and on those that are left out."""
    others = [c for c in columns if c.name not in groups]
    sensitive = ", ".join(c.name for c in others if SENSITIVE.search(c.name))
    lines = [f"    # CHECK: may be sensitive and could be groups as well: {_comment(sensitive)}"] if sensitive else []
    if dropped := [c for c in others if c.kind == "dropped"]:
        lines.append("    drop:  # CHECK: these columns are left out of the table")
        lines += [f"      - {_scalar(c.name)}  # {_comment(c.note or '')}" for c in dropped]
    return lines


def _inputs(kind: str, columns: list[Column]) -> list[str]:
    if not columns:
        return [f"      {kind}: []"]
    lines = [f"      {kind}:"]
    for column in columns:
        notes = [f"{column.distinct:,} distinct"] if kind == "categorical" else []
        notes += [f"{column.missing:,} missing"] if column.missing else []
        notes += [f"CHECK: {column.note}"] if column.note else []
        lines.append(f"        - {_scalar(column.name)}" + (f"  # {_comment('; '.join(notes))}" if notes else ""))
    return lines


def _target(target: str, classes: pd.Series) -> list[str]:
    shares = ", ".join(f"{c} {n / classes.sum():.1%}" for c, n in list(classes.items())[:10])
    if len(classes) > 2:
        return [f"    target: {{column: {_scalar(target)}}}  # {_comment(f'{len(classes)} classes: {shares}')}"]
    label = f"{{column: {_scalar(target)}, positive: {_scalar(classes.index[0])}}}"
    return [f"    target: {label}  # CHECK: which class is the positive one? {_comment(shares)}"]


def _formats(raw: Raw, inputs: list[Column], columns: list[Column], groups: list[str]) -> list[str]:
    """Lines on how numbers and dates are written, where programs would write them in another way."""
    formats = raw.formats
    lines = [f"    decimal: {_scalar(formats.decimal)}  # CHECK: as in 20,5"] if formats.decimal != "." else []
    if formats.thousands is not None:
        example = f"1{formats.thousands}234{formats.decimal}5"
        lines.append(f"    thousands: {_scalar(formats.thousands)}  # CHECK: as in {example}")
    numeric = {c.name for c in inputs if c.kind == "numeric"} | {
        c.name for c in columns if c.name in groups and _binned(c)
    }
    if dates := {name: form for name, form in formats.dates.items() if name in numeric}:
        lines.append("    dates:  # CHECK: a date becomes the number of days since 1970-01-01")
        lines += [f"      {_scalar(name)}: {_scalar(form)}" for name, form in dates.items()]
    return lines


def _groups(raw: Raw, columns: list[Column], groups: list[str]) -> list[str]:
    if not groups:
        return [
            "    groups: {}  # CHECK: whom could the model treat unequally? {sex: {column: sex}} would compare by sex"
        ]
    lines, column_of, taken = ["    groups:"], {c.name: c for c in columns}, set[str]()
    for group in groups:
        name = _name(group)
        while name in taken:
            name += "_"
        taken.add(name)
        lines.append(f"      {_key(name)}: {_group(raw, column_of[group])}")
    return lines


def _binned(column: Column) -> bool:
    return column.kind == "numeric" and column.distinct > FEW_VALUES


def _group(raw: Raw, column: Column) -> str:
    """Definition of a group attribute, with a comment on the size of its groups."""
    definition = f"column: {_scalar(column.name)}"
    if _binned(column):
        bins = [25, 60] if YEARS.search(column.name) else _thirds(raw.numbers(column.name))
        return f"{{{definition}, bins: {bins}}}  # CHECK: where to cut"
    counts = raw.frame[column.name].value_counts()
    if len(counts) < 2:
        raise InputError(f"init: --groups: {column.name!r} has one value only; there are no groups to compare.")
    if len(counts) > MOST_LEVELS:
        raise InputError(
            f"init: --groups: {column.name!r} has {len(counts):,} distinct values; make a column of fewer groups from "
            "it."
        )
    sizes = ", ".join(f"{k} {n:,}" for k, n in list(counts.items())[:8])
    small = " CHECK: groups below 50 rows say little;" if counts.min() < 50 else ""
    return f"{{{definition}}}  #{small} {_comment(sizes)}"


def _thirds(numbers: pd.Series) -> list[float]:
    """Two cuts between thirds of the numbers, with as few digits as keep them apart and within the numbers."""
    thirds, low, high = numbers.quantile([1 / 3, 2 / 3]), numbers.min(), numbers.max()
    for digits in range(3, 18):
        cuts = sorted({float(f"{q:.{digits}g}") for q in thirds})
        if len(cuts) == thirds.nunique() and low < cuts[0] and cuts[-1] <= high:
            break
    return [int(c) if c == int(c) else c for c in cuts]


def _rest(name: str) -> list[str]:
    """Lines of models, training recipes, variants, criteria and the grid."""
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
        "# what a variant must keep to be recommended: accepted losses against its baseline, as shares",
        "# CHECK: decide on the margins before you look at results",
        "criteria:",
        "  margins: {accuracy: 0.01, group_accuracy: 0.02, worst_group_accuracy: 0.02, fairness_gap: 0.05}",
        "",
        "grid:",
        f"  - {{dataset: {name}, models: [mlp], variants: [dense, dense_again, pruned50, int8, pruned50_int8]}}",
    ]


def _scalar(value: str) -> str:
    """A string in YAML, on one line and in quotes."""
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("...").rstrip("\n")


def _key(name: str) -> str:
    """A name in YAML, in quotes only where YAML would not read a string, such as `2020`, `null` and `on`."""
    plain = yaml.safe_dump(name, allow_unicode=True).splitlines()[0]
    return name if plain == name else _scalar(name)


def _list(values: list[str]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _comment(text: str) -> str:
    """Text for a comment: one line of at most 240 printable characters."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 240 else f"{plain[:239]}\N{HORIZONTAL ELLIPSIS}"


def _name(text: str) -> str:
    """A legal name of a study file (`$defs: name` of the schema), made from any text."""
    return re.sub(r"[^\w]+", "_", text).strip("_")[:60] or "data"
