"""Import of a trained model from an ONNX file: it keeps its inputs and outputs, and is bound to the dataset."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from fairweight.core.artifacts import atomic, read_split, read_table, write_json
from fairweight.core.errors import InputError, first_line, listed, shortened
from fairweight.core.foreign_models import ForeignModelError, refuse_foreign
from fairweight.core.local_files import expanded
from fairweight.core.recipes import MethodRecipe
from fairweight.core.table import Table
from fairweight.inference.binding import Columns, bind_inputs, check_values, text_length
from fairweight.inference.bound_outputs import as_probabilities, bound, class_key
from fairweight.inference.imported_graph import Described, Tensor, read_graph, with_free_rows
from fairweight.inference.onnx_file import put_signature, write_tokenizer
from fairweight.inference.onnxruntime_session import check_loads, session
from fairweight.inference.output_binding import Order, choose_output, content_of, labels_beside, order_of
from fairweight.inference.reference_causes import known_categories
from fairweight.inference.reference_check import check_imported, check_numbers, verdict
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Binding, Feeds, Signature
from fairweight.training.tokenizer import padding_code, subwords

Array = NDArray[Any]

BATCH = 256
TRIED = 1000  # rows from whose outputs the content of the output is concluded
CALLS = 5  # that are tried in one call, where the file states a number of rows
SAME = 1e-5  # largest difference of an output between calls of one row and of several
ALONE = 32  # rows that are predicted alone as well
MOVED = 0.1  # largest difference of a probability between the two
LONGEST = 200  # characters of onnxruntime's own message
DIFFERENT = 0.05  # share of rows whose label may differ from the class of the largest score
FREED = "the number of rows of one call is free now"


def import_onnx(*, recipe: MethodRecipe, table: str, split: str, destination: str, report: str, name: str) -> None:
    """Write a user's ONNX file as a study's model, after it has been run on the dataset.

    Args:
        recipe: `models: NAME` of the study file: options of the architecture `onnx`.
        table, split: Parquet files of the data.
        destination: ONNX file to write: the user's, with a signature in its metadata.
        report: JSON file to write: what the file says, how it is bound, what was changed, and its agreement with the
            reference.
        name: the model's name, for messages.

    Raises:
        InputError: the file cannot be read or run, does not fit the dataset, or disagrees with the reference.
    """
    rows, parts = read_table(table), read_split(split)
    try:
        file = expanded(recipe["file"])
        refuse_foreign(file)
        described = read_graph(file)
        with atomic(destination) as temporary:
            imported = _bound_to(described, recipe, rows, temporary)
            put_signature(imported.proto, imported.signature)
            temporary.write_bytes(imported.proto.SerializeToString())
        facts = imported.checked(recipe, rows, parts)
    except ForeignModelError:
        raise
    except InputError as error:
        raise InputError(f"models: {name}: {str(error).rstrip('.')}.") from None
    write_tokenizer(destination, imported.signature)
    write_json(
        report,
        {
            "file": Path(recipe["file"]).name,
            "producer": f"{described.proto.producer_name} {described.proto.producer_version}".strip(),
            "opset": {entry.domain or "ai.onnx": entry.version for entry in described.proto.opset_import},
            "inputs": [str(tensor) for tensor in described.inputs],
            "outputs": [str(tensor) for tensor in described.outputs],
            "binding": imported.signature.binding,
            "changes": imported.changes,
            **facts,
            **verdict(facts),
        },
    )
    print(*imported.summary(), sep="\n")


@dataclass(frozen=True)
class Imported:
    """An imported graph, bound to a dataset.

    Attributes:
        proto: the graph.
        signature: with its binding.
        classes_from: where the order of the classes is from, in words.
        scores: number of classes that the file has scores of.
        changes: what was changed, in words.
        run: input tensors by name -> probabilities (n, classes).
    """

    proto: onnx.ModelProto
    signature: Signature
    classes_from: str
    scores: int
    changes: list[str]
    run: Callable[[Feeds], Array]

    def checked(self, recipe: MethodRecipe, rows: Table, parts: dict[str, Array]) -> dict[str, Any]:
        """Compare it with its original; see `check_imported`."""
        binding = self.signature.binding
        assert binding is not None  # an imported graph has one
        order = None if binding["content"] == "labels" else [int(position) for position in binding["order"]]
        return check_imported(
            self.run,
            self.signature,
            recipe,
            rows,
            parts,
            order=order,
            scores=self.scores,
            classes_from=self.classes_from,
            known=known_categories(self.proto, self.signature),
        )

    def summary(self) -> list[str]:
        """How rows go in and probabilities come out, line by line."""
        binding = self.signature.binding
        assert binding is not None  # an imported graph has one
        inputs = [
            f"input {entry['name']}: {entry['part']} of {entry['type']}"
            + (f" from {listed(entry['columns'])}" if entry["columns"] else "")
            for entry in binding["inputs"]
        ]
        output = f"output {binding['output']}: {binding['content']}, classes {self.classes_from}"
        return [*inputs, output, *self.changes]


def _bound_to(described: Described, recipe: MethodRecipe, rows: Table, path: Path) -> Imported:
    """Bind a graph to the rows of a dataset; `path` is a file to try it in."""
    output = choose_output(described, recipe["output"])
    signature, binding = _signature(described, recipe, rows, output)
    first = rows.take(np.arange(min(len(rows), TRIED)))
    some = ModelInputs.from_rows(signature, first)
    proto, changes = described.proto, list(described.changes)
    fixed = _fixed_rows(described.inputs)
    if fixed is not None and (freed := _freed(proto, output, some, fixed, path)) is not None:
        proto, fixed = freed, None
        changes.append(FREED)
    binding["rows"] = fixed
    load = load_imported(proto, path, output.name)
    values = _values(load, some, fixed) if fixed or len(some) == 1 else _free_values(load, some)
    check_numbers(values, first, f"output {output}")
    binding["content"] = content_of(values, output, recipe["content"], len(rows.classes))
    named = [str(value) for value in recipe["classes"]] if recipe["classes"] else None
    order = order_of(binding["content"], values, named, described.classes, rows.classes)
    binding["order"] = order.places
    if (labels := labels_beside(described, output)) is not None and binding["content"] != "labels":
        _check_labels(_values(load_imported(proto, path, labels.name), some, fixed), labels, values, order, binding)
    run = bound(load_imported(proto, path, output.name), binding)
    _check_alone(run, some)
    return Imported(proto, signature, order.source, order.scores, changes, run)


def _signature(described: Described, recipe: MethodRecipe, rows: Table, output: Tensor) -> tuple[Signature, Binding]:
    """The signature of a graph, and its binding, in which the content of the output is still open."""
    columns = Columns(
        rows.numeric_names,
        tuple(rows.levels),
        None if rows.images is None else tuple(rows.images.shape[1:]),
        rows.texts is not None,
        rows.classes,
    )
    inputs, pixels = bind_inputs(described, recipe, columns)
    check_values(inputs, rows)
    binding: Binding = {"inputs": inputs, "output": output.name, "content": "labels", "order": [], "rows": None}
    text = None
    if pixels is not None:
        binding["pixels"] = pixels
    if columns.text:
        length, padded = text_length(described, recipe["length"])
        text = subwords(_tokenizer(recipe), length)
        binding |= {"padding": padding_code(text), "length": padded}
    signature = Signature(
        columns.numeric if pixels is None and text is None else (),
        dict(rows.levels),
        columns.image,
        rows.classes,
        text,
        origins=rows.origins,
        binding=binding,
    )
    return signature, binding


def _check_alone(run: Callable[[Feeds], Array], some: ModelInputs) -> None:
    """Refuse a file whose output for a row depends on the other rows of its call.

    Ranges of dynamic quantization depend on them as well, and change probabilities less.
    """
    few = slice(0, min(len(some), ALONE))
    together = run(some.at(few))
    alone = np.concatenate([run(some.at(slice(row, row + 1))) for row in range(len(together))])
    difference = float(np.abs(together - alone).max())
    if difference > MOVED:
        raise InputError(
            f"a probability changes by {difference:.2g} when a row is predicted alone and not in a call of "
            f"{len(together)} rows, so that predictions depend on their neighbours; export the model in its mode for "
            "inference (`model.eval()`), with a free number of rows"
        )


def _check_labels(labels: Array, tensor: Tensor, values: Array, order: Order, binding: Binding) -> None:
    """Compare the labels that the file itself returns with the classes of its largest scores.

    Raises:
        InputError: they differ more often than at ties.
    """
    keys = [class_key(label) for label in labels.reshape(len(labels)).astype(str)]
    names = {class_key(name): code for code, name in enumerate(order.classes)}
    if not any(key in names for key in keys):
        return  # numbers that stand for the classes in an order of their own
    expected = np.array([names.get(key, len(names)) for key in keys])
    different = int((as_probabilities(values, binding).argmax(axis=1) != expected).sum())
    if different > DIFFERENT * len(keys):
        raise InputError(
            f"classes: for {different:,} of {len(keys):,} rows the largest score of output {binding['output']!r} is of "
            f"another class than the file's own label in output {tensor}, with the classes {order.source}; set "
            f"'classes', in the order of the scores, or 'output: {tensor.name}'"
        )


def _tokenizer(recipe: MethodRecipe) -> str:
    if recipe["tokenizer"] is None:
        raise InputError("tokenizer: a model for texts needs the tokenizer.json that it was trained with; name it")
    try:
        return Path(recipe["tokenizer"]).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError(f"tokenizer: {recipe['tokenizer']} cannot be read ({first_line(error)})") from None


# ---- running it


def load_imported(proto: onnx.ModelProto, path: Path, output: str) -> Callable[[Feeds], Array]:
    """Load a graph into onnxruntime: input tensors by name -> the output, as the file returns it.

    Raises:
        InputError: onnxruntime does not take it.
    """
    path.write_bytes(proto.SerializeToString())
    check_loads(path, file="the file")
    try:
        loaded = session(path, threads=1)
    except Exception as error:  # onnxruntime raises errors of its own module
        raise InputError(_load_problem(proto, error)) from None

    def run(feeds: Feeds) -> Array:
        try:
            values: Array = np.asarray(loaded.run([output], feeds)[0])
        except Exception as error:
            shapes = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in feeds.items())
            raise InputError(
                f"the file cannot be run on rows of the dataset ({_words(error)}); it got {shapes}"
            ) from None
        return values

    return run


def _load_problem(proto: onnx.ModelProto, error: Exception) -> str:
    opset = max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    known = onnx.defs.onnx_opset_version()
    if opset > known or ("opset" in str(error).lower() and "support" in str(error).lower()):
        return (
            f"the file has opset {opset}, which onnxruntime {onnxruntime.__version__} does not know; export it with a "
            f"smaller one ({known - 3} is widely supported)"
        )
    return f"onnxruntime {onnxruntime.__version__} cannot load the file ({_words(error)})"


def _words(error: Exception) -> str:
    """The message of onnxruntime without its own code, paths and line breaks."""
    text = re.sub(
        r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from \S+ failed:|/onnxruntime_src/\S+ \S+ ", "", str(error)
    )
    return shortened(" ".join(text.split()), LONGEST).rstrip(".")


def _values(run: Callable[[Feeds], Array], some: ModelInputs, fixed: int | None) -> Array:
    """The output for some rows, as the file returns it."""
    outputs = [
        run(_filled(some.at(slice(start, start + (fixed or BATCH))), fixed))
        for start in range(0, len(some), fixed or BATCH)
    ]
    if any(values.ndim == 0 for values in outputs):
        raise InputError("the output is one number for a whole call, and not one for each row; set 'output'")
    values = np.concatenate(outputs)
    if len(values) < len(some):
        raise InputError(
            f"the output has {len(values):,} rows for {len(some):,} rows of the dataset; set 'output', or export the "
            "file with a free number of rows"
        )
    return values[: len(some)]


def _free_values(run: Callable[[Feeds], Array], some: ModelInputs) -> Array:
    """The output of a file that states a free number of rows.

    Raises:
        InputError: it cannot be run, or it takes one row a call.
    """
    try:
        return _values(run, some, None)
    except InputError:
        few = ModelInputs(some.at(slice(0, 1)), some.padded)
        _values(run, few, None)  # the same error, if the number of rows is not the reason
        raise InputError(
            "the file states a free number of rows and takes one row a call; export it with a free number of rows "
            "(`dynamic_shapes` of torch.onnx.export), or state the number that it takes"
        ) from None


def _filled(feeds: Feeds, rows: int | None) -> Feeds:
    """Rows of one call, filled up with copies of the last one where the file takes a fixed number."""
    if rows is None:
        return feeds
    short = rows - len(next(iter(feeds.values())))
    return {name: np.concatenate([array, np.repeat(array[-1:], short, axis=0)]) for name, array in feeds.items()}


def _fixed_rows(inputs: tuple[Tensor, ...]) -> int | None:
    """Number of rows of one call, if the inputs state one."""
    sizes = {tensor.shape[0] for tensor in inputs if tensor.shape}
    fixed = sizes - {None}
    if len(fixed) > 1:
        raise InputError(
            f"the inputs take different numbers of rows ({listed(inputs)}), so they are not columns of one row"
        )
    return next(iter(fixed), None) if None not in sizes else None


def _freed(proto: onnx.ModelProto, output: Tensor, some: ModelInputs, fixed: int, path: Path) -> onnx.ModelProto | None:
    """The graph with a free number of rows, if it then computes the same for each row; None if it does not."""
    free = with_free_rows(proto)
    feeds = some.at(np.arange(CALLS * fixed) % len(some))
    try:
        whole = load_imported(free, path, output.name)(feeds)
        run = load_imported(proto, path, output.name)
        parts = [run({n: a[s : s + fixed] for n, a in feeds.items()}) for s in range(0, CALLS * fixed, fixed)]
    except InputError:
        return None
    expected = np.concatenate(parts) if all(part.ndim for part in parts) else np.array(parts)
    if whole.shape != expected.shape:
        return None
    same = np.array_equal(whole, expected) if whole.dtype.kind in "OUS" else np.allclose(whole, expected, atol=SAME)
    return free if same else None
