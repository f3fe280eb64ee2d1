"""What a shipped ONNX file says of itself: its signature, its operators, its bytes."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import zstandard

from fairweight.core.artifacts import write_text
from fairweight.training.signature import Signature

SIGNATURE = "fairweight.signature"  # key in the file's metadata
TOKENIZER = "tokenizer.json"  # its name beside the file
TRANSFER_LEVEL = 19  # zstd
# level 19 takes .4 CPU-seconds a megabyte; of a transformer's weights level 9 leaves 0.2 to 0.8 % more
LARGE_BYTES, LARGE_LEVEL = 2**24, 9

# operators of ONNX and of onnxruntime that multiply integers
INTEGER_OPERATORS = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    }
)
FLOAT_OPERATORS = frozenset({"Conv", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "MatMul"})


def put_signature(proto: onnx.ModelProto, signature: Signature) -> None:
    """Set the signature in a file's metadata."""
    kept = [p for p in proto.metadata_props if p.key != SIGNATURE]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    proto.metadata_props.add(key=SIGNATURE, value=json.dumps(signature.to_dict(), ensure_ascii=False))


def read_signature(path: str | Path) -> Signature:
    """The signature inside a shipped file."""
    stated = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    return Signature.from_dict(json.loads(stated[SIGNATURE]))


def write_tokenizer(path: str | Path, signature: Signature) -> None:
    """Write what a program without this library needs beside a shipped file: of texts, the tokenizer as a file.

    The same tokenizer stands in the file's signature, so that nothing is lost with it.
    """
    if signature.text is not None:
        write_text(Path(path).with_name(TOKENIZER), signature.text["definition"])


def operators(file: bytes) -> Counter[str]:
    """How often each operator stands in the graph that onnxruntime really runs, after its fusions; of a file's content.

    A product of two activations, as attention has, is counted as `MatMul of activations`, not with those of weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 3  # it warns that the file is for this machine; it is thrown away
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(str(optimized)).graph
        stored = {tensor.name for tensor in graph.initializer}
        for node in graph.node:  # a weight is found behind the node that widens it, too
            if node.input and all(name in stored or not name for name in node.input):
                stored.update(node.output)
        return Counter(_kind(node, stored) for node in graph.node)


def _kind(node: onnx.NodeProto, stored: set[str]) -> str:
    if node.op_type in ("MatMul", "FusedMatMul") and not stored & set(node.input):
        return "MatMul of activations"
    return str(node.op_type)


def sizes(path: str | Path) -> tuple[int, int]:
    """(bytes of the file, bytes to transfer it with zstd at level 19, of more than 16 MB at level 9).

    Where storage coding wrote the file that ships (`model.coded` beside it), it is that one's bytes.
    """
    data = _that_ships(path).read_bytes()
    return len(data), compressed_bytes(data)


def file_bytes(path: str | Path) -> int:
    """Bytes of the file that ships, without those to transfer, which take minutes to find of a language model."""
    return _that_ships(path).stat().st_size


def _that_ships(path: str | Path) -> Path:
    coded = Path(path).with_name("model.coded")
    return coded if coded.exists() else Path(path)


def compressed_bytes(data: bytes) -> int:
    """Bytes that zstd makes of them at the level of transfer."""
    level = TRANSFER_LEVEL if len(data) <= LARGE_BYTES else LARGE_LEVEL
    return len(zstandard.ZstdCompressor(level=level).compress(data))
