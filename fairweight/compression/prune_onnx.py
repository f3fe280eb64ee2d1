"""Pruning of an ONNX file alone, such as that of an imported model; nothing is trained."""

from pathlib import Path
from typing import Any

import onnx

from fairweight.compression.not_applicable import NotApplicable
from fairweight.core import components
from fairweight.core.artifacts import atomic, write_json
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe
from fairweight.inference import load_engine
from fairweight.inference.onnx_file import put_signature, read_signature, write_tokenizer
from fairweight.inference.reference_engine import REFERENCE_ENGINE


def prune_onnx(*, parent: str, destination: str, report: str, recipe: MethodRecipe, variant: str) -> None:
    """Prune a parent's ONNX file.

    Args:
        parent: ONNX file of the parent.
        destination: ONNX file to write.
        report: JSON file to write: what the method reports, and `size_ratio`, bytes of the parent divided by bytes of
            the file.
        recipe: `method` and its options.
        variant: name of the variant, for messages.

    Raises:
        InputError: the engine cannot load the file.
        NotApplicable: the graph has nothing that the method takes, or it left the graph as it was.
    """
    place = f"variants: {variant}: prune_onnx"
    signature = read_signature(parent)
    method = components.load("graph_pruning", recipe["method"])
    with atomic(destination) as temporary:
        try:
            result: dict[str, Any] = method(Path(parent), temporary, **components.chosen(recipe))
            proto = onnx.load(str(temporary))
            if proto.graph == onnx.load(parent).graph:
                raise NotApplicable(f"method {recipe['method']!r} left the model as it was")
            put_signature(proto, signature)
            temporary.write_bytes(proto.SerializeToString())
            load_engine.load(REFERENCE_ENGINE, temporary, threads=1, place=place, file=destination)
        except InputError as error:
            message = str(error).rstrip(".")
            raise type(error)(f"{message if message.startswith(place) else f'{place}: {message}'}.") from None
        ratio = Path(parent).stat().st_size / temporary.stat().st_size
    write_tokenizer(destination, signature)
    write_json(report, {**result, "size_ratio": ratio})
