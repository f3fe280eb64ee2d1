"""Pack the products of a graph into 4 or 8 bits: grid, GPTQ, AWQ, and the bits of each layer."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from fairweight.compression import awq, bit_budget, gptq, packed_products
from fairweight.compression.graph_walk import Array, Site, matrices, moment, sites, walk
from fairweight.compression.weight_grids import Floats, Grid, grid, nearest, restored
from fairweight.core.errors import InputError
from fairweight.training.signature import Feeds

WIDE = 8  # bits of the layers that `average_bits` chooses
ROW_BITS = 16  # of the factor of a row's scales, where these have 8 bits


@dataclass(frozen=True)
class Packing:
    """How products are packed; see the options of `quantization.weight_only`.

    Attributes:
        head: names of the last products, which have `head_bits`; their first `wide_tokens` outputs have 8.
        int8_inputs: whether products round their inputs to int8.
    """

    bits: int
    block: int
    kind: str
    gptq: bool
    awq: bool
    scale_bits: int
    average_bits: float | None
    head: tuple[str, ...]
    head_bits: int
    wide_tokens: int
    int8_inputs: bool

    def bits_of(self, site: Site) -> int:
        """Bits of the products of a site, before layers are chosen that get more."""
        return self.head_bits if any(node.name in self.head for node in site.products) else self.bits

    def grid_of(self, weights: Floats, bits: int) -> Grid:
        """Grid of a matrix, outputs x inputs."""
        return grid(weights, self.kind, bits=bits, block=self.block, narrow=self.scale_bits == 8)

    def rounded(self, weights: Floats, bits: int) -> Floats:
        """A matrix with each weight at the nearest number of its grid."""
        on = self.grid_of(weights, bits)
        return restored(nearest(weights, on), on)

    def parts(self, node: onnx.NodeProto, weights: Floats, bits: int) -> list[tuple[str, Floats, int]]:
        """Parts of a matrix, outputs x inputs, that get bits of their own: suffix of the name, weights and bits."""
        if node.name not in self.head or not 0 < self.wide_tokens < len(weights) or bits >= WIDE:
            return [("", weights, bits)]
        first, rest = weights[: self.wide_tokens], weights[self.wide_tokens :]
        return [(packed_products.FIRST, first, WIDE), (packed_products.REST, rest, bits)]

    def stored_bits(self, shape: tuple[int, ...], bits: int) -> float:
        """Bits of a matrix, outputs x inputs, in the file: codes, scales and zero points."""
        outputs, width = shape
        blocks = -(-width // self.block)
        row = ROW_BITS if self.scale_bits == 8 else 0
        points = 0 if self.kind == "symmetric" else bits
        return outputs * (blocks * (self.block * bits + self.scale_bits + points) + row)


def pack(proto: onnx.ModelProto, batches: list[Feeds], packing: Packing) -> dict[str, int]:
    """Pack all products of a graph, in place.

    Args:
        proto: a graph as `onnx_graph_edits.separate_uses` returns it.
        batches: inputs of the graph, to calibrate on; none where nothing is calibrated.
        packing: how.

    Returns:
        Name of a stored matrix -> bits of its weights.
    """
    graph = proto.graph
    if packing.awq:
        _scale_inputs(proto, batches, packing)
    bits = {site.source: packing.bits_of(site) for site in sites(graph)}
    if packing.average_bits is not None:
        for source in _wide(proto, batches, packing, packing.average_bits):
            bits[source] = WIDE
    packed: dict[str, int] = {}

    def change(site: Site, inputs: list[Array]) -> list[onnx.NodeProto]:
        second = moment(inputs) if packing.gptq else None
        weights, made = matrices(graph, site), []
        for node in site.products:
            parts = packing.parts(node, weights[node.input[1]], bits[site.source])
            for suffix, matrix, wanted in parts:
                on = packing.grid_of(matrix, wanted)
                if second is None:
                    codes = nearest(matrix, on)
                else:
                    codes = gptq.round_weights(matrix, on, second)
                    on = gptq.refit_scales(matrix, codes, on, second)
                made += packed_products.product(graph, node, codes, on, int8_inputs=packing.int8_inputs, suffix=suffix)
                packed[f"{node.input[1]}{suffix}"] = on.bits
            made += [packed_products.joined(node)] if len(parts) > 1 else []
        return made

    if packing.gptq:
        walk(proto, batches, change)
    else:
        for site in sites(graph):
            _replace(graph, site, change(site, []))
    _sort_widening(graph)
    return packed


def _sort_widening(graph: onnx.GraphProto) -> None:
    """Put the nodes that widen stored scales first: a lookup at the start of the graph may share them."""
    constant = {tensor.name for tensor in graph.initializer}
    first: list[onnx.NodeProto] = []
    others: list[onnx.NodeProto] = []
    for node in graph.node:
        widens = node.op_type in ("Cast", "Mul") and set(node.input) <= constant
        constant.update(node.output if widens else [])
        (first if widens else others).append(onnx.NodeProto.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend([*first, *others])


def _replace(graph: onnx.GraphProto, site: Site, made: list[onnx.NodeProto]) -> None:
    """Put nodes in the place of the products of a site."""
    start = next(i for i, node in enumerate(graph.node) if node.output[0] == site.products[0].output[0])
    for node in site.products:
        graph.node.remove(node)
    for node in reversed(made):
        graph.node.insert(start, node)


def _scale_inputs(proto: onnx.ModelProto, batches: list[Feeds], packing: Packing) -> None:
    """Apply AWQ to all sites where what computes the inputs can be divided, in place."""
    graph = proto.graph
    seconds: dict[str, Array] = {}

    def collect(site: Site, inputs: list[Array]) -> None:
        if awq.divisible(graph, site) is not None:
            seconds[site.source] = moment(inputs)

    walk(proto, batches, collect)
    for site in sites(graph):
        if site.source in seconds:
            divided, bits = awq.divisible(graph, site), packing.bits_of(site)
            assert divided is not None  # as it was when the moment was collected: nodes do not change
            weights = list(matrices(graph, site).values())
            by = awq.factors(weights, seconds[site.source], functools.partial(packing.rounded, bits=bits))
            awq.apply(graph, site, divided, by)


def _wide(proto: onnx.ModelProto, batches: list[Feeds], packing: Packing, average: float) -> set[str]:
    """Sources of the sites that get WIDE bits, such that all weights have some bits on average."""
    graph, shapes = proto.graph, _shapes(proto.graph)
    places = {site.source: site for site in sites(graph)}
    stored = {source: _stored(site, shapes, packing, packing.bits_of(site)) for source, site in places.items()}
    more = {
        source: _stored(site, shapes, packing, WIDE) - stored[source]
        for source, site in places.items()
        if packing.bits_of(site) < WIDE and not any(node.name in packing.head for node in site.products)
    }
    total = sum(np.prod(shapes[node.input[1]]) for site in places.values() for node in site.products)
    left = average * float(total) - sum(stored.values())
    if left < 0:
        needed = sum(stored.values()) / float(total)
        raise InputError(
            f"average_bits: {average:g} bits a weight are less than the {needed:.2f} that the weights have without any "
            "8-bit layer; set a larger 'block' or 'scale_bits: 8'"
        )

    def rounded(site: Site) -> dict[str, Array]:
        weights = matrices(graph, site)
        return {name: np.ascontiguousarray(packing.rounded(w, packing.bits).T) for name, w in weights.items()}

    divergence = bit_budget.sensitivities(proto, bit_budget.first_batches(batches), rounded, among=set(more))
    return bit_budget.wide_sites(divergence, more, budget=left)


def _stored(site: Site, shapes: Mapping[str, tuple[int, ...]], packing: Packing, bits: int) -> float:
    total = 0.0
    for node in site.products:
        outputs, width = shapes[node.input[1]]
        wide = min(packing.wide_tokens, outputs) if node.name in packing.head else 0
        total += packing.stored_bits((wide, width), WIDE) + packing.stored_bits((outputs - wide, width), bits)
    return total


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of the stored matrices, outputs x inputs, by name."""
    return {tensor.name: tuple(reversed(tensor.dims)) for tensor in graph.initializer if len(tensor.dims) == 2}
