"""AWQ (Lin et al. 2023): scale up the inputs of a product that matter most before its weights are rounded.

The weights of an input are multiplied by a factor, and what computes that input is divided by it: the function stays
the same, and the error of these weights, relative to them, becomes smaller.
"""

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fairweight.compression.graph_walk import Array, Site
from fairweight.compression.weight_grids import Floats

STEPS = 20  # exponents between 0 and 1 that are tried
NORMS = ("LayerNormalization", "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization")
GAMMA = {"SkipSimplifiedLayerNormalization": 2}  # position of the factors of a norm, 1 otherwise


def factors(weights: list[Floats], moment: NDArray[np.float64], rounded: Callable[[Floats], Floats]) -> Floats:
    """Factors of the inputs of some products: a power of their root mean square, with the smallest error of outputs.

    The paper takes the mean magnitude of an input; its root mean square needs no statistic besides the second moment.

    Args:
        weights: matrices (n, k) of the products that read the inputs.
        moment: (k, k) mean over calibration rows of x x'.
        rounded: a matrix -> its rounded form.

    Returns:
        float32 (k,), with geometric mean of extremes 1; all 1 if no power is better than none.
    """
    size = np.sqrt(np.maximum(np.diag(moment), 1e-12))
    best, least = np.ones(len(size), np.float32), np.inf
    for step in range(STEPS):
        tried = (size ** (step / STEPS)).astype(np.float32)
        tried /= np.sqrt(tried.max() * tried.min())
        error = 0.0
        for matrix in weights:
            change = rounded(matrix * tried) / tried - matrix
            error += float(np.einsum("ij,ij->", change @ moment, change))
        if error < least:
            best, least = tried, error
    return best


def divisible(graph: onnx.GraphProto, site: Site) -> str | None:
    """Name of the stored tensor whose last axis can be divided in place of the inputs of a site; None if there is none.

    It is the factor of a norm, or the weights of a product whose output is multiplied by another tensor, and nothing
    but the site reads the result. Weights that are also looked up as embeddings must stay as they are.
    """
    producers = {name: node for node in graph.node for name in node.output if name}
    readers = [node for node in graph.node for name in node.input if name == site.source]
    producer = producers.get(site.source)
    returned = {value.name for value in graph.output}
    if producer is None or len(readers) != len(site.products) or site.source in returned:
        return None
    if not all(_own(graph, node.input[1]) for node in site.products):
        return None
    if producer.op_type in NORMS and producer.output[0] == site.source:
        has_bias = producer.op_type == "LayerNormalization" and len(producer.input) > 2
        return None if has_bias else _own(graph, producer.input[GAMMA.get(producer.op_type, 1)])
    if producer.op_type == "Mul":
        for name in producer.input:
            product = producers.get(name)
            alone = sum(reader == name for node in graph.node for reader in node.input) == 1
            if product is not None and product.op_type == "MatMul" and alone and name not in returned:
                return _own(graph, product.input[1])
    return None


def _own(graph: onnx.GraphProto, name: str) -> str | None:
    """The name, if it is that of a stored tensor that one node reads."""
    stored = any(tensor.name == name for tensor in graph.initializer)
    return name if stored and sum(name == read for node in graph.node for read in node.input) == 1 else None


def apply(graph: onnx.GraphProto, site: Site, divided: str, by: Floats) -> None:
    """Multiply the weights of a site by factors of its inputs (k,), and divide what `divisible` names, in place."""
    products = {node.input[1] for node in site.products}
    for tensor in graph.initializer:
        values: Array = numpy_helper.to_array(tensor)
        if tensor.name in products:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values * by[:, None]), tensor.name))
        elif tensor.name == divided:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values / by), tensor.name))
