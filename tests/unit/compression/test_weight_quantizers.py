"""Grids, GPTQ, AWQ, mixed bits and packing, against direct computations on small matrices and graphs."""

import dataclasses
import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from fairweight.compression import awq, bit_budget, gptq
from fairweight.compression.calibrated_packing import Packing, pack
from fairweight.compression.graph_walk import matrices, moment, sites, walk
from fairweight.compression.weight_grids import KINDS, grid, nearest, restored

RNG = np.random.default_rng(3)


def weights(outputs, inputs):
    return RNG.standard_normal((outputs, inputs)).astype(np.float32)


def second_moment(inputs, rows=64):
    mixing = RNG.standard_normal((inputs, inputs))
    x = RNG.standard_normal((rows, inputs)) @ mixing
    return x.T @ x / rows


def loss(original, rounded, second):
    change = rounded - original
    return float(np.einsum("ij,jk,ik->", change, second, change))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("bits", "narrow"), [(4, False), (4, True), (8, True)])
def test_no_weight_is_further_from_its_grid_than_a_step(kind, bits, narrow):
    matrix = weights(5, 50)
    on = grid(matrix, kind, bits=bits, block=16, narrow=narrow)
    assert on.scales.shape == (5, 4) and on.symmetric == (kind == "symmetric")
    steps, _ = on.columns(50)
    within = 1.001 if kind in ("symmetric", "range") else 2.5  # searched ranges cut the largest weights
    assert (np.abs(restored(nearest(matrix, on), on) - matrix) <= within * steps).all()
    if narrow:
        np.testing.assert_array_equal(on.scales, on.scale_codes * on.scale_rows.astype(np.float32))


def test_a_range_has_a_smaller_error_than_a_grid_around_zero():
    matrix = np.random.default_rng(0).standard_normal((40, 128)).astype(np.float32)
    error = {
        kind: float(((restored(nearest(matrix, on), on) - matrix) ** 2).mean())
        for kind in KINDS
        for on in [grid(matrix, kind, bits=4, block=32)]
    }
    assert max(error["k_quant"], error["hqq"], error["range"]) < error["symmetric"]


def test_a_block_of_equal_weights_and_one_of_zeros_stay_what_they_are():
    one_sign = np.linspace(1, 1.1, 16)[None]
    matrix = np.concatenate([np.full((1, 16), 0.5), np.zeros((1, 16)), one_sign], axis=1).astype(np.float32)
    for kind in KINDS:
        on = grid(matrix, kind, bits=4, block=16)
        np.testing.assert_allclose(restored(nearest(matrix, on), on), matrix, atol=0.08)


def obq(row, on, second, damping):
    """Optimal brain quantization of one output in GPTQ's order, with the inverse updated after each input."""
    order = list(np.argsort(-np.diag(second), kind="stable"))
    damped = second + damping * np.diag(second).mean() * np.eye(len(second))
    scales, zeros = (part[0].astype(np.float64) for part in on.columns(len(row)))
    rest, codes = row.astype(np.float64).copy(), np.zeros(len(row), np.uint8)
    for number, i in enumerate(order):
        left = order[number:]
        inverse = np.linalg.inv(damped[np.ix_(left, left)])
        codes[i] = np.clip(np.round(rest[i] / scales[i] + zeros[i]), 0, 2**on.bits - 1)
        error = (rest[i] - (codes[i] - zeros[i]) * scales[i]) / inverse[0, 0]
        rest[left] -= error * inverse[:, 0]
    return codes


def test_gptq_takes_the_steps_of_optimal_brain_quantization(monkeypatch):
    monkeypatch.setattr(gptq, "TOGETHER", 5)  # several groups of inputs
    matrix, second = weights(3, 12), second_moment(12)
    on = grid(matrix, "range", bits=4, block=16)
    codes = gptq.round_weights(matrix, on, second, damping=0.01)
    for row in range(3):
        alone = grid(matrix[row : row + 1], "range", bits=4, block=16)
        np.testing.assert_array_equal(codes[row], obq(matrix[row], alone, second, 0.01))


def test_gptq_has_a_smaller_loss_than_the_nearest_numbers_and_is_near_the_best_one():
    better = 0
    for _ in range(8):
        matrix, second = weights(1, 6), second_moment(6)
        on = grid(matrix, "range", bits=4, block=16)
        near, chosen = nearest(matrix, on), gptq.round_weights(matrix, on, second)
        low = np.floor(matrix / on.scales[0, 0] + on.zeros[0, 0]).astype(int)
        every = [np.clip(low + np.array([step]), 0, 15) for step in itertools.product((-1, 0, 1, 2), repeat=6)]
        best = min(loss(matrix, restored(codes.astype(np.uint8), on), second) for codes in every)
        losses = [loss(matrix, restored(codes, on), second) for codes in (near, chosen)]
        assert best <= losses[1] * (1 + 1e-6)
        better += losses[1] <= losses[0] * (1 + 1e-6)
    assert better >= 7  # it is greedy: of a few inputs, a single row can lose


@pytest.mark.parametrize("narrow", [False, True])
def test_refitted_scales_have_the_smallest_loss_for_their_codes(monkeypatch, narrow):
    monkeypatch.setattr(gptq, "ROWS", 2)
    matrix, second = weights(5, 40), second_moment(40)
    on = grid(matrix, "range", bits=4, block=16, narrow=narrow)
    codes = gptq.round_weights(matrix, on, second)
    fitted = gptq.refit_scales(matrix, codes, on, second)
    damped = second + gptq.DAMPING * np.diag(second).mean() * np.eye(40)
    losses = [loss(matrix, restored(codes, each), damped) for each in (on, fitted)]
    assert losses[1] < losses[0]
    if narrow:
        np.testing.assert_array_equal(fitted.scales, fitted.scale_codes * fitted.scale_rows.astype(np.float32))
        return
    for factor in (0.98, 1.02):  # any other scale of a block has a larger loss
        for block in range(3):
            scales = fitted.scales.copy()
            scales[:, block] *= factor
            other = loss(matrix, restored(codes, dataclasses.replace(fitted, scales=scales)), damped)
            assert other > losses[1] * 0.9999


def test_gptq_without_correlations_is_rounding_to_the_nearest_number():
    matrix = weights(4, 40)
    on = grid(matrix, "range", bits=4, block=16)
    np.testing.assert_array_equal(gptq.round_weights(matrix, on, np.eye(40)), nearest(matrix, on))
    dead = np.zeros((40, 40))  # inputs that are always zero
    np.testing.assert_array_equal(gptq.round_weights(matrix, on, dead), nearest(matrix, on))


# ---- graphs

WIDTH = 64


def network():
    """Norm, two products that are multiplied, a third one, and the embedding's own matrix at the end."""
    rng = np.random.default_rng(5)

    def matrix(name, *shape):
        return numpy_helper.from_array((rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32), name)

    gamma = numpy_helper.from_array(rng.uniform(0.2, 5, WIDTH).astype(np.float32), "gamma")
    nodes = [
        helper.make_node("SimplifiedLayerNormalization", ["x", "gamma"], ["n"], "norm", axis=-1, epsilon=1e-5),
        helper.make_node("MatMul", ["n", "a"], ["ya"], "a"),
        helper.make_node("MatMul", ["n", "b"], ["yb"], "b"),
        helper.make_node("Sigmoid", ["ya"], ["s"], "s"),
        helper.make_node("Mul", ["s", "yb"], ["m"], "m"),
        helper.make_node("MatMul", ["m", "c"], ["h"], "c"),
        helper.make_node("MatMul", ["h", "d"], ["logits"], "d"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 20])]
    tensors = [
        gamma,
        matrix("a", WIDTH, 96),
        matrix("b", WIDTH, 96),
        matrix("c", 96, WIDTH),
        matrix("d", WIDTH, 20),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def batches(number=4, rows=32):
    rng = np.random.default_rng(6)
    spread = rng.uniform(0.05, 3, WIDTH) * np.where(rng.random(WIDTH) < 0.1, 8, 1)  # a few large inputs
    mixing = rng.standard_normal((WIDTH, WIDTH)) * 0.3 + np.eye(WIDTH)
    return [{"x": (rng.standard_normal((rows, WIDTH)) @ mixing * spread).astype(np.float32)} for _ in range(number)]


def outputs(proto, feeds):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], batch)[0] for batch in feeds])


def packing(**changes):
    about = {"bits": 4, "block": 16, "kind": "k_quant", "gptq": False, "awq": False, "scale_bits": 8}
    about |= {"average_bits": None, "head": (), "head_bits": 4, "wide_tokens": 0, "int8_inputs": False}
    return Packing(**(about | changes))


def test_a_packed_graph_computes_with_the_numbers_of_its_grids():
    proto, feeds = network(), batches()
    by_hand = network()
    for tensor in by_hand.graph.initializer:
        if tensor.name in "abcd":
            matrix = np.ascontiguousarray(numpy_helper.to_array(tensor).T)
            rounded = packing().rounded(matrix, 4)
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rounded.T), tensor.name))
    assert pack(proto, [], packing()) == dict.fromkeys("abcd", 4)
    assert {node.op_type for node in proto.graph.node} >= {"MatMulNBits"}
    assert not any(node.op_type == "MatMul" for node in proto.graph.node)
    np.testing.assert_allclose(outputs(proto, feeds), outputs(by_hand, feeds), rtol=1e-3, atol=1e-3)


def test_each_product_is_calibrated_with_inputs_from_changed_products():
    proto, feeds = network(), batches()
    seen = {}

    def change(site, inputs):
        seen[site.source] = np.concatenate(inputs)
        if site.source != "n":
            return None
        for tensor in proto.graph.initializer:
            if tensor.name in ("a", "b"):
                halved = numpy_helper.to_array(tensor) / 2
                tensor.CopyFrom(numpy_helper.from_array(halved, tensor.name))
        return [onnx.NodeProto.FromString(node.SerializeToString()) for node in site.products]

    walk(proto, feeds, change)
    assert list(seen) == ["n", "m", "h"]
    for name, shown in seen.items():
        proto.graph.output.append(onnx.ValueInfoProto(name=name))
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        np.testing.assert_allclose(np.concatenate([session.run([name], f)[0] for f in feeds]), shown, rtol=1e-5)


def test_awq_keeps_the_function_and_gptq_comes_nearer_to_it():
    feeds, test = batches(), [{"x": batches(5)[4]["x"]}]
    expected = outputs(network(), test)
    scaled = network()
    for site in sites(scaled.graph):
        divided = awq.divisible(scaled.graph, site)
        assert divided == {"n": "gamma", "m": "b", "h": None}[site.source]
        if divided:
            width = next(iter(matrices(scaled.graph, site).values())).shape[1]
            awq.apply(scaled.graph, site, divided, np.random.default_rng(1).uniform(0.2, 5, width).astype(np.float32))
    np.testing.assert_allclose(outputs(scaled, test), expected, rtol=1e-3, atol=1e-3)
    error = {}
    for name, options in {"nearest": {}, "gptq": {"gptq": True}, "awq": {"awq": True}}.items():
        proto = network()
        pack(proto, feeds, packing(kind="range", block=64, **options))
        error[name] = float(((outputs(proto, test) - expected) ** 2).mean())
    assert error["gptq"] < error["nearest"] and error["awq"] < error["nearest"]


def test_weights_that_are_looked_up_elsewhere_are_not_scaled():
    proto = network()
    proto.graph.node.append(helper.make_node("Transpose", ["a"], ["t"], "t"))
    assert awq.divisible(proto.graph, sites(proto.graph)[0]) is None


def test_factors_are_those_with_the_smallest_error_of_outputs():
    matrix, second = weights(8, 32), np.diag(np.geomspace(0.01, 100, 32))

    def rounded(values):
        on = grid(values, "range", bits=4, block=32)
        return restored(nearest(values, on), on)

    by = awq.factors([matrix], second, rounded)
    assert by.max() * by.min() == pytest.approx(1, rel=1e-5) and (np.diff(by) >= 0).all()
    assert loss(matrix, rounded(matrix * by) / by, second) < loss(matrix, rounded(matrix), second)


def test_bits_go_to_the_layers_that_change_the_outputs_most_within_the_budget():
    feeds = batches(1)
    proto = network()
    assert bit_budget.wide_sites({"p": 9.0, "q": 1.0, "r": 8.0}, {"p": 4, "q": 1, "r": 2}, budget=5) == {"r", "q"}

    def zeroed(site):
        return {name: np.zeros(matrix.T.shape, np.float32) for name, matrix in matrices(proto.graph, site).items()}

    divergence = bit_budget.sensitivities(proto, feeds, zeroed, among={"n", "h"})
    uniform = np.full(20, -np.log(20))
    logits = outputs(proto, feeds).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = float((np.exp(log_p) * (log_p - uniform)).sum(axis=1).mean())
    assert divergence == pytest.approx({"n": expected, "h": expected}, rel=1e-4)
    for average in (5.0, 6.5):
        proto = network()
        packed = pack(proto, feeds, packing(average_bits=average))
        stored = sum(
            numpy_helper.to_array(tensor).nbytes
            for tensor in proto.graph.initializer
            if tensor.name not in ("gamma", *"abcd")
        )
        assert 8 * stored / (WIDTH * (96 * 3 + 20)) <= average
        assert (8 in packed.values()) == (average == 6.5)


def test_sensitivity_is_measured_on_a_few_hundred_tokens():
    texts = [{"input_ids": np.zeros((1, 100), np.int64)}] * 9
    assert len(bit_budget.first_batches(texts)) == 3 and len(bit_budget.first_batches(texts[:2])) == 2
    assert len(bit_budget.first_batches([{"x": np.zeros((200, 7), np.float32)}] * 9)) == 2


def test_the_moment_is_that_of_all_rows():
    parts = [weights(3, 4), weights(5, 4).reshape(1, 5, 4)]
    rows = np.concatenate([part.reshape(-1, 4) for part in parts])
    np.testing.assert_allclose(moment(parts), rows.T @ rows / 8, rtol=1e-5)
