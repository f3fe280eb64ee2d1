"""Mixed 4 and 8 bits: how sensitive the outputs of a graph are to each layer, and which layers get 8 bits."""

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from fairweight.compression.graph_walk import Array, Site, part, sites
from fairweight.training.signature import Feeds

PRESENT = "present."  # prefix of outputs that are caches
ENOUGH = 256  # rows or tokens that a sensitivity is measured on: nearly the whole graph runs once for each layer


def first_batches(batches: list[Feeds]) -> list[Feeds]:
    """The first batches, with ENOUGH rows or tokens together if there are as many."""
    taken, total = [], 0
    for feeds in batches:
        if total < ENOUGH:
            first = next(iter(feeds.values()))
            taken.append(feeds)
            total += first.size if first.dtype.kind == "i" and first.ndim == 2 else len(first)
    return taken


def sensitivities(
    proto: onnx.ModelProto, batches: list[Feeds], rounded: Callable[[Site], dict[str, Array]], *, among: set[str]
) -> dict[str, float]:
    """Measure how much the outputs change if the weights of one site alone are rounded.

    Args:
        proto: a graph whose nodes are sorted.
        batches: inputs of the graph.
        rounded: a site -> its rounded matrices (k, n), by name.
        among: sources of the sites to measure.

    Returns:
        Name of a site -> Kullback-Leibler divergence of the outputs' probabilities, in nats, mean over rows and tokens.
    """
    graph = proto.graph
    every, places = list(graph.node), sites(graph)
    bounds = [_position(every, site) for site in places]
    output = next(value.name for value in graph.output if not value.name.startswith(PRESENT))
    parts = _float_parts(proto, batches[0], [0, *bounds, len(every)], output)
    before: list[list[Feeds]] = []  # of each site, what is known in front of it, for each batch
    states = [dict(feeds) for feeds in batches]
    for run in parts[:-1]:
        states = [state | run(state) for state in states]
        before.append([dict(state) for state in states])
    reference = [_log_probabilities(parts[-1](state)[output]) for state in states]
    divergence, ends = {}, [*bounds, len(every)]
    for number, site in enumerate(places):
        if site.source not in among:
            continue
        stop = ends[number + 1]
        wanted = _wanted(every[bounds[number] : stop], every[stop:], output)
        first = part(proto, every[bounds[number] : stop], before[number][0], wanted, rounded(site))
        total, rows = 0.0, 0
        for state, expected in zip(before[number], reference, strict=True):
            known = state | first(state)
            for run in parts[number + 2 :]:
                known |= run(known)
            actual = _log_probabilities(known[output])
            total += float((np.exp(expected) * (expected - actual)).sum())
            rows += expected.shape[0]
        divergence[site.source] = total / max(1, rows)
    return divergence


def wide_sites(divergence: Mapping[str, float], sizes: Mapping[str, float], *, budget: float) -> set[str]:
    """Choose the sites that get more bits: those with the largest divergence for each further bit, while they fit.

    Args:
        divergence: site -> what its rounding costs.
        sizes: site -> further bits that it would need.
        budget: further bits that there are.
    """
    chosen: set[str] = set()
    left = budget
    for name in sorted(divergence, key=lambda name: -divergence[name] / sizes[name]):
        if sizes[name] <= left:
            chosen.add(name)
            left -= sizes[name]
    return chosen


def _position(every: list[onnx.NodeProto], site: Site) -> int:
    return next(i for i, node in enumerate(every) if node.output[0] == site.products[0].output[0])


def _wanted(inside: list[onnx.NodeProto], later: list[onnx.NodeProto], output: str) -> list[str]:
    """Tensors that some nodes compute and later ones, or the caller, read."""
    read = {name for node in later for name in node.input} | {output}
    return sorted({name for node in inside for name in node.output if name} & read)


def _float_parts(
    proto: onnx.ModelProto, feeds: Feeds, bounds: list[int], output: str
) -> list[Callable[[Feeds], Feeds]]:
    """Load the graph in parts, from each bound to the next one."""
    every, known, parts = list(proto.graph.node), dict(feeds), []
    for start, stop in itertools.pairwise(bounds):
        inside = every[start:stop]
        run = part(proto, inside, known, _wanted(inside, every[stop:], output))
        known |= run(known)
        parts.append(run)
    return parts


def _log_probabilities(logits: Array) -> NDArray[np.float64]:
    """Log-probabilities (rows, classes) of logits (..., classes)."""
    flat = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    flat = flat - flat.max(axis=1, keepdims=True)
    return flat - np.log(np.exp(flat).sum(axis=1, keepdims=True))
