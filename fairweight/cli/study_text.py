"""Lines of a study file, as `init` and `check` write them: dataset, target and groups, with comments on guesses."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import yaml

from fairweight.cli.column_findings import alike
from fairweight.cli.table_file import FEW_VALUES, MOST_LEVELS, Column, Raw
from fairweight.cli.table_form import TYPED
from fairweight.core.errors import InputError
from fairweight.core.yaml_file import parse_yaml
from fairweight.study.schema import resolve
from fairweight.study.study import Study

YEARS = re.compile(r"(^|[\W_])age($|[\W_])", re.IGNORECASE)

MOST_JOINED = 5  # groups of the example of a merge
FEWEST_ROWS = 250  # of a group, of which a fifth are test rows
TRAINING_SHARE = 0.7  # what `split` of the file leaves for training
FEWEST_STEPS, FEWEST_EPOCHS = 2_000, 5
BATCHES = ((5_000, 32), (100_000, 128), (math.inf, 512))  # (training rows below, batch size)
DECAYS = ((500, 0.06), (2_000, 0.03), (10_000, 0.01), (math.inf, 0.001))  # (training rows below, weight decay)


def learning_recipe(rows: int) -> dict[str, float]:
    """Epochs, batch size and weight decay by which a table of this number of rows is learned.

    What counts is the number of optimizer steps: with ten epochs of a thousand rows, a model still predicts the larger
    class for everyone. Few rows need weight decay as well; the epoch with the lowest validation loss is restored.
    """
    trained_on = max(int(TRAINING_SHARE * rows), 1)
    batch = next(size for below, size in BATCHES if trained_on < below)
    epochs = max(math.ceil(FEWEST_STEPS / math.ceil(trained_on / batch)), FEWEST_EPOCHS)
    return {"epochs": epochs, "batch_size": batch, "weight_decay": next(w for n, w in DECAYS if trained_on < n)}


def flow_mapping(recipe: dict[str, float]) -> str:
    """Options with numbers in YAML, on one line and without braces."""
    return ", ".join(f"{option}: {value:g}" for option, value in recipe.items())


def write_study(output: Path, text: str, command: str) -> None:
    """Write a study file, after it has been checked; an existing file is never overwritten.

    Args:
        output: file to write.
        text: its content.
        command: that writes it, for messages.

    Raises:
        InputError: it is no legal study, exists, or cannot be written.
    """
    Study(resolve(parse_yaml(text, str(output))))
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(
            f"{command}: {output} exists and was not changed; name another file with --output, or delete it."
        ) from None
    except OSError as error:
        raise InputError(
            f"{command}: --output: {output} cannot be written ({error.strerror}); name another file."
        ) from None


def criteria_lines(baseline: str) -> list[str]:
    """Lines of the criteria; `baseline` is what variants are compared with."""
    return [
        f"# what a variant must keep to be recommended: accepted losses against {baseline}, as shares",
        "# CHECK: decide on the margins before you look at results",
        "criteria:",
        "  margins: {accuracy: 0.01, group_accuracy: 0.02, worst_group_accuracy: 0.02, group_rates: 0.05, "
        "fairness_gap: 0.05}",
    ]


def grid_lines(dataset: str, model: str, variants: Iterable[str]) -> list[str]:
    """Lines of a grid of one dataset and one model."""
    return ["grid:", f"  - {{dataset: {dataset}, models: [{model}], variants: [{', '.join(variants)}]}}"]


def reader_line(raw: Raw, further: Mapping[str, list[str]] = MappingProxyType({})) -> str:
    """How a file is read; `further` has options with lists of columns."""
    columns = "".join(f", {option}: {flow_list(names)}" for option, names in further.items())
    if raw.method in TYPED:
        return f"    reader: {{method: {raw.method}{columns}}}"
    if raw.columns:
        columns += f", columns: {flow_list(raw.columns)}"
    if raw.method == "workbook":
        sheet = f", sheet: {scalar(raw.sheet)}" if raw.sheet else ""
        return f"    reader: {{method: workbook{sheet}, missing: {flow_list(raw.missing)}{columns}}}"
    columns += ", skip_lines: {all: 1}" * raw.skip
    quote = "quote: none, " * (raw.quote == "none")
    return (
        f"    reader: {{method: delimited, separator: {scalar(raw.separator)}, {quote}encoding: {raw.encoding}, "
        f"missing: {flow_list(raw.missing)}{columns}}}" + "  # CHECK: quotes are taken for text" * bool(quote)
    )


def input_lines(kind: str, columns: list[Column]) -> list[str]:
    """Lines of the inputs of one kind, with a comment on each column."""
    if not columns:
        return [f"      {kind}: []"]
    lines = [f"      {kind}:"]
    for column in columns:
        notes = [f"{column.distinct:,} distinct"] if kind == "categorical" else []
        notes += [f"{column.missing:,} missing"] if column.missing else []
        notes += [f"CHECK: {column.note}"] if column.note else []
        lines.append(f"        - {scalar(column.name)}" + (f"  # {comment('; '.join(notes))}" if notes else ""))
    return lines


def target_lines(target: str, classes: pd.Series) -> list[str]:
    """Line of the label, with the share of each class."""
    spellings = [" and ".join(map(repr, codes)) for codes in alike(classes.to_dict()).values()]
    same = [f"    # CHECK: may be one class, to be written alike in the data: {comment(codes)}" for codes in spellings]
    shares = ", ".join(f"{c} {n / classes.sum():.1%}" for c, n in list(classes.items())[:10])
    if len(classes) > 2:
        return [f"    target: {{column: {scalar(target)}}}  # {comment(f'{len(classes)} classes: {shares}')}", *same]
    label = f"{{column: {scalar(target)}, positive: {scalar(classes.index[0])}}}"
    return [f"    target: {label}  # CHECK: which class is the positive one? {comment(shares)}", *same]


def quantity_lines(raw: Raw, target: str) -> list[str]:
    """Lines of a label that is a number, with its range."""
    numbers = raw.numbers(target)
    span = f"{numbers.nunique():,} distinct numbers from {numbers.min():g} to {numbers.max():g}"
    return [
        f"    task: regression  # {span}; for classes, make a column of them",
        f'    target: {{column: {scalar(target)}, unit: ""}}  # CHECK: the unit, such as EUR or mmHg',
    ]


def loss_criteria_lines() -> list[str]:
    """Lines of the criteria of a regression."""
    return [
        "# what a variant must keep to be recommended: accepted rises of the mean absolute error against its baseline,",
        "# of all rows and of every group, and how far the mean error of each may leave 0; {absolute: 1.5} is in the",
        "# unit of the label. CHECK: decide on the margins before you look at results",
        "criteria:",
        "  loss: absolute_error  # or squared_error, which weighs large errors more",
        "  margins: {loss: {relative: 0.02}, group_loss: {relative: 0.05}, bias: {relative: 0.05}}",
    ]


def format_lines(raw: Raw, inputs: list[Column], columns: list[Column], groups: list[str]) -> list[str]:
    """Lines on how numbers and dates are written, where programs would write them in another way."""
    formats = raw.formats
    lines = [f"    decimal: {scalar(formats.decimal)}  # CHECK: as in 20,5"] if formats.decimal != "." else []
    if formats.thousands is not None:
        example = f"1{formats.thousands}234{formats.decimal}5"
        lines.append(f"    thousands: {scalar(formats.thousands)}  # CHECK: as in {example}")
    numeric = {c.name for c in inputs if c.kind == "numeric"} | {
        c.name for c in columns if c.name in groups and binned(c)
    }
    if dates := {name: form for name, form in formats.dates.items() if name in numeric}:
        lines.append("    dates:  # CHECK: a date becomes the number of days since 1970-01-01")
        lines += [f"      {scalar(name)}: {scalar(form)}" for name, form in dates.items()]
    return lines


def group_lines(raw: Raw, columns: list[Column], groups: list[str]) -> list[str]:
    """Lines of the group attributes, with the sizes of the groups."""
    if not groups:
        return [
            "    groups: {}  # CHECK: whom could the model treat unequally? {sex: {column: sex}} would compare by sex"
        ]
    lines, column_of, taken = ["    groups:"], {c.name: c for c in columns}, set[str]()
    for group in groups:
        name = legal_name(group)
        while name in taken:
            name += "_"
        taken.add(name)
        lines.append(f"      {key(name)}: {_group(raw, column_of[group])}")
    return lines


def binned(column: Column) -> bool:
    """Whether a group attribute is made of ranges of the numbers of a column."""
    return column.kind == "numeric" and column.distinct > FEW_VALUES


def _group(raw: Raw, column: Column) -> str:
    """Definition of a group attribute, with a comment on the size of its groups."""
    definition = f"column: {scalar(column.name)}"
    if binned(column):
        bins = [25, 60] if YEARS.search(column.name) else _thirds(raw.numbers(column.name))
        return f"{{{definition}, bins: {bins}}}  # CHECK: where to cut"
    counts = raw.frame[column.name].value_counts()
    if len(counts) < 2:
        raise InputError(f"--groups: {column.name!r} has one value only; there are no groups to compare.")
    if len(counts) > MOST_LEVELS:
        raise InputError(
            f"--groups: {column.name!r} has {len(counts):,} distinct values; make a column of fewer groups from it."
        )
    codes = alike(counts.to_dict())
    group_of = {code: group for group, same in codes.items() for code in same}
    counts = counts.groupby(lambda code: group_of.get(code, code)).sum().sort_values(ascending=False, kind="stable")
    if len(counts) < 2:
        codes, counts = {}, raw.frame[column.name].value_counts()
    sizes = comment(", ".join(f"{k} {n:,}" for k, n in list(counts.items())[:8]))
    if codes:
        merge = ", ".join(f"{key(group)}: {flow_list(same)}" for group, same in codes.items())
        return f"{{{definition}, merge: {{{merge}}}}}  # CHECK: are these one group? {sizes}"
    return f"{{{definition}}}  # {_small_groups(counts)}{sizes}"


def _small_groups(counts: pd.Series) -> str:
    """What to check of groups that are too small to be tested: an example of how to join them, if there are two.

    Args:
        counts: rows by group, the largest first.
    """
    small = counts[counts < FEWEST_ROWS].iloc[-(len(counts) - 1) :]  # one group at least stays as it is
    if len(counts) > 2 and len(small) > 1:
        joined = flow_list(map(str, small.index[-MOST_JOINED:]))
        return f"CHECK: join small groups, as in merge: {{other: {joined}}}; "
    return f"CHECK: {small.index[0]} has few rows: it is reported, not tested; " if len(small) else ""


def _thirds(numbers: pd.Series) -> list[float]:
    """Two cuts between thirds of the numbers, with as few digits as keep them apart and within the numbers."""
    thirds, low, high = numbers.quantile([1 / 3, 2 / 3]), numbers.min(), numbers.max()
    for digits in range(3, 18):
        cuts = sorted({float(f"{q:.{digits}g}") for q in thirds})
        if len(cuts) == thirds.nunique() and low < cuts[0] and cuts[-1] <= high:
            break
    return [int(c) if c == int(c) else c for c in cuts]


def scalar(value: str) -> str:
    """A string in YAML, on one line and in quotes."""
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("...").rstrip("\n")


def key(name: str) -> str:
    """A name in YAML, in quotes only where YAML would not read a string, such as `2020`, `null` and `on`."""
    plain = yaml.safe_dump(name, allow_unicode=True).splitlines()[0]
    return name if plain == name else scalar(name)


def flow_list(values: Iterable[str]) -> str:
    """Strings as a list in YAML, on one line."""
    return f"[{', '.join(map(scalar, values))}]"


def comment(text: str) -> str:
    """Text for a comment: one line of at most 240 printable characters."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 240 else f"{plain[:239]}\N{HORIZONTAL ELLIPSIS}"


def legal_name(text: str) -> str:
    """A legal name of a study file (`$defs: name` of the schema), made from any text."""
    return re.sub(r"[^\w]+", "_", text).strip("_")[:60] or "data"
