"""The study file that `check` writes for a trained model: its dataset, the model, and the methods that apply to it."""

import dataclasses
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.cli.check_images import (
    check_scale,
    image_lines,
    is_images,
    pixel_entries,
    read_images,
)
from fairweight.cli.check_inputs import Request, Taken, check_roles, columns_taken
from fairweight.cli.study_text import (
    comment,
    criteria_lines,
    flow_list,
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
    MISSING,
    Raw,
    check_columns,
    class_counts,
    guessed_column,
    marked,
    of_command,
    read_table_file,
)
from fairweight.compression.applicable import Candidate, applicable
from fairweight.core.errors import InputError, first_line, listed
from fairweight.core.foreign_models import model_format, refuse_foreign
from fairweight.core.operations import OPERATIONS
from fairweight.inference.binding import TEXT_PARTS
from fairweight.inference.import_onnx import load_imported
from fairweight.inference.imported_graph import Described, read_graph
from fairweight.inference.output_binding import sort_classes
from fairweight.study.schema import VERSION

TEST, VALIDATION = 0.8, 0.5  # without calibration rows: a tenth of the rows each to calibrate and to validate
OFFICIAL_VALIDATION = 0.3


def write_check(request: Request) -> Path:
    """Write the study file of a trained model.

    Raises:
        InputError: the model or the rows cannot be used; one sentence with the remedy.
    """
    output = request.output or Path(f"{legal_name(request.model.stem)}.yaml")
    described = _described(request)
    with of_command("check"):
        text = _of_images(request, described) if is_images(request.data) else _of_table(request, described)
    if output.is_file() and output.read_text(encoding="utf-8") == text:
        return output  # written by the same command before
    if output.exists():
        raise InputError(
            f"check: {output} exists and was not changed; run it with `fairweight run {output}`, name another file "
            "with --output, or delete it."
        )
    write_study(output, text, "check")
    return output


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


# ---- rows


def _of_table(request: Request, described: Described | None) -> str:
    """Text of the study file of a model for columns or texts."""
    _check_no_pixels(request)
    raw, calibration, taken = _read(request, described)
    rows = len(raw.frame) // 10 if calibration is None else len(calibration.frame)
    classes = class_counts(raw, request.target, request.positive)
    if request.positive is None and len(classes) == 2:  # `predict_proba(...)[:, 1]` is that of the second class
        classes = classes.reindex(sort_classes(list(classes.index))[::-1])
    dataset = _dataset(request, raw, calibration, taken, classes)
    entries = [*_text_entries(request, taken), *_input_entries(taken), *_reference_entries(request, raw, classes)]
    student = None if taken.names("text") else {"architecture": "mlp", "hidden": [64, 32]}
    return _text(request, described, dataset, entries, rows, student)


def _of_images(request: Request, described: Described | None) -> str:
    """Text of the study file of a model for images."""
    images = read_images(request, request.data)
    calibration = None if request.calibration is None else read_images(request, request.calibration)
    check_scale(request, described)
    total = int(images.classes.sum())
    rows = total // 10 if calibration is None else int(calibration.classes.sum())
    dataset = [*image_lines(request, images, calibration), _split_line(request, total)]
    student = {"architecture": "lenet_300_100"}
    return _text(request, described, dataset, pixel_entries(request), rows, student)


def _check_no_pixels(request: Request) -> None:
    """Refuse options of images for a table."""
    for option, value in {"--scale": request.scale, "--mean": request.mean, "--std": request.std}.items():
        if value:
            raise InputError(f"{option}: is about the pixels of images, and {request.data} is a table; leave it out.")


def _read(request: Request, described: Described | None) -> tuple[Raw, Raw | None, Taken]:
    """Read the test rows and the calibration rows, and find the columns that the model takes.

    A mark such as `?` is a missing number, but a category that the model knows remains one.
    """
    paths = [path for path in (request.data, request.calibration) if path is not None]
    unmarked = [read_table_file(path, []) for path in paths]
    raw = marked(unmarked[0], MISSING)
    check_roles(request, raw)
    numeric = columns_taken(request, described, raw).names("numeric")
    if len(paths) > 1:
        check_columns(unmarked[1], {"--calibration": [request.target, *request.groups, *numeric]})
    marks = [m for m in MISSING if any((file.frame[numeric] == m).to_numpy().any() for file in unmarked)]
    missing = sorted({"", *marks})  # of both files
    if missing != raw.missing:
        raw = dataclasses.replace(marked(unmarked[0], marks), missing=missing)
    taken = columns_taken(request, described, raw)
    calibration = unmarked[1] if len(paths) > 1 else None
    if calibration is not None:
        _check_calibration(request, calibration, raw, taken)
    return raw, calibration, taken


def _check_calibration(request: Request, other: Raw, raw: Raw, taken: Taken) -> None:
    needed = [request.target, *request.groups, *(column.name for column in taken.columns)]
    check_columns(other, {"--calibration": needed})
    for what, of_other, of_raw in (
        ("format", other.method, raw.method),
        ("separator", other.separator, raw.separator),
        ("encoding", other.encoding, raw.encoding),
    ):
        if of_other != of_raw:
            raise InputError(
                f"--calibration: {other.path} is written in another way than {raw.path} ({what} {of_other!r} and "
                f"{of_raw!r}); write both alike"
            )


# ---- lines of the file


def _text(
    request: Request,
    described: Described | None,
    dataset: list[str],
    entries: list[str],
    rows: int,
    student: Mapping[str, Any] | None,
) -> str:
    """Text of the study file.

    Args:
        request: what the command line asks for.
        described: the graph; None for a PyTorch module.
        dataset: lines of the dataset.
        entries: further entries of the model.
        rows: number of rows beside the test rows.
        student: what a student is; None where none can learn from the rows.
    """
    name = key(legal_name(request.model.stem))
    candidates = _candidates(request, described, student if request.calibration else None, rows)
    lines = [
        f"# Which compressed version of {comment(request.model.name)} can ship? Written once by `fairweight check`;",
        "# from now on it is yours to edit. Check the lines marked CHECK. config/README.md explains every key.",
        f"name: {name}",
        f"version: {VERSION}  # of the keys of this file",
        "seeds: 1  # the claims are about this model, on people like the test rows",
        "",
        *dataset,
        "",
        "models:",
        f"  {name}: {_model(request, described, entries)}",
        "",
        *_variants(request, candidates, rows),
        "",
        *criteria_lines("the original"),
        "",
        *grid_lines("rows", name, ["original", *(each.name for each in candidates if each.reason is None)]),
    ]
    return "\n".join(lines) + "\n"


def _dataset(request: Request, raw: Raw, calibration: Raw | None, taken: Taken, classes: pd.Series) -> list[str]:
    """Lines of a dataset of columns or texts."""
    used = {column.name for column in taken.columns} | {request.target}
    columns = [*taken.columns, *(guessed_column(raw, name) for name in raw.frame.columns if name not in used)]
    sources = {"all": raw.path} if request.calibration is None else {"train": request.calibration, "test": raw.path}
    files = ", ".join(f"{part}: {{sources: [{scalar(f'file:{path}')}]}}" for part, path in sources.items())
    numeric = [column for column in taken.columns if column.kind == "numeric"]
    lines = [
        "datasets:",
        "  rows:",
        f"    title: {scalar(raw.path.stem)}",
        "    licence: null  # CHECK: shown on the data card",
        reader_line(raw, _further_columns(request, raw, calibration, taken)),
        f"    files: {{{files}}}",
        *format_lines(raw, numeric, columns, request.groups),
        "    inputs:  # what the model takes",
        *input_lines("numeric", numeric),
        *input_lines("categorical", [column for column in taken.columns if column.kind == "categorical"]),
        *(f"      text: {scalar(name)}" for name in taken.names("text")),
    ]
    if any(column.missing for column in numeric):
        lines.append("      missing_numeric: mean  # an ONNX file gets a missing number as NaN")
    lines += target_lines(request.target, classes)
    return [*lines, *group_lines(raw, columns, request.groups), _split_line(request, len(raw.frame))]


def _further_columns(request: Request, raw: Raw, calibration: Raw | None, taken: Taken) -> dict[str, list[str]]:
    """Options of the reader for two files with other columns: those that are used, and those that one may lack."""
    if calibration is None or list(calibration.frame.columns) == list(raw.frame.columns):
        return {}
    used = [*(column.name for column in taken.columns), request.target, *request.groups, *request.reference]
    absent = [name for name in request.reference if name not in calibration.frame.columns]
    return {"keep": list(dict.fromkeys(used)), **({"optional": absent} if absent else {})}


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


def _split_line(request: Request, rows: int) -> str:
    if request.calibration:
        return f"    split: {{test: official, validation: {OFFICIAL_VALIDATION}}}  # of the rows to calibrate on"
    used = rows - math.floor(TEST * rows)
    return (
        f"    split: {{test: {TEST}, validation: {VALIDATION}}}  # {used:,} of {rows:,} rows calibrate and validate, "
        "and are no test rows; --calibration keeps all for the test"
    )


# ---- the model and its variants


def _model(request: Request, described: Described | None, further: list[str]) -> str:
    """Entry of the model."""
    if described is None:
        module, weights = scalar(str(request.module)), scalar(str(request.model))
        entries = ["architecture: torch_module", f"module: {module}", f"weights: {weights}"]
    else:
        entries = ["architecture: onnx", f"file: {scalar(str(request.model))}"]
    if request.classes:
        entries.append(f"classes: {flow_list(_named_classes(request.classes))}")
    return f"{{{', '.join([*entries, *further])}}}"


def _named_classes(named: Sequence[str]) -> list[str]:
    """Names of the classes: those of the command line, or of the only file that it names.

    Raises:
        InputError: the file holds no names.
    """
    if len(named) > 1:
        return list(named)
    path = Path(named[0])
    if not path.is_file():
        raise InputError(f"--classes: there is no file {path}; name all classes, or a file with their names.")
    try:
        text = path.read_text(encoding="utf-8")
        names = json.loads(text) if text.lstrip().startswith("[") else [line for line in text.splitlines() if line]
    except ValueError as error:
        raise InputError(f"--classes: {path} cannot be read ({first_line(error)}).") from None
    if len(names) < 2 or not all(isinstance(name, str | int | float) for name in names):
        raise InputError(f"--classes: {path} holds no list of names, as JSON or one a line.")
    return [str(name) for name in names]


def _text_entries(request: Request, taken: Taken) -> list[str]:
    """The tokenizer of a model for texts."""
    if not taken.names("text"):
        if request.tokenizer:
            raise InputError(
                f"--tokenizer: {request.model} takes no tokens (inputs {listed(TEXT_PARTS)}); leave it out."
            )
        return []
    tokenizer = request.tokenizer or request.model.with_name("tokenizer.json")
    if not tokenizer.is_file():
        raise InputError(
            f"{request.model} takes tokens, and there is no {tokenizer}; name the model's tokenizer with --tokenizer"
        )
    return [f"tokenizer: {scalar(str(tokenizer))}"]


def _input_entries(taken: Taken) -> list[str]:
    """Columns of each input, where the import would not find them."""
    if taken.by_input is None:
        return []
    inputs = ", ".join(f"{scalar(name)}: {flow_list(columns)}" for name, columns in taken.by_input.items())
    return [f"inputs: {{{inputs}}}"]


def _reference_entries(request: Request, raw: Raw, classes: pd.Series) -> list[str]:
    """The columns with what the original returns."""
    if not request.reference:
        return []
    numeric = all(raw.numbers(name)[raw.frame[name].notna()].notna().all() for name in request.reference)
    if not numeric or set(raw.frame[request.reference[0]].dropna()) <= set(classes.index):
        return [f"reference_labels: {scalar(request.reference[0])}"]
    if len(request.reference) == 1:
        return [f"reference: {scalar(request.reference[0])}"]
    return [f"reference: {flow_list(request.reference)}"]


def _flow(recipe: Any) -> str:
    """A recipe in YAML, on one line."""
    if isinstance(recipe, Mapping):
        return f"{{{', '.join(f'{name}: {_flow(value)}' for name, value in recipe.items())}}}"
    return key(recipe) if isinstance(recipe, str) else json.dumps(recipe)


def _candidates(
    request: Request, described: Described | None, student: Mapping[str, Any] | None, rows: int
) -> list[Candidate]:
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
    if student is not None:
        recipe = {
            "method": "soft_labels",
            "student": student,
            "finetune": {"epochs": epochs, "learning_rate": 1e-3},
        }
        candidates.append(Candidate("student", "distill", recipe, None))
    return candidates
