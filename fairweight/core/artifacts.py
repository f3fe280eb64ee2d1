"""Read and write the files of a study; no other module knows their formats.

Every write goes to a temporary name in the same folder and is then renamed, so that a killed or failed step leaves
nothing that looks like a result. Parquet files have a checksum in each page, which every read verifies; other formats
have none, and the usage file of a step holds those of whole files (see `checksums`).
"""

import contextlib
import errno
import itertools
import json
import os
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import safetensors.numpy
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from fairweight.core.errors import InputError, escaped, first_line
from fairweight.core.run_lock import UNFINISHED
from fairweight.core.table import BLOCK_ROWS, Augmented, Labels, Table, narrowest

if TYPE_CHECKING:
    import pandas as pd

KEY = b"fairweight"  # key of our description in a Parquet file's metadata
WRITTEN: set[Path] = set()  # files that this process has written, for the usage file of its step
PARTS = ("train", "validation", "test")
INPUT = "input:"  # in front of the name of an input, in columns about it
FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # first characters of formulas (OWASP, CSV injection)
SIGNED_NUMBER = re.compile(r"[+-]\d[\d.,]*(e[+-]?\d+)?( ?%)?")

Array = NDArray[Any]
Columns = dict[str, Any]  # name -> NumPy or Arrow array (n,)
Description = dict[str, Any]  # JSON that travels with a file, as its writer defines it


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an exception."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{UNFINISHED}{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        temporary.replace(path)
        WRITTEN.add(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """What a library raises for a file that is not what was written becomes one sentence."""
    try:
        yield
    except (pa.ArrowException, SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        # Arrow raises an OSError without a number for a page whose checksum is wrong
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if isinstance(error, FileNotFoundError):  # Arrow's says neither number nor name
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
        raise InputError(f"{path} is damaged ({first_line(error)}); delete it; the next run makes it again.") from None


# ---- JSON


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON, indented, with keys in the given order."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        InputError: the file is damaged.
    """
    with _reading(path):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def link_or_copy(source: Path, target: Path) -> None:
    """Put the same file in another place: as a hard link where the file system allows it, else as a copy."""
    with atomic(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


# ---- text and tables for people and other programs


def write_text(path: str | Path, text: str) -> None:
    """Write text in UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a table as CSV with full precision; a missing value is an empty field.

    Names from data are written so that nobody is deceived: what a spreadsheet would take for a formula gets an
    apostrophe in front, and characters that cannot be seen, such as direction marks, become escapes.
    """
    with atomic(path) as temporary:
        frame.rename(columns=_harmless).map(_harmless).to_csv(temporary, index=False, lineterminator="\n")


def _harmless(value: Any) -> Any:
    """A cell of a CSV file; only texts are changed."""
    if not isinstance(value, str):
        return value
    formula = FORMULA.match(value) and not SIGNED_NUMBER.fullmatch(value)
    return f"'{escaped(value)}" if formula else escaped(value)


def write_yaml(path: str | Path, value: Any) -> None:
    """Write YAML, with keys in the given order."""
    with atomic(path) as temporary:
        temporary.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")


# ---- Parquet


def _described(columns: Mapping[str, Any], description: Any = None) -> pa.Table:
    table = pa.table(dict(columns))
    if description is not None:
        table = table.replace_schema_metadata({KEY: json.dumps(description, ensure_ascii=False).encode()})
    return table


def _write_parquet(path: str | Path, columns: Mapping[str, Any], description: Any = None) -> None:
    table = _described(columns, description)
    with atomic(path) as temporary, temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def _write_row_groups(path: str | Path, tables: Iterable[pa.Table], size: int) -> None:
    """Write tables, one below the other, in row groups of `size` rows; the last one may have fewer."""
    remaining = iter(tables)
    pending = next(remaining)
    with (
        atomic(path) as temporary,
        temporary.open("wb") as file,
        pq.ParquetWriter(file, pending.schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for table in remaining:
            pending = _write_full(writer, pending, size)
            pending = pa.concat_tables([pending, table])
        pending = _write_full(writer, pending, size)
        if pending.num_rows:
            writer.write_table(pending.unify_dictionaries().combine_chunks())


def _write_full(writer: pq.ParquetWriter, pending: pa.Table, size: int) -> pa.Table:
    """Write all full row groups of the pending rows; return the rows that are left."""
    while pending.num_rows >= size:
        writer.write_table(pending.slice(0, size).unify_dictionaries().combine_chunks())
        pending = pending.slice(size)
    return pending


def _read_parquet(path: str | Path) -> tuple[pa.Table, Any]:
    with _reading(path):
        table = pq.read_table(path, page_checksum_verification=True)
        metadata = (table.schema.metadata or {}).get(KEY)
        return table, json.loads(metadata) if metadata else None


def _column(table: pa.Table, name: str) -> Array:
    column: Array = table.column(name).combine_chunks().to_numpy(zero_copy_only=False)
    return column


def _matrix(table: pa.Table, names: list[str], dtype: type[Any]) -> Array:
    columns = [_column(table, name).astype(dtype) for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((table.num_rows, 0), dtype=dtype)


def _coded(codes: Array, levels: tuple[str, ...]) -> pa.Array:
    """Codes as a dictionary-encoded string column; -1 is null."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes < 0), pa.array(levels, pa.string()))


def _codes(table: pa.Table, name: str, levels: tuple[str, ...]) -> Array:
    """Codes of a dictionary-encoded column; each row group may have a dictionary of its own, in another order."""
    known = pa.array(levels, pa.string())
    parts = [np.empty(0, np.int64)]
    for chunk in table.column(name).chunks:
        translation = pc.index_in(chunk.dictionary, value_set=known).fill_null(-1).to_numpy().astype(np.int64)
        codes = chunk.indices.fill_null(len(translation)).to_numpy(zero_copy_only=False)
        parts.append(np.append(translation, -1)[codes])
    return np.concatenate(parts)


def _image_column(images: Array) -> pa.Array:
    # fixed-size binary: a fixed-size list of bytes is decoded value by value, forty times slower
    width = int(np.prod(images.shape[1:]))
    buffer = pa.py_buffer(np.ascontiguousarray(images))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(images), [None, buffer])


def _images(table: pa.Table, shape: list[int]) -> Array:
    column = table.column("image").combine_chunks()
    width = int(np.prod(shape))
    parts = [_bytes(chunk, width) for chunk in getattr(column, "chunks", [column])]
    return np.concatenate([*parts, np.empty(0, np.uint8)]).reshape(-1, *shape)


def _bytes(chunk: pa.Array, width: int) -> Array:
    start = chunk.offset * width
    if not len(chunk):
        return np.empty(0, np.uint8)
    return np.frombuffer(chunk.buffers()[1], dtype=np.uint8)[start : start + len(chunk) * width]


def _input_columns(rows: Table | Augmented, table: Table) -> Columns:
    columns: Columns = {}
    for position, name in enumerate(table.numeric_names):
        columns[f"{INPUT}{name}"] = rows.numeric[:, position]
    for position, (name, levels) in enumerate(table.levels.items()):
        columns[f"{INPUT}{name}"] = _coded(rows.categorical[:, position], levels)
    if rows.images is not None:
        columns["image"] = _image_column(rows.images)
    if rows.texts is not None:
        columns["text"] = pa.array(rows.texts, pa.string())
    return columns


# ---- the data


def write_table(path: str | Path, rows: Table | Iterable[Table]) -> None:
    """Write a dataset's rows, at once or in portions of any size, with one row group for each row block.

    Inputs are prefixed `input:`, attributes `group:`, scores `given:`.
    """
    portions = iter([rows] if isinstance(rows, Table) else rows)
    first = next(portions)
    _write_row_groups(path, map(_stored, itertools.chain([first], portions)), first.block_rows)


def _stored(table: Table) -> pa.Table:
    columns: Columns = {"row": table.row, "file": pa.array(table.file, pa.string()).dictionary_encode()}
    columns["label"] = table.label if table.measured else _coded(table.label, table.classes)
    columns |= _input_columns(table, table)
    if table.pairs is not None:
        columns["pair"] = table.pairs
    for name, codes in table.groups.items():
        columns[f"group:{name}"] = _coded(codes, table.group_levels[name])
    for name, scores in table.given.items():
        columns[f"given:{name}"] = scores
    description: Description = {
        "classes": table.classes,
        "numeric": table.numeric_names,
        "categorical": table.levels,
        "image": None if table.images is None else table.images.shape[1:],
        "text": table.texts is not None,
        "pair": table.pairs is not None,
        "groups": table.group_levels,
        "given": list(table.given),
    }
    if table.origins:
        description["origins"] = table.origins
    if table.measured:
        description["unit"] = table.unit
    return _described(columns, description)


def describe_table(path: str | Path) -> Table:
    """A dataset's table without rows: its columns, levels, classes and groups."""
    return read_rows(path, np.empty(0, np.int64))


def number_of_blocks(path: str | Path) -> int:
    """Number of row blocks of a dataset's table."""
    with _reading(path):
        count: int = pq.read_metadata(path).num_row_groups
    return count


def number_of_rows(path: str | Path) -> int:
    """Number of rows of a Parquet file."""
    with _reading(path):
        count: int = pq.read_metadata(path).num_rows
    return count


def read_table(path: str | Path, inputs: bool = True, block: int | None = None) -> Table:
    """Read a dataset's rows; inverse of `write_table`.

    Args:
        path: Parquet file.
        inputs: whether to read numeric, categorical, image and text columns; row ids, labels, groups and scores are
            always read.
        block: number of one row block; None reads all rows.
    """
    with _reading(path):
        return _as_table(*_read_columns(path, inputs, block), inputs)


def read_rows(path: str | Path, positions: Array, inputs: bool = True) -> Table:
    """Read the rows of a dataset at some positions, in that order; it holds these rows and one row block.

    Args:
        path: Parquet file.
        positions: (n,) of the rows in the table; equal to their row ids.
        inputs: see `read_table`.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        about, names = _description(file, inputs)
        order = np.argsort(positions, kind="stable")
        parts = [
            file.read_row_group(block, columns=names, use_threads=False).take(pa.array(inside))
            for block, _, inside in _blocks_of(file, positions[order])
        ]
        rows = _as_table(pa.concat_tables(parts or [file.schema_arrow.empty_table().select(names)]), about, inputs)
    return rows if np.array_equal(order, np.arange(len(order))) else rows.take(np.argsort(order, kind="stable"))


def _blocks_of(file: pq.ParquetFile, positions: Array) -> Iterator[tuple[int, slice, Array]]:
    """Row groups that hold some of these ascending positions: its number, which of the positions, rows inside."""
    start = 0
    for block in range(file.num_row_groups):
        stop = start + file.metadata.row_group(block).num_rows
        first, last = np.searchsorted(positions, (start, stop))
        if first < last:
            yield block, slice(int(first), int(last)), positions[first:last] - start
        start = stop


def _as_table(table: pa.Table, about: Description, inputs: bool) -> Table:
    classes, levels, group_levels = _levels(about)
    codes = [_codes(table, f"{INPUT}{name}", levels[name]) for name in levels]
    return Table(
        row=_column(table, "row"),
        file=_column(table, "file"),
        label=_column(table, "label") if "unit" in about else _codes(table, "label", classes),
        classes=classes,
        numeric=_matrix(table, [f"{INPUT}{name}" for name in about["numeric"]], np.float32),
        numeric_names=tuple(about["numeric"]),
        categorical=np.stack(codes, axis=1) if codes else np.empty((table.num_rows, 0), np.int64),
        levels=levels,
        images=None if about["image"] is None else _images(table, about["image"]),
        groups={name: _codes(table, f"group:{name}", names) for name, names in group_levels.items()},
        group_levels=group_levels,
        given={name: _column(table, f"given:{name}") for name in about["given"]},
        texts=_column(table, "text") if about["text"] else None,
        pairs=_column(table, "pair") if about["pair"] else None,
        origins=about.get("origins", {}) if inputs else {},
        unit=about.get("unit", ""),
    )


def _read_columns(path: str | Path, inputs: bool, block: int | None) -> tuple[pa.Table, Description]:
    """Columns of a dataset's table, and their description; the parameters are those of `read_table`."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        about, names = _description(file, inputs)
        if block is not None:
            return file.read_row_group(block, columns=names, use_threads=False), about
    return pq.read_table(path, columns=names, page_checksum_verification=True), about


def _description(file: pq.ParquetFile, inputs: bool) -> tuple[Description, list[str]]:
    """Description of a dataset's table and the names of its columns, with or without inputs."""
    about: Description = json.loads(file.schema_arrow.metadata[KEY])
    if inputs:
        return about, file.schema_arrow.names
    about |= {"numeric": [], "categorical": {}, "image": None, "text": False}
    return about, [name for name in file.schema_arrow.names if not name.startswith((INPUT, "image", "text"))]


def read_labels(path: str | Path, positions: Array | None = None) -> Labels:
    """Read labels, groups and pairs of a dataset, in the narrowest integers; it holds one row block besides.

    Args:
        path: Parquet file.
        positions: (n,) of the rows in the table, which are read in that order; None reads all rows.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        about, _ = _description(file, inputs=False)
        classes, _, group_levels = _levels(about)
        levels = {"label": classes} | {f"group:{name}": names for name, names in group_levels.items()}
        if "unit" in about:
            del levels["label"]
        names = list(dict.fromkeys(["label", *levels, "file", *(["pair"] if about["pair"] else [])]))
        rows = np.arange(file.metadata.num_rows) if positions is None else np.asarray(positions)
        order = None if (rows[1:] >= rows[:-1]).all() else np.argsort(rows, kind="stable")
        columns: dict[str, Array] = {}
        files: dict[str, int] = {}
        for block, places, inside in _blocks_of(file, rows if order is None else rows[order]):
            table = file.read_row_group(block, columns=names, use_threads=False)
            for name in table.column_names:
                values = _narrow_column(table, name, levels, files)[inside]
                held = columns.setdefault(name, np.empty(len(rows), values.dtype))
                held[places if order is None else order[places]] = values
    return Labels(
        label=columns.get("label", np.empty(0, np.int8)),
        classes=classes,
        groups={name: columns.get(f"group:{name}", np.empty(0, np.int8)) for name in group_levels},
        group_levels=group_levels,
        file=columns.get("file", np.empty(0, np.int32)),
        files=tuple(files),
        pairs=columns.get("pair"),
    )


def _narrow_column(table: pa.Table, name: str, levels: "Levels", files: dict[str, int]) -> Array:
    """A column of labels or groups in the narrowest integers; names of files are numbered as they come."""
    if name == "file":
        for names in (chunk.dictionary.to_pylist() for chunk in table.column(name).chunks):
            files.update({file: len(files) + number for number, file in enumerate(n for n in names if n not in files)})
        return _codes(table, name, tuple(files)).astype(np.int32)
    if name not in levels:
        return _column(table, name)
    return _codes(table, name, levels[name]).astype(narrowest(len(levels[name])))


Levels = dict[str, tuple[str, ...]]


def _levels(about: Description) -> tuple[tuple[str, ...], Levels, Levels]:
    """Classes, levels of the categorical columns, levels of the groups."""
    categorical, groups = (
        {name: tuple(levels) for name, levels in about[kind].items()} for kind in ("categorical", "groups")
    )
    return tuple(about["classes"]), categorical, groups


def write_split(path: str | Path, rows: Array, part: Array) -> None:
    """Write the part of each row: 0 train, 1 validation, 2 test."""
    _write_parquet(path, {"row": rows, "part": _coded(part, PARTS)})


def read_split(path: str | Path) -> dict[str, Array]:
    """Positions of the rows of each part, in the order of the table."""
    positions: dict[str, list[Array]] = {name: [np.empty(0, np.int64)] for name in PARTS}
    start = 0
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(BLOCK_ROWS, columns=["part"], use_threads=False):
            part = _codes(pa.Table.from_batches([batch]), "part", PARTS)
            for code, name in enumerate(PARTS):
                positions[name].append(np.flatnonzero(part == code) + start)
            start += len(part)
    return {name: np.concatenate(positions.pop(name)) for name in PARTS}


def write_augmented(path: str | Path, parts: Iterable[tuple[Augmented, Array]], like: Table) -> None:
    """Write augmented rows, and the weights of original rows that are not 1, each with the id of its source row.

    Args:
        path: file to write.
        parts: augmented rows made from some training rows, and the ids of those training rows (n,).
        like: rows of the same dataset, whose columns and levels are used.
    """
    _write_row_groups(path, (_stored_augmented(augmented, ids, like) for augmented, ids in parts), like.block_rows)


def _stored_augmented(augmented: Augmented, ids: Array, like: Table) -> pa.Table:
    weighted = np.flatnonzero(augmented.row_weights != 1)
    made = len(augmented.source)
    columns: Columns = {
        "source": np.concatenate([ids[augmented.source], ids[weighted]]),
        "made": np.arange(made + len(weighted)) < made,
        "weight": np.concatenate([np.ones(made, np.float32), augmented.row_weights[weighted]]),
    }
    inputs = _input_columns(augmented, like)
    for name, column in inputs.items():
        array = pa.array(column) if isinstance(column, np.ndarray) else column
        empty = pa.nulls(len(weighted), array.type)
        columns[name] = pa.chunked_array([array, empty])
    return pa.table(columns)


def read_augmented(path: str | Path, training: Table) -> Augmented:
    """Inverse of `write_augmented`, for the same training rows."""
    ids, made, weight = read_sources(path)
    source = positions_of(ids, training.row)
    weights = np.ones(len(training), dtype=np.float32)
    weights[source[~made]] = weight[~made]
    return Augmented(source=source[made], row_weights=weights, **read_made(path, training))


def positions_of(ids: Array, rows: Array) -> Array:
    """Positions of row ids (m,) among the ids of rows (n,), which have all of them."""
    order = np.argsort(rows, kind="stable")
    return order[np.searchsorted(rows, ids, sorter=order)]


def read_sources(path: str | Path) -> tuple[Array, Array, Array]:
    """Of the rows of an augmentation (m,): ids of their source rows, whether they are new rows, and weights."""
    with _reading(path):
        table = pq.read_table(path, columns=["source", "made", "weight"], page_checksum_verification=True)
    return _column(table, "source"), _column(table, "made").astype(bool), _column(table, "weight")


def read_made(path: str | Path, like: Table, block: int | None = None) -> dict[str, Any]:
    """Inputs of the rows that an augmentation made, by their field of `Table`.

    Args:
        path: Parquet file of the augmentation.
        like: rows of the same dataset, whose columns and levels are used.
        block: number of one row group; None reads all.
    """
    with _reading(path):
        if block is None:
            table = pq.read_table(path, page_checksum_verification=True)
        else:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read_row_group(block, use_threads=False)
    rows = table.filter(table.column("made"))
    codes = [_codes(rows, f"{INPUT}{name}", levels) for name, levels in like.levels.items()]
    return {
        "numeric": _matrix(rows, [f"{INPUT}{name}" for name in like.numeric_names], np.float32),
        "categorical": np.stack(codes, axis=1) if codes else np.empty((rows.num_rows, 0), np.int64),
        "images": None if like.images is None else _images(rows, list(like.images.shape[1:])),
        "texts": None if like.texts is None else _column(rows, "text"),
    }


# ---- models and predictions


def write_weights(path: str | Path, weights: Mapping[str, Array], about: Mapping[str, Any], about_path: Any) -> None:
    """Write a model: its tensors as safetensors, and the description that rebuilds it as JSON beside them."""
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in weights.items()}
    with atomic(path) as temporary:
        temporary.write_bytes(safetensors.numpy.save(tensors))
    write_json(about_path, about)


def read_weights(path: str | Path, about_path: str | Path) -> tuple[dict[str, Array], Description]:
    """Read tensors and description; inverse of `write_weights`.

    Raises:
        InputError: a file is damaged.
    """
    with _reading(path):
        tensors = safetensors.numpy.load(Path(path).read_bytes())
    return tensors, read_json(about_path)


def read_tensors(path: str | Path) -> dict[str, Array]:
    """Tensors of a safetensors file that this project has not written; narrower floats become float32.

    Raises:
        InputError: it is not a safetensors file.
    """
    import torch  # noqa: PLC0415 - NumPy has no bfloat16, and steps without it save torch
    from safetensors.torch import load  # noqa: PLC0415

    try:
        tensors = load(Path(path).read_bytes())
    except SafetensorError as error:
        raise InputError(f"{Path(path).name} is not safetensors ({error})") from None
    return {name: (t.to(torch.float32) if t.is_floating_point() else t).numpy() for name, t in tensors.items()}


def stored_types(path: str | Path) -> dict[str, int]:
    """Number of weights of matrices by the type in which a safetensors file stores them, most frequent first."""
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    counts: Counter[str] = Counter()
    with safe_open(path, framework="np") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - not a mapping
            part = tensors.get_slice(name)
            if len(shape := part.get_shape()) > 1:
                counts[names.get(part.get_dtype(), part.get_dtype())] += int(np.prod(shape))
    return dict(counts.most_common())


def write_predictions(
    path: str | Path, columns: Mapping[str, Array] | Iterable[Mapping[str, Array]], about: Mapping[str, Any]
) -> None:
    """Write predictions, at once or in portions of any size; the file is the same.

    Args:
        path: file to write.
        columns: `row`, `part` (code), `label`, `prediction`, `score` (n,), `probabilities` (n, classes).
        about: description.
    """
    portions = [columns] if isinstance(columns, Mapping) else columns
    _write_row_groups(path, (_stored_predictions(portion, about) for portion in portions), BLOCK_ROWS)


def _stored_predictions(columns: Mapping[str, Array], about: Mapping[str, Any]) -> pa.Table:
    stored: Columns = dict(columns)
    stored["part"] = _coded(columns["part"], PARTS)
    if "probabilities" in columns:
        probabilities = np.ascontiguousarray(columns["probabilities"])
        flat = pa.array(probabilities.reshape(-1))
        stored["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1])
    return _described(stored, about)


def read_predictions(
    path: str | Path, names: Sequence[str] | None = None, part: str | None = None
) -> tuple[dict[str, Array], Description]:
    """Read columns (n, ...) and description; inverse of `write_predictions`.

    Args:
        path: Parquet file.
        names: columns to read, if the file has them; None reads all.
        part: the part whose rows are read, one of PARTS; None reads all rows.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        about: Description = json.loads(file.schema_arrow.metadata[KEY])
        blocks = list(_prediction_blocks(file, names, part))
    columns = {name: np.concatenate([block.pop(name) for block in blocks]) for name in list(blocks[0])}
    return columns, about


def prediction_blocks(
    path: str | Path, names: Sequence[str] | None = None, part: str | None = None
) -> Iterator[dict[str, Array]]:
    """Columns of predictions, block by block; the parameters are those of `read_predictions`."""
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from _prediction_blocks(file, names, part)


def _prediction_blocks(
    file: pq.ParquetFile, names: Sequence[str] | None, part: str | None
) -> Iterator[dict[str, Array]]:
    """See `prediction_blocks`; a file without rows has one block."""
    stored = file.schema_arrow.names
    wanted = [name for name in stored if names is None or name in names]
    read = wanted if part is None or "part" in wanted else [*wanted, "part"]
    batches = file.iter_batches(BLOCK_ROWS, columns=read, use_threads=False)
    empty = file.schema_arrow.empty_table().select(read)
    tables = (pa.Table.from_batches([batch]) for batch in batches)
    for table in tables if file.metadata.num_rows else [empty]:
        columns = {name: _predicted_column(table, name) for name in read}
        if part is not None:
            member = columns["part"] == PARTS.index(part)
            columns = {name: columns[name][member] for name in wanted}
        yield columns


def _predicted_column(table: pa.Table, name: str) -> Array:
    if name == "part":
        return _codes(table, name, PARTS)
    if name != "probabilities":
        return _column(table, name)
    column = table.column(name)
    width = column.type.list_size
    return np.concatenate([c.flatten().to_numpy() for c in column.chunks]).reshape(-1, width)


# ---- tidy tables


def write_rows(path: str | Path, rows: Sequence[Mapping[str, Any]], schema: Mapping[str, str]) -> None:
    """Write tidy rows; `schema` gives each column's Arrow type by name (`string`, `int64`, `double`, `bool`)."""
    fields = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in schema.items()])
    table = pa.Table.from_pylist(list(rows), schema=fields)
    with atomic(path) as temporary, temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def write_frame(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a tidy data frame."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        frame.to_parquet(file, index=False, compression="zstd", write_page_checksum=True)


def read_frame(path: str | Path) -> "pd.DataFrame":
    """Read a tidy table.

    Raises:
        InputError: the file is damaged.
    """
    import pandas as pd  # noqa: PLC0415 - half a second that steps without data frames save

    with _reading(path):
        return pd.read_parquet(path, page_checksum_verification=True)
