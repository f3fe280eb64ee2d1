"""Writes a study file for a user's table (`fairweight init`); comments explain each guess and mark what to check."""

import math
import textwrap
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from fairweight.cli.column_findings import is_sensitive
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
    loss_criteria_lines,
    quantity_lines,
    reader_line,
    scalar,
    target_lines,
    write_study,
)
from fairweight.cli.table_facts import Facts, table_facts
from fairweight.cli.table_file import (
    Column,
    Raw,
    check_columns,
    class_counts,
    drop_identifiers,
    guessed_column,
    is_quantity,
    of_command,
    read_table_file,
)
from fairweight.cli.table_form import GUESSED, Layout, table_name
from fairweight.core.errors import InputError
from fairweight.data.parts import PARTITION, is_folder, part_paths
from fairweight.study.schema import VERSION

MOST_LINES = 12  # on groups that are too small
WIDTH = 116  # of a line of comments


def write_study_file(
    data: Path,
    *,
    target: str,
    groups: list[str],
    positive: str | None,
    output: Path | None,
    layout: Layout = GUESSED,
) -> Path:
    """Write a commented study file for a table; an existing file is never overwritten.

    Args:
        data: delimited text or Parquet, also compressed or as a folder of parts.
        target: column of the label.
        groups: columns of sensitive attributes.
        positive: positive class of a binary label; None takes the rarer one.
        output: file to write; None is the name of the table with `.yaml`, in the current folder.
        layout: separator and names of the columns, where they are not found in the table.

    Returns:
        The file that was written.

    Raises:
        InputError: the table or the columns cannot be used; one sentence with the remedy.
    """
    output = output or Path(f"{legal_name(table_name(data))}.yaml")
    study = legal_name(output.stem)  # two files that are written for one table have results of their own
    with of_command("init"):
        raw = read_table_file(data, layout=layout, target=target)
        check_columns(raw, {"--target": [target], "--groups": groups})
        if target in groups:
            raise InputError(f"--groups: {target!r} is the target; name other columns.")
        classes = None
        if not is_quantity(raw, target):
            classes = class_counts(raw, target, positive)
        elif positive is not None:
            raise InputError(f"--positive: {target!r} is a number and has no classes; leave --positive out.")
        columns = [guessed_column(raw, name) for name in raw.frame.columns if name != target]
        drop_identifiers(raw, columns)
        _drop_copies(raw, columns, target)
        _drop_partitions(raw, columns)
        facts = table_facts(_study_text(study, raw, columns, target, classes, groups, Facts()), raw)
        _note_inputs(columns, groups, facts)
        text = _study_text(study, raw, columns, target, classes, groups, facts)
    write_study(output, text, "init")
    return output


def _drop_copies(raw: Raw, columns: list[Column], target: str) -> None:
    """Drop the columns that say what the label says."""
    labels = raw.frame[target]
    for column in columns:
        if column.kind != "dropped" and column.distinct == labels.nunique() and not column.missing:
            pairs = pd.DataFrame({"value": raw.frame[column.name], "label": labels}).drop_duplicates()
            if len(pairs) == column.distinct:
                column.kind, column.note = "dropped", "it says what the label says, so that there is nothing to learn"


def _drop_partitions(raw: Raw, columns: list[Column]) -> None:
    """Drop the columns that stand in the names of folders, such as `year=2026`, unless nothing else is left."""
    if not is_folder(raw.path):
        return
    folders = {folder for path in part_paths(raw.path) for folder in path.relative_to(raw.path).parts[:-1]}
    partitions = {unquote(match[1]) for folder in folders if (match := PARTITION.fullmatch(folder))}
    if all(column.kind == "dropped" or column.name in partitions for column in columns):
        return
    for column in columns:
        if column.name in partitions and column.kind != "dropped":
            column.kind, column.note = "dropped", "from the folder name; probably no input"


def _note_inputs(columns: list[Column], groups: list[str], facts: Facts) -> None:
    """Note what to check of the inputs: sensitive ones, and those that alone predict the label."""
    for column in columns:
        notes = [column.note] if column.note else []
        if column.name in groups or is_sensitive(column.name):
            notes.append("sensitive: an input only if the model may use it")
        if column.name in facts.leaks:
            leak = facts.leak_in_words(column.name)
            notes.append(f"alone predicts the label ({leak}): remove it if it is known only after the label")
        if column.kind != "dropped":
            column.note = "; ".join(notes) or None


def _study_text(
    study: str, raw: Raw, columns: list[Column], target: str, classes: pd.Series | None, groups: list[str], facts: Facts
) -> str:
    """Text of the study file; `study` is the name of the study, and `classes` None of a label that is a number."""
    title = table_name(raw.path)
    name = key(legal_name(title))
    inputs = [c for c in columns if c.kind != "dropped"]
    if not inputs:
        raise InputError(f"{raw.path} has no column to learn from beside {target!r} and what was left out.")
    lines = [
        f"# A first study of {comment(raw.path.name)}: {len(raw.frame):,} rows, {len(raw.frame.columns)} columns.",
        "# Written once by `fairweight init`; from now on it is yours to edit. Check the lines marked CHECK.",
        "# config/README.md explains every key.",
        *_wrapped(f"CHECK: as it is, the data cannot be read: {facts.problem}", "" if facts.problem else None),
        f"name: {key(study)}",
        f"version: {VERSION}  # of the keys of this file",
        f"seeds: 8  # {facts.fewest_seeds} are the fewest with which any of {facts.tests} variants can be proven; "
        "2 for a first look",
        "",
        "datasets:",
        f"  {name}:",
        f"    title: {scalar(title)}",
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
    lines += quantity_lines(raw, target) if classes is None else target_lines(target, classes)
    lines += group_lines(raw, columns, groups)
    lines += _small_lines(facts.small, facts.measured)
    lines += _remarks(columns, groups)
    lines += [
        "    split: {test: 0.2, validation: 0.1}  # test rows are drawn once, validation rows for each seed",
        "",
    ]
    criteria = loss_criteria_lines() if classes is None else criteria_lines("its baseline")
    return "\n".join([*lines, *_rest(name, len(raw.frame), facts, criteria)]) + "\n"


def _small_lines(small: list[str], measured: bool) -> list[str]:
    """Lines on groups that are too small for a rate, and the ways out."""
    if not small:
        return []
    figure = "a loss" if measured else "a rate"
    lines = [f"    # CHECK: these groups have too few rows for {figure}, which is then reported and not tested:"]
    lines += [f"    #   {comment(line)}" for line in small[:MOST_LINES]]
    lines += [f"    #   and {len(small) - MOST_LINES:,} more"] if len(small) > MOST_LINES else []
    rate = "" if measured else "another rate (criteria: gap), "
    ways = f"join groups (merge), more rows, {rate}or a smaller fairness: smallest_group"
    return [*lines, f"    # ways out: {ways}"]


def _undecided_lines(facts: Facts) -> list[str]:
    """Lines on what the criteria cannot decide with these rows, and the ways out."""
    if facts.unreachable:
        return _wrapped(f"CHECK: nothing can be proven: it {facts.unreachable}; more seeds, or fewer variants", "  ")
    lines = []
    if facts.undecidable:
        lines.append("  # CHECK: these stay undecided in every variant, because too few groups have enough rows:")
        lines += [f"  #   {comment(line)}" for line in facts.undecidable]
    if facts.wide:
        lines.append("  # CHECK: these margins cannot be proven of a variant that changes nothing:")
        lines += [f"  #   {comment(line)}" for line in facts.wide]
    if lines:
        rate = "" if facts.measured else "another rate (gap) or "
        lines.append(f"  # ways out: more test rows, larger groups (merge), larger margins, {rate}none (null)")
    return lines


def _wrapped(text: str, indent: str | None) -> list[str]:
    """Text as lines of comments; none without an indent."""
    if indent is None:
        return []
    plain = "".join(c if c.isprintable() else " " for c in text)
    return [f"{indent}# {line}" for line in textwrap.wrap(plain, WIDTH, break_long_words=False)]


def _remarks(columns: list[Column], groups: list[str]) -> list[str]:
    """Lines on further sensitive columns, and on those that are left out."""
    others = [c for c in columns if c.name not in groups]
    sensitive = ", ".join(c.name for c in others if is_sensitive(c.name))
    lines = [f"    # CHECK: may be sensitive and could be groups as well: {comment(sensitive)}"] if sensitive else []
    if dropped := [c for c in others if c.kind == "dropped"]:
        lines.append("    drop:  # CHECK: these columns are left out of the table")
        lines += [f"      - {scalar(c.name)}  # {comment(c.note or '')}" for c in dropped]
    return lines


def _rest(name: str, rows: int, facts: Facts, criteria: list[str]) -> list[str]:
    """Lines of models, training recipes, variants, criteria with what they cannot decide, and the grid."""
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
        *criteria,
        *_undecided_lines(facts),
        "",
        "# decision: {goal: transfer_bytes}  # decide by size instead of energy over its life (config/README.md)",
        "",
        *grid_lines(name, "mlp", ("dense", "dense_again", "pruned50", "int8", "pruned50_int8")),
    ]
