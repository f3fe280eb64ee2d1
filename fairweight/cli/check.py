"""`fairweight check`: which compressed version of a trained model can ship, from the model and a table of rows.

It writes a study file next to the model, as `init` does, runs it, and prints the answer.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.cli.study_text import (
    comment,
    flow_list,
    flow_mapping,
    format_lines,
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
    MISSING,
    Column,
    Raw,
    check_columns,
    class_counts,
    guessed_column,
    marked,
    of_command,
    read_table_file,
)
from fairweight.compression.applicable import Candidate, applicable
from fairweight.core.errors import InputError, listed, quoted
from fairweight.core.foreign_models import model_format, refuse_foreign
from fairweight.core.operations import OPERATIONS
from fairweight.inference.binding import TEXT_PARTS, matched_by_name
from fairweight.inference.import_onnx import load_imported
from fairweight.inference.imported_graph import STRING, Described, Tensor, read_graph
from fairweight.inference.output_binding import sort_classes

TEST, VALIDATION = 0.8, 0.5  # without calibration rows: a tenth of the rows each to calibrate and to validate
OFFICIAL_VALIDATION = 0.3
WAIT_S = 0.3
FAIRWEIGHT = "from fairweight.cli.main import main; main()"


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        model: ONNX file, or safetensors of a PyTorch module.
        data: table of test rows.
        target: column of the label.
        groups: columns of sensitive attributes.
        calibration: table of training rows, to calibrate and train on.
        reference: columns with what the original returns.
        positive: positive class of two.
        inputs: columns that the model takes, in order; empty finds them.
        module: `module:callable` of a PyTorch module.
        output: study file to write; None is the name of the model with `.yaml`.
    """

    model: Path
    data: Path
    target: str
    groups: list[str]
    calibration: Path | None
    reference: list[str]
    positive: str | None
    inputs: list[str]
    module: str | None
    output: Path | None


def check_model(request: Request, further: list[str]) -> int:
    """Write the study file of a trained model, run it, and print the answer.

    Args:
        request: what the command line asks for.
        further: arguments for Snakemake.

    Returns:
        Exit status of the run.
    """
    study = write_check(request)
    print(f"fairweight: wrote {study}; edit it and run it again with: fairweight run {study}", flush=True)
    return _run(study, further)


# ---- the study file


def write_check(request: Request) -> Path:
    """Write the study file of a trained model.

    Raises:
        InputError: the model or the table cannot be used; one sentence with the remedy.
    """
    output = request.output or Path(f"{legal_name(request.model.stem)}.yaml")
    described = _described(request)
    with of_command("check"):
        raw = _read(request, described)
        rows = len(raw.frame) // 10  # where no calibration rows are named
        if request.calibration:
            calibration = read_table_file(request.calibration)
            _check_calibration(request, calibration, raw)
            rows = len(calibration.frame)
        text = _study_text(request, described, raw, rows)
    if output.is_file() and output.read_text(encoding="utf-8") == text:
        return output  # written by the same command before
    if output.exists():
        raise InputError(
            f"check: {output} exists and was not changed; run it with `fairweight run {output}`, name another file "
            "with --output, or delete it."
        )
    write_study(output, text, "check")
    return output


def _read(request: Request, described: Described | None) -> Raw:
    """Read the test rows; a mark such as `?` is a missing number, but a category that the model knows remains one."""
    unmarked = read_table_file(request.data, [])
    raw = marked(unmarked, MISSING)
    _check_columns(request, raw)
    numeric = [column.name for column in _inputs(request, described, raw) if column.kind == "numeric"]
    numbers = unmarked.frame[numeric]
    return marked(unmarked, [mark for mark in raw.missing if (numbers == mark).to_numpy().any()])


def _check_columns(request: Request, raw: Raw) -> None:
    options = {"--target": [request.target], "--groups": request.groups, "--reference": request.reference}
    check_columns(raw, options | {"--inputs": request.inputs})


def _described(request: Request) -> Described | None:
    """What the ONNX file says; None for the weights of a PyTorch module."""
    if request.module:
        if not request.model.is_file() or model_format(request.model) != "safetensors":
            refuse_foreign(request.model)
            raise InputError(f"check: --module: goes with weights in safetensors, and {request.model} is an ONNX file.")
        return None
    if request.model.is_file() and model_format(request.model) == "safetensors":
        raise InputError(
            f"check: {request.model} holds weights of PyTorch, and no network; name the function that builds the "
            "module with --module MODULE:CALLABLE, or export the model to ONNX."
        )
    refuse_foreign(request.model)
    with of_command("check"):
        described = read_graph(request.model)
        _check_loads(described)
        return described


def _check_loads(described: Described) -> None:
    """Load the graph before anything is written.

    Raises:
        InputError: onnxruntime does not take it.
    """
    with tempfile.TemporaryDirectory() as folder:
        load_imported(described.proto, Path(folder) / "model.onnx", described.outputs[0].name)


def _check_calibration(request: Request, other: Raw, raw: Raw) -> None:
    needed = [request.target, *request.groups, *request.inputs, *request.reference]
    check_columns(other, {"--calibration": needed})
    for file, rest in ((raw, other), (other, raw)):
        if only := sorted(set(file.frame.columns) - set(rest.frame.columns)):
            raise InputError(
                f"--calibration: {other.path} and {raw.path} need the same columns; only {file.path} has {listed(only)}"
            )
    if other.separator != raw.separator or other.encoding != raw.encoding:
        raise InputError(
            f"--calibration: {other.path} is written in another way than {raw.path} (separator {other.separator!r} and "
            f"{raw.separator!r}, encoding {other.encoding} and {raw.encoding}); write both alike"
        )


def _study_text(request: Request, described: Described | None, raw: Raw, rows: int) -> str:
    """Text of the study file; `rows` is the number of rows beside the test rows."""
    classes = class_counts(raw, request.target, request.positive)
    if request.positive is None and len(classes) == 2:  # `predict_proba(...)[:, 1]` is that of the second class
        classes = classes.reindex(sort_classes(list(classes.index))[::-1])
    inputs = _inputs(request, described, raw)
    name = key(legal_name(request.model.stem))
    candidates = _candidates(request, described, inputs, rows)
    names = ", ".join(["original", *(candidate.name for candidate in candidates if candidate.reason is None)])
    lines = [
        f"# Which compressed version of {comment(request.model.name)} can ship? Written once by `fairweight check`;",
        "# from now on it is yours to edit. Check the lines marked CHECK. config/README.md explains every key.",
        f"name: {name}",
        "seeds: 1  # the claims are about this model, on people like the test rows",
        "",
        *_dataset(request, raw, inputs, classes),
        "",
        "models:",
        f"  {name}: {_model(request, described, raw, classes, inputs)}",
        "",
        *_variants(request, candidates, rows),
        *_rest(name, names),
    ]
    return "\n".join(lines) + "\n"


def _dataset(request: Request, raw: Raw, inputs: list[Column], classes: pd.Series) -> list[str]:
    """Lines of the dataset."""
    taken = {column.name for column in inputs} | {request.target}
    columns = [*inputs, *(guessed_column(raw, name) for name in raw.frame.columns if name not in taken)]
    sources = {"all": raw.path} if request.calibration is None else {"train": request.calibration, "test": raw.path}
    files = ", ".join(f"{part}: {{sources: [{scalar(f'file:{path}')}]}}" for part, path in sources.items())
    numeric = [column for column in inputs if column.kind == "numeric"]
    lines = [
        "datasets:",
        "  rows:",
        f"    title: {scalar(raw.path.stem)}",
        "    licence: null  # CHECK: shown on the data card",
        reader_line(raw),
        f"    files: {{{files}}}",
        *format_lines(raw, numeric, columns, request.groups),
        "    inputs:  # what the model takes",
        *input_lines("numeric", numeric),
        *input_lines("categorical", [column for column in inputs if column.kind == "categorical"]),
        *(f"      text: {scalar(column.name)}" for column in inputs if column.kind == "text"),
    ]
    if any(column.missing for column in numeric):
        lines.append("      missing_numeric: mean  # an ONNX file gets a missing number as NaN")
    lines += target_lines(request.target, classes)
    return [*lines, *group_lines(raw, columns, request.groups), _split_line(request, raw)]


def _variants(request: Request, candidates: list[Candidate], rows: int) -> list[str]:
    """Lines of the training recipe, if anything is trained, and of the variants."""
    tried = [candidate for candidate in candidates if candidate.reason is None]
    trained = any(OPERATIONS[candidate.operation].trains for candidate in tried)
    recipe = f"  further: {{{flow_mapping(learning_recipe(rows))}, learning_rate: 1.0e-3, schedule: cosine}}"
    lines = ["training:  # of what is trained from the original", recipe, ""] if trained else []
    operation = "import_torch" if request.module else "import_onnx"
    lines += ["variants:", f"  original: {{{operation}: {{{'training: further' if trained else ''}}}}}"]
    lines += [f"  {c.name}: {{from: original, {c.operation}: {_flow(c.recipe)}}}" for c in tried]
    if not request.calibration and not request.module:
        lines.append("  # a student learns from the model where --calibration names training rows")
    return lines + [f"  # {c.name} does not apply: {comment(c.reason)}" for c in candidates if c.reason is not None]


def _rest(name: str, names: str) -> list[str]:
    """Lines of criteria, measurements and the grid."""
    return [
        "",
        "# what a variant must keep to be recommended: accepted losses against the original, as shares",
        "# CHECK: decide on the margins before you look at results",
        "criteria:",
        "  margins: {accuracy: 0.01, group_accuracy: 0.02, worst_group_accuracy: 0.02, fairness_gap: 0.05}",
        "",
        "grid:",
        f"  - {{dataset: rows, models: [{name}], variants: [{names}]}}",
    ]


def _split_line(request: Request, raw: Raw) -> str:
    if request.calibration:
        return f"    split: {{test: official, validation: {OFFICIAL_VALIDATION}}}  # of the rows to calibrate on"
    rows = len(raw.frame)
    used = rows - math.floor(TEST * rows)
    return (
        f"    split: {{test: {TEST}, validation: {VALIDATION}}}  # {used:,} of {rows:,} rows calibrate and validate, "
        "and are no test rows; --calibration keeps all for the test"
    )


def _model(request: Request, described: Described | None, raw: Raw, classes: pd.Series, inputs: list[Column]) -> str:
    """Entry of the model."""
    if described is None:
        entries = [
            "architecture: torch_module",
            f"module: {scalar(str(request.module))}",
            f"weights: {scalar(str(request.model))}",
        ]
    else:
        entries = ["architecture: onnx", f"file: {scalar(str(request.model))}"]
    if any(column.kind == "text" for column in inputs):
        beside = request.model.with_name("tokenizer.json")
        if not beside.is_file():
            raise InputError(f"{request.model} takes tokens, and there is no {beside}; put the model's tokenizer there")
        entries.append(f"tokenizer: {scalar(str(beside))}")
    if request.reference:
        numeric = all(raw.numbers(name)[raw.frame[name].notna()].notna().all() for name in request.reference)
        labels = not numeric or set(raw.frame[request.reference[0]].dropna()) <= set(classes.index)
        if labels:
            entries.append(f"reference_labels: {scalar(request.reference[0])}")
        elif len(request.reference) == 1:
            entries.append(f"reference: {scalar(request.reference[0])}")
        else:
            entries.append(f"reference: {flow_list(request.reference)}")
    return f"{{{', '.join(entries)}}}"


def _flow(recipe: Any) -> str:
    """A recipe in YAML, on one line."""
    if isinstance(recipe, Mapping):
        return f"{{{', '.join(f'{name}: {_flow(value)}' for name, value in recipe.items())}}}"
    return key(recipe) if isinstance(recipe, str) else json.dumps(recipe)


# ---- inputs and variants


def _inputs(request: Request, described: Described | None, raw: Raw) -> list[Column]:
    """Columns that the model takes, in order."""
    others = {request.target, *request.reference}
    free = [name for name in raw.frame.columns if name not in others]
    chosen = request.inputs or free
    if described is None:
        return [_of_kind(raw, name, "numeric", "the module") for name in chosen]
    if described.inputs and all(tensor.name in TEXT_PARTS for tensor in described.inputs):
        return [_text_column(request, raw, free)]
    tensors = described.inputs
    by_name = matched_by_name([tensor.name for tensor in tensors], chosen)
    if len(tensors) > 1 and len(by_name) == len(tensors):
        columns = [(by_name[tensor.name], tensor) for tensor in tensors]
    elif len(tensors) == 1:
        columns = [(name, tensors[0]) for name in _of_one_tensor(request, tensors[0], chosen)]
    else:
        numeric = {name for name in chosen if raw.numbers(name)[raw.frame[name].notna()].notna().all()}
        strings = [tensor for tensor in tensors if tensor.type == STRING]
        numbers = [tensor for tensor in tensors if tensor.type != STRING]
        if len(strings) != 1 or len(numbers) != 1:
            missing = listed(tensor for tensor in tensors if tensor.name not in by_name)
            raise InputError(
                f"the inputs {missing} of {request.model} are named like no column of {request.data}; write the study "
                "file by hand, with 'inputs' of the architecture 'onnx' (config/README.md)"
            )
        columns = [(name, numbers[0] if name in numeric else strings[0]) for name in chosen]
    return [
        _of_kind(raw, name, "categorical" if tensor.type == STRING else "numeric", f"input {tensor.name}")
        for name, tensor in columns
    ]


def _of_one_tensor(request: Request, tensor: Tensor, chosen: list[str]) -> list[str]:
    """Columns of the only tensor of a file: those that are free, or those without the groups, as many as it takes."""
    width = tensor.width
    without = [name for name in chosen if name not in request.groups]
    fitting = [names for names in (chosen, without) if width in (None, len(names))]
    if not fitting:
        raise InputError(
            f"input {tensor} of {request.model} takes {width} columns, and {request.data} has {len(chosen)} beside the "
            f"target ({listed(chosen)}); name those that the model takes, in the order of its training, with --inputs; "
            "images need a study file with a dataset of images"
        )
    return fitting[0]


def _of_kind(raw: Raw, name: str, kind: str, place: str) -> Column:
    column = guessed_column(raw, name)
    if kind == "numeric" and not raw.numbers(name)[raw.frame[name].notna()].notna().all():
        odd = raw.frame[name].dropna()[raw.numbers(name)[raw.frame[name].notna()].isna()].iloc[0]
        raise InputError(
            f"{place} takes numbers, and column {quoted(name)} of {raw.path} holds {quoted(odd)}; name the columns "
            "that the model takes, in the order of its training, with --inputs"
        )
    return Column(name, kind, column.distinct, column.missing)


def _text_column(request: Request, raw: Raw, free: list[str]) -> Column:
    """The only column of texts, or the one that is named."""
    texts = request.inputs or [name for name in free if name not in request.groups]
    if len(texts) != 1:
        raise InputError(
            f"{request.model} takes one text for each row; name its column with --inputs (there are {listed(texts)})"
        )
    column = guessed_column(raw, texts[0])
    return Column(texts[0], "text", column.distinct, column.missing)


def _candidates(request: Request, described: Described | None, inputs: list[Column], rows: int) -> list[Candidate]:
    """Variants to try; a student only where there are rows to train it on."""
    epochs = learning_recipe(rows)["epochs"]
    if described is None:
        few = {"epochs": math.ceil(epochs / 4), "learning_rate": 1e-3}
        finetune = {"finetune": few} if request.calibration else {}
        return [
            Candidate("pruned50", "prune", {"method": "global_magnitude", "sparsity": 0.5, **finetune}, None),
            Candidate("int8", "quantize", {"method": "auto"}, None),
            Candidate("half", "quantize", {"method": "float16"}, None),
        ]
    candidates = applicable(request.model)
    if request.calibration and not any(column.kind == "text" for column in inputs):
        student = {"architecture": "mlp", "hidden": [64, 32]}
        recipe = {"method": "soft_labels", "student": student, "finetune": {"epochs": epochs, "learning_rate": 1e-3}}
        candidates.append(Candidate("student", "distill", recipe, None))
    return candidates


# ---- running it


def _run(study: Path, further: list[str]) -> int:
    """Run a study, and print the answer as soon as it is decided; the report follows."""
    from fairweight.cli.run import read_study  # noqa: PLC0415 - parsing options needs none of it
    from fairweight.study.folders import results_folder  # noqa: PLC0415
    from fairweight.study.schema import resolve  # noqa: PLC0415

    results = Path(results_folder(resolve(read_study(study))))
    report = results / "report" / "report.html"
    # what the answer reads; a step writes its usage last
    steps = [results / "summary" / f"{name}.usage.json" for name in ("decide", "life_cycle", "what_if", "provenance")]
    command = [sys.executable, "-P", "-c", FAIRWEIGHT, "run", str(study), "--", *further]
    started, shown = time.time(), False
    with subprocess.Popen(command, env={**os.environ, "FAIRWEIGHT_ANSWERED": "1"}) as child:
        try:
            while child.poll() is None:
                time.sleep(WAIT_S)
                if not shown and all(_is_newer(step, started) for step in steps):
                    shown = _show(results)
                    if shown:
                        print(
                            f"fairweight: answered after {time.time() - started:.0f} s; the report follows.", flush=True
                        )
        except KeyboardInterrupt:
            child.wait()
            raise
    if child.returncode == 0:
        if not shown:
            _show(results)
        print(f"fairweight: the report is {report}", flush=True)
    return child.returncode


def _is_newer(path: Path, moment: float) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime >= moment
    return False


def _show(results: Path) -> bool:
    """Print the answer, if all its tables are there."""
    # a second of imports, after the run has started
    from fairweight.reporting.report.results import TABLES, Results  # noqa: PLC0415
    from fairweight.reporting.terminal import answer  # noqa: PLC0415

    if not all((results / "summary" / f"{name}.parquet").is_file() for name in TABLES):
        return False
    answer(Results.read(str(results)), str(results))
    return True
