"""Which methods apply to an ONNX file: decided from its operators and weights, by trying each of them."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from fairweight.compression.file_growth import growth
from fairweight.compression.onnx_graph_edits import load_graph
from fairweight.compression.tree_ensembles import is_ensemble
from fairweight.core import components
from fairweight.core.errors import InputError, first_line
from fairweight.core.operations import OPERATIONS
from fairweight.inference.imported_graph import Tensor, random_feeds, read_graph
from fairweight.inference.onnxruntime_session import check_loads, session
from fairweight.inference.operator_kinds import Kind, kind, nodes

TRIED_BYTES = 32_000_000  # a larger file is not tried, because that would take more than seconds
ROWS = 64
Recipes = dict[str, tuple[str, dict[str, Any]]]  # name of a variant -> operation and recipe
TREES: Recipes = {
    "trees50": ("prune_onnx", {"method": "fewer_trees", "share": 0.5}),
    "trees25": ("prune_onnx", {"method": "fewer_trees", "share": 0.25}),
}
INT8: Recipes = {"int8": ("quantize", {"method": "auto"})}
NETWORK: Recipes = {
    "weights8": ("quantize", {"method": "weight_only"}),
    "weights4": ("quantize", {"method": "weight_only", "bits": 4}),
    "half": ("quantize", {"method": "float16"}),
    "zeros50": ("prune_onnx", {"method": "magnitude", "sparsity": 0.5}),
}


@dataclass(frozen=True)
class Candidate:
    """A variant that could be made of a model.

    Attributes:
        name: name of the variant.
        operation: key of its operation in the study file.
        recipe: `method` and the options that differ from the defaults.
        reason: why it does not apply, in words; None if it does.
    """

    name: str
    operation: str
    recipe: Mapping[str, Any]
    reason: str | None


def applicable(path: Path) -> list[Candidate]:
    """Find out which methods apply to an ONNX file.

    Every method is tried on random rows, and its file is loaded. How much predictions change is not known afterwards.

    Args:
        path: ONNX file from anywhere.

    Returns:
        Methods for models of this kind with the options to begin with; those that do not apply have a reason.

    Raises:
        InputError: the file cannot be read.
    """
    described = read_graph(path)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.onnx"
        onnx.save(described.proto, str(source))
        return [
            Candidate(name, operation, recipe, _reason(source, operation, recipe, described.inputs))
            for name, (operation, recipe) in _recipes(source).items()
        ]


def _recipes(source: Path) -> Recipes:
    """Candidates for a model of this kind."""
    every = list(nodes(load_graph(source).graph))
    if not any(is_ensemble(node) for node in every):
        return {**INT8, **NETWORK}
    has_layers = any(kind(node.op_type, node.domain) is not Kind.NONE for node in every)
    return {**TREES, **INT8, **(NETWORK if has_layers else {})}


def _reason(source: Path, operation: str, recipe: dict[str, Any], inputs: tuple[Tensor, ...]) -> str | None:
    """Why a method does not apply; None if it does, or if the file is too large to try it."""
    if source.stat().st_size > TRIED_BYTES:
        return None
    folder = str(OPERATIONS[operation].folder)
    method = components.load(folder, recipe["method"])
    declared = components.options(folder, recipe["method"]).items()
    options = {name: option["default"] for name, option in declared if "default" in option}
    options |= components.chosen(recipe)
    if operation == "quantize":
        options["calibration"] = lambda rows: [random_feeds(inputs, min(rows, ROWS))]
    destination = source.with_name("tried.onnx")
    logging.getLogger("root").setLevel(logging.ERROR)  # onnxruntime advises pre-processing at every call
    try:
        method(source, destination, **options)
    except InputError as error:
        return str(error).rstrip(".")
    except Exception:  # random rows may not suit the graph; the step has real ones
        return None
    try:
        check_loads(destination)
        session(destination, threads=1, quiet=True)
    except Exception as error:  # a crash, or an operator without a kernel for its types
        return f"onnxruntime does not load its file ({first_line(error)})"
    before, after = source.read_bytes(), _without_shapes(destination)
    if operation == "quantize" and len(after) >= len(before):
        return f"its file would be {growth(before, after)}"
    return None


def _without_shapes(path: Path) -> bytes:
    """A file as the step writes it: without the shapes that a quantizer inferred for itself."""
    proto = onnx.load(str(path))
    del proto.graph.value_info[:]
    content: bytes = proto.SerializeToString()
    return content
