"""int8 weights, with activations quantized at run time (onnxruntime, dynamic): for networks of linear layers."""

from collections import Counter
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from fairweight.compression.calibration import Calibration
from fairweight.compression.foreign_graphs import require_operator_set
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph, merge_copies, separate_uses
from fairweight.inference.operator_kinds import nodes

FIRST_SET = 11  # the first operator set with DynamicQuantizeLinear
OPTIONS = {
    "per_channel": {
        "type": "boolean",
        "default": True,
        "description": "One scale for each output channel instead of one for each tensor.",
    },
    "reduce_range": {
        "type": "boolean",
        "default": False,
        "description": "7-bit weights, for processors without VNNI.",
    },
}


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,  # noqa: ARG001 - nothing to calibrate
    *,
    per_channel: bool,
    reduce_range: bool,
) -> str:
    """Write the quantized file and return the name of the method.

    Args:
        source, destination: ONNX files.
        calibration: not used.
        per_channel, reduce_range: see OPTIONS.

    Raises:
        InputError: the graph uses operators from before dynamic quantization, and cannot be converted.
        NotApplicable: it has no layer with stored weights.
    """
    proto = load_graph(source)
    require_operator_set(proto, FIRST_SET, "dynamic int8")
    separate_uses(proto)
    before = Counter(node.op_type for node in nodes(proto.graph))
    quantize_dynamic(
        proto,
        destination,
        per_channel=per_channel,
        reduce_range=reduce_range,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_computed_kernels(proto),
    )
    quantized = onnx.load(str(destination))
    if Counter(node.op_type for node in nodes(quantized.graph)) == before:
        raise NotApplicable(
            "dynamic int8 takes networks with linear, convolutional or recurrent layers outside of branches and "
            "loops, and this model has none"
        )
    merge_copies(quantized)
    onnx.save(quantized, str(destination))
    return "dynamic"


def _computed_kernels(proto: onnx.ModelProto) -> list[str]:
    """Names of the convolutions whose kernels are not stored as they are read, such as those that two layers share.

    onnxruntime would quantize these kernels in every call, and the file would keep them in float.
    """
    stored = {tensor.name for tensor in proto.graph.initializer}
    return [node.name for node in proto.graph.node if node.op_type == "Conv" and node.input[1] not in stored]
