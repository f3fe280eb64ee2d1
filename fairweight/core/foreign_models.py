"""Formats of models that are not ONNX, recognised by their content, and the lines of code that convert them.

Nothing of a file is loaded: its first bytes, the names of the members of an archive, and the fields of a protobuf
message are enough (standard library only).
"""

import bz2
import lzma
import pickletools
import shlex
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from fairweight.core.errors import InputError, escaped

PAGE = "docs/trained-models.md"
HEAD_BYTES = 2**16  # of a file, or of what a compressed file holds
NAMES_BYTES = 2**20  # in which a pickle is searched for the name of the library that wrote it
MOST_FIELDS = 100_000  # of a protobuf message; an ONNX file has about ten


class Format(NamedTuple):
    """A format that is refused."""

    title: str  # with its article: "a Keras model"
    reason: str  # what is wrong with it, as a relative clause
    lines: tuple[str, ...]  # {file}: its path as Python code; {path}: for a shell; {stem}: the path without its suffix


class ForeignModelError(InputError):
    """A model that is not ONNX: one sentence, then lines of code that convert it, each on a line of its own."""

    def __init__(self, sentence: str, lines: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.lines = tuple(escaped(line) for line in lines)

    def __str__(self) -> str:
        return "\n    ".join([super().__str__(), *self.lines])


_PICKLE = "which can run any code while it is loaded"
_KERAS = ("make setup-convert-keras", "fairweight convert {path} {stem}.onnx")
_JOBLIB = "model = joblib.load({file})  # it can run any code: open a file of your own only"
_TO_ONNX = (
    "proto = skl2onnx.to_onnx(model, {rows}, options={{'zipmap': False}}, target_opset={{'': 18, 'ai.onnx.ml': 3}})",
    "onnx.save(proto, {onnx})",
)
# a DataFrame would become an input for each column, which only a ColumnTransformer takes
_ONE_TENSOR = (
    "rows = numpy.asarray(X_train[:1], 'float32')",
    _TO_ONNX[0].replace("{rows}", "rows"),
    _TO_ONNX[1],
)
_SKLEARN = ("import joblib, numpy, onnx, skl2onnx", _JOBLIB, *_ONE_TENSOR)
# one input of the ONNX file for each column
_COLUMNS = (
    "from skl2onnx.common.data_types import FloatTensorType, StringTensorType",
    "kinds = {{name: FloatTensorType if X_train[name].dtype.kind in 'biuf' else StringTensorType for name in X_train}}",
    "types = [(name, kind([None, 1])) for name, kind in kinds.items()]",
    _TO_ONNX[0].replace("{rows}", "initial_types=types"),
    _TO_ONNX[1],
)
_SKOPS = (
    "print(skops.io.get_untrusted_types(file={file}))  # read this list first",
    "model = skops.io.load({file}, trusted=skops.io.get_untrusted_types(file={file}))",
)
_GIVEN = (
    "predict the test rows with the program that made the model",
    "write its scores into a column of the table",
    "name the column in a variant of the operation `given`",
)
_INPUT = "[('input', FloatTensorType([None, {width}]))]"
_FLOATS = "from onnxmltools.convert.common.data_types import FloatTensorType"
_CONVERT_XGBOOST = (
    _FLOATS,
    f"types = {_INPUT.format(width='model.n_features_in_')}",
    "onnx.save(onnxmltools.convert_xgboost(model, initial_types=types), {onnx})",
)
_XGBOOST = (
    "import onnx, onnxmltools, xgboost",
    "model = xgboost.XGBClassifier(); model.load_model({file})",
    *_CONVERT_XGBOOST,
)
_CONVERT_LIGHTGBM = (
    _FLOATS,
    f"types = {_INPUT.format(width='model.num_feature()')}",
    "onnx.save(onnxmltools.convert_lightgbm(model, initial_types=types, zipmap=False), {onnx})",
)
_LIGHTGBM = ("import lightgbm, onnx, onnxmltools", "model = lightgbm.Booster(model_file={file})", *_CONVERT_LIGHTGBM)
_TORCH = (
    "import safetensors.torch, torch",
    "state = torch.load({file}, weights_only=True, map_location='cpu')  # tensors only: no code is run",
    "state = {{name: tensor.contiguous().clone() for name, tensor in state.items()}}",
    "safetensors.torch.save_file(state, {safetensors})  # the weights of `module:callable`",
)
_UNPACK = ("unpack it", "give the file inside that ends in .onnx")
_ORIGINAL = ("give the ONNX file that it was made from",)
_AGAIN = ("torch.onnx.export(model.eval(), (example,), {onnx}, dynamo=True)",)

FORMATS = {
    "torch": Format("a PyTorch file", f"which holds a pickle, {_PICKLE}", _TORCH),
    "torchscript": Format(
        "a TorchScript program",
        "which runs code of its own",
        (
            "import torch",
            "model = torch.jit.load({file}).eval()  # it runs the program: open a file of your own only",
            "axes = {{'input': {{0: 'rows'}}, 'output': {{0: 'rows'}}}}",
            "torch.onnx.export(model, (example,), {onnx}, dynamo=False, dynamic_axes=axes, input_names=['input'], "
            "output_names=['output'])",
        ),
    ),
    # torch.export.load calls pickle.loads and torch.load(weights_only=False) where the archive's own index says so
    "torch.export": Format(
        "a program of torch.export",
        f"whose archive may hold pickles, {_PICKLE}",
        (
            "import torch",
            "program = torch.export.load({file})  # it unpickles: open a file of your own only",
            "onnx_program = torch.onnx.export(program, dynamo=True)",
            "onnx_program.save({onnx})",
        ),
    ),
    "pickle": Format("a pickle", _PICKLE, _SKLEARN),
    "pickle of sklearn": Format("a pickle of scikit-learn", _PICKLE, _SKLEARN),
    "pickle of sklearn with columns": Format(
        "a pickle of scikit-learn", _PICKLE, ("import joblib, onnx, skl2onnx", _JOBLIB, *_COLUMNS)
    ),
    "pickle of torch": Format("a pickle of PyTorch", _PICKLE, _TORCH),
    "pickle of xgboost": Format(
        "a pickle of XGBoost", _PICKLE, ("import joblib, onnx, onnxmltools", _JOBLIB, *_CONVERT_XGBOOST)
    ),
    "pickle of lightgbm": Format(
        "a pickle of LightGBM",
        _PICKLE,
        (
            "import joblib, onnx, onnxmltools",
            _JOBLIB,
            *(line.replace("num_feature()", "n_features_in_") for line in _CONVERT_LIGHTGBM),
        ),
    ),
    "skops": Format(
        "a skops file of scikit-learn",
        "which builds the Python objects that it names",
        ("import numpy, onnx, skl2onnx, skops.io", *_SKOPS, *_ONE_TENSOR),
    ),
    "skops with columns": Format(
        "a skops file of scikit-learn",
        "which builds the Python objects that it names",
        ("import onnx, skl2onnx, skops.io", *_SKOPS, *_COLUMNS),
    ),
    "keras": Format("a Keras model", "which only Keras can read", _KERAS),
    "hdf5": Format("an HDF5 file, such as Keras writes", "which only Keras can read", _KERAS),
    "savedmodel": Format("a SavedModel of TensorFlow", "which only TensorFlow can run", _KERAS),
    "savedmodel.pb": Format(
        "the graph of a SavedModel",
        "whose weights are in other files of its folder",
        (_KERAS[0], "fairweight convert {folder} {stem}.onnx"),
    ),
    "graphdef": Format(
        "a frozen graph of TensorFlow",
        "which does not say what its inputs and outputs are",
        ("python -m tf2onnx.convert --graphdef {path} --inputs x:0 --outputs y:0 --output {stem}.onnx",),
    ),
    "tflite": Format("a TFLite model", "which only TensorFlow can read", _KERAS),
    "safetensors": Format(
        "a file of weights (safetensors)",
        "which says nothing about the network",
        (
            "import safetensors.torch, torch",
            "model = build()  # the function that returns the torch module",
            "safetensors.torch.load_model(model, {file})",
            *_AGAIN,
        ),
    ),
    "gguf": Format(
        "a language model (GGUF)",
        "which runs elsewhere",
        ("models:", "  language_model: {{architecture: causal_lm, sources: ['file:...'], sha256: ...}}"),
    ),
    "xgboost": Format("a model of XGBoost", "which only XGBoost can read", _XGBOOST),
    "lightgbm": Format("a model of LightGBM", "which only LightGBM can read", _LIGHTGBM),
    "catboost": Format(
        "a model of CatBoost",
        "which only CatBoost can read",
        (
            "import catboost",
            "model = catboost.CatBoostClassifier()",
            "model.load_model({file})",
            "model.save_model({onnx}, format='onnx')",
        ),
    ),
    "coreml": Format("a Core ML model", "for which there is no converter to ONNX", _GIVEN),
    "pmml": Format("a PMML document", "for which there is no converter to ONNX", _GIVEN),
    "openvino": Format("a model of OpenVINO", "which cannot be converted back", _ORIGINAL),
    "ort": Format("a model in onnxruntime's own format", "which cannot be quantized", _ORIGINAL),
    "tensorrt": Format("an engine of TensorRT", "which runs on one kind of GPU only", _ORIGINAL),
    "executorch": Format("a program of ExecuTorch", "which cannot be converted back", ("import torch", *_AGAIN)),
    "onnx inside": Format("an archive with an ONNX file", "which is not unpacked here", _UNPACK),
    "archive": Format("an archive", "which is not unpacked here", _UNPACK),
    "compressed": Format("a compressed file", "which is not unpacked here", _UNPACK),
    "lfs": Format(
        "a pointer of Git LFS", "in whose place the model itself belongs", ("git lfs install", "git lfs pull")
    ),
    "html": Format("a web page", "such as a site sends instead of a file", ("download the file itself",)),
}
COLUMNS = "sklearn.compose._column_transformer"  # module of a model that takes columns by their names
# modules that a pickle names -> the library that wrote it; a pipeline may hold estimators of other libraries, and
# those import names of scikit-learn
MODULES = {
    COLUMNS: "sklearn with columns",
    "sklearn.pipeline": "sklearn",
    "xgboost.": "xgboost",
    "lightgbm.": "lightgbm",
    "sklearn": "sklearn",
    "torch": "torch",
}


def refuse_foreign(path: str | Path) -> None:
    """Refuse a file or folder that is not ONNX, with the lines of code that convert it.

    Args:
        path: what a user gives as a model.

    Raises:
        ForeignModelError: it is of another format.
        InputError: it is missing, empty, or of no known format.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"{path}: there is no such file; give the ONNX file of the trained model.")
    if place.is_file() and place.stat().st_size == 0:
        raise InputError(f"{path} is empty; write the ONNX file again.")
    name = model_format(place)
    if name is None:
        raise InputError(
            f"{path} is neither an ONNX file nor of another format that is known; export the model as ONNX with the "
            f"library that trained it ({PAGE})."
        )
    if name != "onnx":
        refuse(place, name)


def refuse(path: Path, name: str) -> NoReturn:
    """Raise the error of a format.

    Args:
        path: the file or folder.
        name: a key of FORMATS.
    """
    known = FORMATS[name]
    stem = path.with_suffix("")
    values = {
        "file": repr(str(path)),
        "path": shlex.quote(str(path)),
        "folder": shlex.quote(str(path.parent)),
        "stem": shlex.quote(str(stem)),
        **{suffix: repr(f"{stem}.{suffix}") for suffix in ("onnx", "safetensors")},
    }
    lines = tuple(line.format(**values) for line in known.lines)
    raise ForeignModelError(f"{path} is {known.title}, {known.reason}; do this instead ({PAGE}):", lines)


def model_format(path: Path) -> str | None:
    """Recognise the format of a model by its content.

    Args:
        path: a file or folder that exists.

    Returns:
        "onnx", a key of FORMATS, or None for anything else.
    """
    if path.is_dir():
        return _folder_format(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(b"PK\x03\x04"):
            return _zip_format(path)
        if head.startswith(b"\x80") and pickles(head):
            return _pickle_format(head + file.read(NAMES_BYTES))
        if (inside := _decompressed(head)) is not None:
            return _pickle_format(inside) if pickles(inside) else "compressed"
        return _by_magic(head, path.stat().st_size) or _by_text(head) or _by_fields(file) or _old_pickle(head)


def _folder_format(path: Path) -> str | None:
    if (path / "saved_model.pb").exists():
        return "savedmodel"
    if (path / "Manifest.json").exists() and (path / "Data").is_dir():
        return "coreml"
    return None


def _zip_format(path: Path) -> str:
    """Format of a zip archive, by the names of its members, and by the modules that a skops file names."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            schema = archive.open("schema.json").read(NAMES_BYTES) if "schema.json" in names else b""
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError):
        raise InputError(f"{path} is a damaged zip archive; write or download it again.") from None
    last = {name.rsplit("/", 1)[-1] for name in names}
    folders = {folder for name in names for folder in name.split("/")[:-1]}
    held = {
        "torch.export": ("archive_format" in last and "models" in folders)
        or "serialized_exported_program.json" in last,
        "torchscript": {"data.pkl", "constants.pkl"} <= last and "code" in folders,
        "torch": "data.pkl" in last,
        "keras": "config.json" in names and bool(last & {"model.weights.h5", "metadata.json"}),
        "skops with columns": COLUMNS.encode() in schema,
        "skops": "schema.json" in names,
        "coreml": "Manifest.json" in last and any(name.endswith(".mlmodel") for name in names),
        "onnx inside": any(name.endswith(".onnx") for name in names),
        "pickle": any(name.endswith((".pkl", ".pickle")) for name in names),
    }
    return next((name for name, holds in held.items() if holds), "archive")


# ---- pickles


def pickles(data: bytes) -> bool:
    """Whether bytes begin with a pickle: its opcodes are read, and nothing is executed."""
    opcodes = 0
    try:
        for opcode, _, _ in pickletools.genops(data):
            opcodes += 1
            if opcode.name == "STOP":
                return opcodes > 1
    except Exception:  # the head of a longer pickle ends within an opcode; pickletools raises what it runs into
        return opcodes > 3
    return False


def _pickle_format(data: bytes) -> str:
    """Which library wrote a pickle, by the names of modules in it."""
    for module, library in MODULES.items():
        if module.encode() in data:
            return f"pickle of {library}"
    # what torch.save wrote before it wrote zip archives begins with a number of ten bytes
    return "pickle of torch" if data[2:4] == b"\x8a\x0a" else "pickle"


def _old_pickle(head: bytes) -> str | None:
    """Pickles of protocol 0 and 1 have no mark at their beginning."""
    return _pickle_format(head) if head[:1] in b"(c]}l" and pickles(head) else None


def _decompressed(head: bytes) -> bytes | None:
    """First bytes of what a compressed file holds; empty if they cannot be had; None if it is not compressed."""
    if head.startswith((b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")):  # lz4 and zstd, for which Python has no module
        return b""
    if head.startswith(b"\x1f\x8b"):
        return _first_bytes(zlib.decompressobj(wbits=31), head)
    if head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0:
        return _first_bytes(zlib.decompressobj(), head) or None
    if head.startswith(b"BZh"):
        return _first_bytes(bz2.BZ2Decompressor(), head)
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return _first_bytes(lzma.LZMADecompressor(), head)
    return None


def _first_bytes(decompressor: "zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor", head: bytes) -> bytes:
    try:
        return decompressor.decompress(head, HEAD_BYTES)
    except (zlib.error, OSError, lzma.LZMAError, EOFError):
        return b""


# ---- other files


def _by_magic(head: bytes, size: int) -> str | None:
    """Format by bytes at fixed places."""
    at_start = {b"\x89HDF\r\n\x1a\n": "hdf5", b"GGUF": "gguf", b"CBM1": "catboost", b"ftrt": "tensorrt"}
    at_four = {b"TFL3": "tflite", b"ORTM": "ort", b"ET12": "executorch"}
    for magic, name in at_start.items():
        if head.startswith(magic):
            return name
    if head[4:8] in at_four:
        return at_four[head[4:8]]
    if head[257:262] == b"ustar":
        return "archive"
    length = int.from_bytes(head[:8], "little")
    return "safetensors" if head[8:9] == b"{" and 2 <= length <= size - 8 else None


def _by_text(head: bytes) -> str | None:
    """Format of a text, and of XGBoost's binary JSON, by the names at their beginning."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start[:4096].lower()
    if start.startswith(b"{"):
        return "xgboost" if b"learner" in start[:4096] else None
    if start.startswith(b"tree\n") or start.startswith(b"tree\r\n"):
        return "lightgbm"
    if start.startswith(b"version https://git-lfs"):
        return "lfs"
    if b"<pmml" in lower:
        return "pmml"
    if lower.startswith((b"<?xml", b"<net")) and b"<net " in lower:
        return "openvino"
    return "html" if lower.startswith((b"<!doctype html", b"<html")) else None


LENGTH_DELIMITED, VARINT = 2, 0
# top-level fields of ModelProto (onnx.proto): number -> wire type
MODEL_FIELDS = {1: VARINT, 5: VARINT} | dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25, 26), LENGTH_DELIMITED)


def _by_fields(file: IO[bytes]) -> str | None:
    """Format of a protobuf message, by the numbers and types of its fields."""
    file.seek(0)
    fields = dict(_fields(file))
    versioned_graph = 7 in fields and not fields.keys().isdisjoint((1, 8))
    if versioned_graph and all(MODEL_FIELDS.get(number) == kind for number, kind in fields.items()):
        return "onnx"
    if fields.get(1) == VARINT and any(number >= 200 for number in fields):
        return "coreml"
    if fields == {1: VARINT, 2: LENGTH_DELIMITED}:
        return "savedmodel.pb"
    # nodes, a library of functions, versions
    graph = {1: LENGTH_DELIMITED, 2: LENGTH_DELIMITED, 3: VARINT, 4: LENGTH_DELIMITED}
    if fields.get(1) == LENGTH_DELIMITED and 4 in fields and fields.items() <= graph.items():
        return "graphdef"
    return None


def _fields(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Number and wire type of the top-level fields of a protobuf message; those before the place where it breaks off.

    A field of a file that was cut ends outside the file: whoever loads it says so.
    """
    size = file.seek(0, 2)
    file.seek(0)
    for _ in range(MOST_FIELDS):
        tag = _varint(file)
        if tag is None or tag >> 3 == 0:
            return
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            if _varint(file) is None:
                return
        elif kind == LENGTH_DELIMITED:
            length = _varint(file)
            if length is None:
                return
            file.seek(min(length, size), 1)
        elif kind in (1, 5):
            file.seek(8 if kind == 1 else 4, 1)
        else:
            return
        yield number, kind
        if file.tell() >= size:
            return


def _varint(file: IO[bytes]) -> int | None:
    """A number of a protobuf message; None where the file ends, or for more than ten bytes."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    return None
