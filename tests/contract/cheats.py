"""Compression methods that each break one promise; a recipe names them as `cheats:name`, like a user's own methods."""

import os
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
import zstandard
from onnx import numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

from fairweight.api import Coded, everything_stays, gemm_to_matmul, keep_largest, quantize_file, weighted_nodes

# ---- pruning


def prunes_half_of_what_it_states(weights, *, sparsity):
    return keep_largest({name: w.abs() for name, w in weights.items()}, sparsity / 2)


def prunes_nothing(weights, *, sparsity):
    return {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}


def cuts_no_channel(weights, network, *, channels):
    return everything_stays(network.body)


def writes_zeros_instead_of_cutting(weights, network, *, channels):
    masks = everything_stays(network.body)
    for mask in list(masks.values())[:-1]:
        mask[: int(channels * len(mask))] = False
    return masks


def draws_differently_each_time(weights, *, sparsity):
    generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "little"))
    return keep_largest({name: torch.rand(w.shape, generator=generator) for name, w in weights.items()}, sparsity)


# ---- quantization


def _matrices(proto):
    """(initializer, array) of every tensor that a quantizer would narrow."""
    arrays = [(tensor, numpy_helper.to_array(tensor)) for tensor in proto.graph.initializer]
    return [(tensor, array) for tensor, array in arrays if array.ndim >= 2 and array.dtype == np.float32]


def leaves_the_last_layer_in_float(source, destination, calibration):
    last = weighted_nodes(onnx.load(str(source)))[-1]
    quantize_file(source, destination, calibration(64), in_float=[last])
    return {"method": "static", "verdict": "quantized", "float_operators": 0}  # the step must not believe this


def leaves_all_but_the_largest_layer_in_float(source, destination, calibration):
    proto = onnx.load(str(source))
    sizes = {t.name: np.prod(t.dims) for t in proto.graph.initializer}
    weighted = {n.name: sizes[n.input[1]] for n in proto.graph.node if n.name in weighted_nodes(proto)}
    largest = max(weighted, key=weighted.get)
    quantize_file(source, destination, calibration(64), in_float=[name for name in weighted if name != largest])
    return "static"


def rounds_weights_and_keeps_them_as_float32(source, destination, calibration):
    proto = onnx.load(str(source))
    for tensor, array in _matrices(proto):
        scale = np.abs(array).max() / 127
        tensor.CopyFrom(numpy_helper.from_array(np.round(array / scale).astype(np.float32) * scale, tensor.name))
    onnx.save(proto, str(destination))
    return "static"


def stores_integers_and_multiplies_floats(source, destination, calibration):
    proto = onnx.load(str(source))
    for tensor, array in _matrices(proto):
        name, scale = tensor.name, np.float32(np.abs(array).max() / 127)
        tensor.CopyFrom(numpy_helper.from_array(np.round(array / scale).astype(np.int8), f"{name}.int8"))
        proto.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        proto.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], [name]))
    onnx.save(proto, str(destination))
    return "static"


def quantizes_weights_of_one_layer_only(source, destination, calibration):
    proto = onnx.load(str(source))
    gemm_to_matmul(proto)
    products = [n.name for n in proto.graph.node if n.op_type == "MatMul"]
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, bits=8)
    quantizer = MatMulNBitsQuantizer(proto, algo_config=config, nodes_to_exclude=products[1:])
    quantizer.process()
    onnx.save(quantizer.model.model, str(destination))
    return "weight_only int8"


def halves_the_last_layer_only(source, destination, calibration):
    proto = onnx.load(str(source))
    last = next(n for n in reversed(proto.graph.node) if n.name == weighted_nodes(proto)[-1]).input[1]
    tensor = next(t for t in proto.graph.initializer if t.name == last)
    narrow = numpy_helper.to_array(tensor).astype(np.float16)
    tensor.CopyFrom(numpy_helper.from_array(narrow, f"{last}.half"))
    proto.graph.node.insert(0, onnx.helper.make_node("Cast", [f"{last}.half"], [last], to=onnx.TensorProto.FLOAT))
    onnx.save(proto, str(destination))
    return "float16"


def forgets_what_was_learned(source, destination, calibration):
    proto = onnx.load(str(source))
    for tensor, array in _matrices(proto):
        tensor.CopyFrom(numpy_helper.from_array(-array, tensor.name))
    other = destination.with_name("other.onnx")
    onnx.save(proto, str(other))
    quantize_file(other, destination, calibration(64))
    return "static"


# ---- storage coding: 8 bits for each index into a codebook

KEPT = {}


def _coded(weights, about, *, moved=0.0):
    """(header, codebooks by name, indices by name)."""
    codebooks, indices = {}, {}
    for name, w in weights.items():
        values = np.unique(np.append(np.linspace(w.min(), w.max(), 255), 0)).astype(np.float32)
        indices[name] = np.searchsorted((values[1:] + values[:-1]) / 2, w.reshape(-1)).astype(np.uint8)
        codebooks[name] = values + np.float32(moved)
    sizes = {name: len(values) for name, values in codebooks.items()}
    return about | {"tensors": {name: list(w.shape) for name, w in weights.items()}, "sizes": sizes}, codebooks, indices


def _bytes(arrays):
    return zstandard.ZstdCompressor(level=19).compress(b"".join(a.tobytes() for a in arrays.values()))


def keeps_codebooks_in_memory(weights, network):
    header, codebooks, indices = _coded(weights, {"cheat": "memory"})
    KEPT.update(codebooks)
    return Coded(header, [_bytes(indices)])


def writes_indices_to_another_file(weights, network):
    elsewhere = Path(tempfile.mkdtemp(prefix="fairweight-cheat-")) / "indices"
    header, codebooks, indices = _coded(weights, {"cheat": "file", "elsewhere": str(elsewhere)})
    elsewhere.write_bytes(_bytes(indices))
    return Coded(header, [_bytes(codebooks)])


def fills_zeros(weights, network):
    header, codebooks, indices = _coded(weights, {"cheat": "zeros"}, moved=1e-3)
    return Coded(header, [_bytes(indices), _bytes(codebooks)])


def stores_floats_as_they_are(weights, network):
    tensors = {name: list(w.shape) for name, w in weights.items()}
    return Coded({"cheat": "raw", "tensors": tensors}, [np.ascontiguousarray(w).tobytes() for w in weights.values()])


def decode(coded):
    shapes, kind = coded.header["tensors"], coded.header["cheat"]
    if kind == "raw":
        return {n: np.frombuffer(s, "<f4").reshape(shapes[n]) for n, s in zip(shapes, coded.sections, strict=True)}
    opened = zstandard.ZstdDecompressor().decompress
    codebooks = KEPT
    if kind != "memory":
        flat, sizes = np.frombuffer(opened(coded.sections[-1]), "<f4"), coded.header["sizes"]
        ends = np.cumsum(list(sizes.values()))
        codebooks = dict(zip(sizes, np.split(flat, ends[:-1]), strict=True))
    written = Path(coded.header["elsewhere"]).read_bytes() if kind == "file" else coded.sections[0]
    indices, start, tensors = np.frombuffer(opened(written), np.uint8), 0, {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        tensors[name] = codebooks[name][indices[start : start + size]].reshape(shape)
        start += size
    return tensors


# ---- low rank and distillation


def factors_of_full_rank(weights, *, energy):
    return {name: (w.flatten(1), torch.eye(w.flatten(1).shape[1])) for name, w in weights.items() if name != "full"}


def factors_of_rank_one(weights, *, energy):
    factors = {}
    for name, w in weights.items():
        left, values, right = torch.linalg.svd(w.flatten(1), full_matrices=False)
        factors[name] = (left[:, :1] * values[:1], right[:1])
    return {name: pair for name, pair in factors.items() if name != "full"}


def ignores_the_teacher(student, teacher, label_loss):
    return (student**2).sum() + label_loss
