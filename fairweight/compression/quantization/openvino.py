"""int8 weights and activations by NNCF, written as a QDQ file that every engine reads (extra `openvino`)."""

import functools
import logging
from pathlib import Path

import nncf
import onnx
import openvino
from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters

from fairweight.compression.calibration import Calibration
from fairweight.compression.foreign_graphs import add_types
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph, merge_copies, separate_uses, weighted_nodes
from fairweight.compression.static_int8 import check_rows
from fairweight.inference.guarded_load import first_load
from fairweight.training.signature import TOKENS

_ran: set[bool] = set()  # whether OpenVINO has run in this process
NEEDS = {"openvino": ["openvino", "nncf"]}  # extra of pyproject.toml -> packages
OPTIONS = {
    "calibration_rows": {
        "type": "integer",
        "minimum": 32,
        "default": 512,
        "description": "Largest number of training rows to calibrate on; fewer than 32 are refused.",
    },
    "preset": {
        "enum": ["performance", "mixed"],
        "default": "performance",
        "description": "Symmetric activations (`performance`), or asymmetric ones where they fit better (`mixed`).",
    },
}


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,
    *,
    calibration_rows: int,
    preset: str,
) -> str:
    """Write the quantized file and return the name of the method.

    Args:
        source, destination: ONNX files.
        calibration: number of rows -> batches of input tensors by name.
        calibration_rows, preset: see OPTIONS.

    Raises:
        InputError: there are too few training rows to calibrate on, or OpenVINO crashes on the source.
        NotApplicable: the graph has no convolution or linear layer with stored weights.
    """
    feeds = calibration(calibration_rows)
    check_rows(feeds)
    if not _ran:  # NNCF runs the source in OpenVINO, which leaves threads that a fork lacks
        first_load(functools.partial(_compile, source), engine=f"'openvino' {openvino.__version__}", path=source)
    _ran.add(True)
    logging.getLogger("nncf").setLevel(logging.ERROR)
    proto = load_graph(source)
    if not weighted_nodes(proto):
        raise NotApplicable("openvino takes networks with convolutions or linear layers, and this model has none")
    separate_uses(proto)
    add_types(proto)
    _name_outputs_by_identity(proto.graph)
    quantized = nncf.quantize(
        proto,
        nncf.Dataset(feeds),
        preset=nncf.QuantizationPreset(preset),
        subset_size=len(feeds),
        # a model that reads tokens is a transformer: NNCF calibrates it accordingly and keeps attention's sums in float
        model_type=nncf.ModelType.TRANSFORMER if TOKENS in feeds[0] else None,
        # SmoothQuant puts factors between a product and its integers: onnxruntime then computes the product in float;
        # the correction of biases takes means over all positions, which are others at the padded borders of an image
        # (measured on a small ResNet: 20 % of predictions change with it, 3 % without)
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            disable_bias_correction=True, smooth_quant_alphas=AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
        ),
    )
    merge_copies(quantized)
    onnx.save(quantized, str(destination))
    return "openvino"


def _name_outputs_by_identity(graph: onnx.GraphProto) -> None:
    """Replace conversions of an output to its own type, which NNCF would remove together with the output."""
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.input)}
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type == "Cast" and node.output[0] in outputs and types.get(node.input[0]) == node.attribute[0].i:
            node.op_type = "Identity"
            del node.attribute[:]


def _compile(source: Path) -> None:
    core = openvino.Core()
    core.compile_model(core.read_model(source.read_bytes(), b""), "CPU")
