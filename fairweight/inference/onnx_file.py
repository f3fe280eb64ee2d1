"""Properties of an exported ONNX file: its signature, its operators and its size."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import zstandard

from fairweight.core.artifacts import write_text
from fairweight.inference.operator_kinds import EITHER_OPERATORS, Kind, graphs, kind, nodes
from fairweight.training.signature import SIGNATURE, Signature

# names under which `operators` counts products of activations, and operators whose products are unknown
ACTIVATIONS, UNKNOWN = "MatMul of activations", "unknown products"
TOKENIZER = "tokenizer.json"  # name of the tokenizer's file beside an ONNX file
TRANSFER_LEVEL = 19  # zstd
# level 19 takes .4 CPU-seconds a megabyte; for a transformer's weights, level 9 leaves 0.2 to 0.8 % more
LARGE_BYTES, LARGE_LEVEL = 2**24, 9


def put_signature(proto: onnx.ModelProto, signature: Signature) -> None:
    """Set the signature in a file's metadata."""
    kept = [p for p in proto.metadata_props if p.key != SIGNATURE]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    proto.metadata_props.add(key=SIGNATURE, value=json.dumps(signature.to_dict(), ensure_ascii=False))


def read_signature(path: str | Path) -> Signature:
    """Read the signature from a file's metadata."""
    metadata = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    return Signature.from_dict(json.loads(metadata[SIGNATURE]))


def write_tokenizer(path: str | Path, signature: Signature) -> None:
    """Write the tokenizer beside an ONNX file, for programs without this library; nothing for models without texts.

    The file's signature contains the same tokenizer, so that nothing is lost with the copy.
    """
    if signature.text is not None:
        write_text(Path(path).with_name(TOKENIZER), signature.text["definition"])


def operators(file: bytes) -> Counter[str]:
    """Count the operators of the graph that onnxruntime runs, after its fusions.

    Args:
        file: content of an ONNX file.

    Returns:
        Type of operator -> count, those in branches and loops included. A product of two activations, as in attention,
        is counted as `ACTIVATIONS`, apart from products with weights; an operator whose products are unknown as
        `UNKNOWN`.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 3  # it warns that the file is specific to this machine; the file is deleted here
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(str(optimized)).graph
        weights = {tensor.name for each in graphs(graph) for tensor in each.initializer}
        for node in nodes(graph):  # the output of a node that widens a weight is also a weight
            if node.input and all(name in weights or not name for name in node.input):
                weights.update(node.output)
        return Counter(_counted_as(node, weights) for node in nodes(graph))


def _counted_as(node: onnx.NodeProto, weights: set[str]) -> str:
    known = kind(node.op_type, node.domain)
    if known is Kind.UNKNOWN:
        return UNKNOWN
    if known is Kind.ACTIVATIONS or (node.op_type in EITHER_OPERATORS and not weights & set(node.input)):
        return ACTIVATIONS
    return str(node.op_type)


def sizes(path: str | Path) -> tuple[int, int]:
    """Return the bytes of the file that ships, and its bytes under zstd (level 19; level 9 above 16 MB).

    Where storage coding wrote the file that ships (`model.coded` beside the ONNX file), its bytes are returned.
    """
    data = _shipped_file(path).read_bytes()
    return len(data), compressed_bytes(data)


def file_bytes(path: str | Path) -> int:
    """Return the bytes of the file that ships; the bytes under zstd would take minutes for a language model."""
    return _shipped_file(path).stat().st_size


def _shipped_file(path: str | Path) -> Path:
    coded = Path(path).with_name("model.coded")
    return coded if coded.exists() else Path(path)


def compressed_bytes(data: bytes) -> int:
    """Return the number of bytes after compression with zstd at the transfer level."""
    level = TRANSFER_LEVEL if len(data) <= LARGE_BYTES else LARGE_LEVEL
    return len(zstandard.ZstdCompressor(level=level).compress(data))
