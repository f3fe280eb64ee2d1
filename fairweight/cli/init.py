"""Writes a study file for a user's table (`fairweight init`); comments explain each guess and mark what to check."""

import math
import re
from pathlib import Path

import pandas as pd

from fairweight.cli.study_text import (
    FEWEST_STEPS,
    comment,
    criteria_lines,
    flow_mapping,
    format_lines,
    grid_lines,
    group_lines,
    input_lines,
    key,
    learning_recipe,
    legal_name,
    reader_line,
    scalar,
    target_lines,
    write_study,
)
from fairweight.cli.table_file import (
    Column,
    Raw,
    check_columns,
    class_counts,
    drop_identifiers,
    guessed_column,
    of_command,
    read_table_file,
)
from fairweight.core.errors import InputError

SENSITIVE = re.compile(
    r"(^|[\W_\d])(sex|gender|race|ethnic\w*|colou?r|age|birth\w*|religio\w*|faith|national\w*|native\w*|citizen\w*|"
    r"country|disab\w*|marital\w*|marriage|orientation|pregnan\w*|language|veteran|caste|skin)($|[\W_\d])",
    re.IGNORECASE,
)


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
    output = output or Path(f"{legal_name(data.stem)}.yaml")
    with of_command("init"):
        raw = read_table_file(data)
        check_columns(raw, {"--target": [target], "--groups": groups})
        if target in groups:
            raise InputError(f"--groups: {target!r} is the target; name other columns.")
        classes = class_counts(raw, target, positive)
        columns = [guessed_column(raw, name) for name in raw.frame.columns if name != target]
        drop_identifiers(raw, columns)
        text = _study_text(raw, columns, target, classes, groups)
    write_study(output, text, "init")
    return output


def _study_text(raw: Raw, columns: list[Column], target: str, classes: pd.Series, groups: list[str]) -> str:
    """Text of the study file."""
    name = key(legal_name(raw.path.stem))
    inputs = [c for c in columns if c.kind != "dropped"]
    if not inputs:
        raise InputError(f"{raw.path} has no column to learn from beside {target!r} and what was left out.")
    lines = [
        f"# A first study of {comment(raw.path.name)}: {len(raw.frame):,} rows, {len(raw.frame.columns)} columns.",
        "# Written once by `fairweight init`; from now on it is yours to edit. Check the lines marked CHECK.",
        "# config/README.md explains every key.",
        f"name: {name}",
        "seeds: 8  # the smallest number with which several variants can be proven; 2 for a first look",
        "",
        "datasets:",
        f"  {name}:",
        f"    title: {scalar(raw.path.stem)}",
        "    licence: null  # CHECK: shown on the data card",
        reader_line(raw),
        f"    files: {{all: {{sources: [{scalar(f'file:{raw.path}')}]}}}}",
        *format_lines(raw, inputs, columns, groups),
        "    inputs:",
        *input_lines("numeric", [c for c in inputs if c.kind == "numeric"]),
        *input_lines("categorical", [c for c in inputs if c.kind == "categorical"]),
    ]
    if any(c.kind == "numeric" and c.missing for c in inputs):
        lines.append("      missing_numeric: mean  # CHECK: replaces a missing number by the mean of the training rows")
    lines += target_lines(target, classes)
    lines += group_lines(raw, columns, groups)
    lines += _remarks(columns, groups)
    lines += [
        "    split: {test: 0.2, validation: 0.1}  # test rows are drawn once, validation rows for each seed",
        "",
    ]
    return "\n".join([*lines, *_rest(name, len(raw.frame))]) + "\n"


def _remarks(columns: list[Column], groups: list[str]) -> list[str]:
    """Lines on further sensitive columns, and on those that are left out."""
    others = [c for c in columns if c.name not in groups]
    sensitive = ", ".join(c.name for c in others if SENSITIVE.search(c.name))
    lines = [f"    # CHECK: may be sensitive and could be groups as well: {comment(sensitive)}"] if sensitive else []
    if dropped := [c for c in others if c.kind == "dropped"]:
        lines.append("    drop:  # CHECK: these columns are left out of the table")
        lines += [f"      - {scalar(c.name)}  # {comment(c.note or '')}" for c in dropped]
    return lines


def _rest(name: str, rows: int) -> list[str]:
    """Lines of models, training recipes, variants, criteria and the grid."""
    recipe = learning_recipe(rows)
    learned = flow_mapping(recipe)
    finetuned = max(math.ceil(recipe["epochs"] / 4), 2)
    return [
        "models:",
        "  mlp: {architecture: mlp, hidden: [64, 32]}",
        '  # mine: {architecture: "my_models:tower"}  # a function of your own, in my_models.py beside this file',
        "",
        "training:",
        f"  # at least {FEWEST_STEPS:,} optimizer steps; the epoch with the lowest validation loss is kept",
        f"  standard: {{{learned}, learning_rate: 1.0e-3, schedule: cosine}}",
        "",
        "variants:",
        "  dense: {train: standard}",
        "  dense_again: {train: standard, replicate: 1}  # the noise floor: what retraining alone changes",
        "  pruned50: {from: dense, prune: {method: global_magnitude, sparsity: 0.5, "
        f"finetune: {{epochs: {finetuned}}}}}}}",
        "  int8: {from: dense, quantize: auto}",
        "  pruned50_int8: {from: pruned50, quantize: auto}",
        "",
        *criteria_lines("its baseline"),
        "",
        *grid_lines(name, "mlp", ("dense", "dense_again", "pruned50", "int8", "pruned50_int8")),
    ]
