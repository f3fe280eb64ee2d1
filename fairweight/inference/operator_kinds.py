"""Which operators of ONNX and of onnxruntime multiply by weights or activations, in floats or in integers.

An operator that is in no list here is unknown: what depends on it is "not estimable", and not zero. A test compares the
lists with the operators that the installed packages define.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import onnx
from onnx import helper

CONTRIB = "com.microsoft"  # domain of onnxruntime's own operators
STANDARD = ("", "ai.onnx")

# products of integers, and of floats
INTEGER_OPERATORS = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulInteger16",
        "MatMulIntegerToFloat",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "QOrderedAttention",
        "QOrderedMatMul",
    }
)
FLOAT_OPERATORS = frozenset(
    {
        "Attention",
        "Conv",
        "ConvTranspose",
        "ConvTransposeWithDynamicPads",
        "Einsum",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "FusedMatMulActivation",
        "GRU",
        "Gemm",
        "GemmFastGelu",
        "LSTM",
        "LinearClassifier",
        "LinearRegressor",
        "MatMul",
        "MatMulBnb4",
        "MatMulFpQ4",
        "NhwcConv",
        "NhwcFusedConv",
        "RNN",
        "SparseToDenseMatMul",
        "TransposeMatMul",
    }
)
PACKED_OPERATORS = frozenset({"MatMulNBits"})  # integers or floats, by an attribute
# products of activations, as between queries and keys; the lists above hold operators whose other input may be one
ACTIVATION_OPERATORS = frozenset({"GroupQueryAttention", "MultiHeadAttention"})
EITHER_OPERATORS = frozenset(
    {"Attention", "Einsum", "FusedGemm", "FusedMatMul", "FusedMatMulActivation", "Gemm", "MatMul", "TransposeMatMul"}
)
CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})

# standard operators that multiply, and whose products nothing here counts
UNCOUNTED = frozenset({"CausalConvWithState", "DFT", "DeformConv", "Det", "LinearAttention", "STFT", "SwiGLU"})
UNCOUNTED_ML = frozenset({"SVMClassifier", "SVMRegressor"})
# operators of onnxruntime that multiply nothing, or element by element
ELEMENTWISE = frozenset(
    {
        "BiasAdd",
        "BiasDropout",
        "BiasGelu",
        "BiasSoftmax",
        "BiasSplitGelu",
        "ComplexMul",
        "ComplexMulConj",
        "CropAndResize",
        "DequantizeBFP",
        "DequantizeLinear",
        "EmbedLayerNormalization",
        "ExpandDims",
        "FastGelu",
        "GatedAdd",
        "GatherBlockQuantized",
        "GatherND",
        "Gelu",
        "GridSample",
        "GroupNorm",
        "IsAllFinite",
        "MaxpoolWithMask",
        "MulInteger",
        "NhwcMaxPool",
        "Pad",
        "QEmbedLayerNormalization",
        "QLinearAdd",
        "QLinearAveragePool",
        "QLinearConcat",
        "QLinearGlobalAveragePool",
        "QLinearLeakyRelu",
        "QLinearMul",
        "QLinearReduceMean",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QLinearWhere",
        "QuantizeBFP",
        "QuantizeLinear",
        "QuickGelu",
        "Range",
        "ReduceSumInteger",
        "RemovePadding",
        "RestorePadding",
        "RotaryEmbedding",
        "ScaledSiLU",
        "SkipGroupNorm",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
        "Tokenizer",
        "TorchEmbedding",
        "Trilu",
        "UnfoldTensor",
        "Unique",
    }
)


class Kind(Enum):
    """What is known of an operator's products."""

    NONE = "multiplies nothing, or element by element"
    INTEGER = "multiplies integers"
    FLOAT = "multiplies floats"
    PACKED = "multiplies packed weights"
    ACTIVATIONS = "multiplies activations"
    CONTROL = "runs graphs of its own"
    UNKNOWN = "is not known here"


def kind(operator: str, domain: str) -> Kind:
    """What is known of the products of an operator."""
    lists = {
        Kind.CONTROL: CONTROL_FLOW if domain in STANDARD else frozenset(),
        Kind.INTEGER: INTEGER_OPERATORS,
        Kind.FLOAT: FLOAT_OPERATORS,
        Kind.PACKED: PACKED_OPERATORS,
        Kind.ACTIVATIONS: ACTIVATION_OPERATORS,
        Kind.NONE: ELEMENTWISE if domain == CONTRIB else frozenset(),
    }
    for known, names in lists.items():
        if operator in names and domain in (*STANDARD, CONTRIB, "ai.onnx.ml"):
            return known
    uncounted = UNCOUNTED_ML if domain == "ai.onnx.ml" else UNCOUNTED
    defined = domain in (*STANDARD, "ai.onnx.ml") and onnx.defs.has(operator, "" if domain in STANDARD else domain)
    return Kind.NONE if defined and operator not in uncounted else Kind.UNKNOWN


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node, by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs that a node runs, such as the branches of an If."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph, and every graph inside it."""
    yield graph
    for node in graph.node:
        for inside in subgraphs(node):
            yield from graphs(inside)


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Nodes of a graph and of every graph inside it."""
    for each in graphs(graph):
        yield from each.node
