"""Small ONNX graphs by hand whose stored tensors have several users, or are stored in unusual ways."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROWS, FEATURES, WIDTH, CLASSES = "rows", 8, 16, 3


class Graph:
    """A graph under construction: from `numeric` (rows, 8) to `probabilities` (rows, 3)."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        self.nodes, self.tensors, self.outputs, self.inputs = [], {}, [], []
        self.first = value("numeric", ROWS, FEATURES)

    def weights(self, **shapes):
        for name, shape in shapes.items():
            self.tensors[name] = (self.random.normal(size=shape) * 0.35).astype(np.float32)

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{operator}_{output}", **attributes))
        return output

    def layer(self, x, weight, bias, output, **attributes):
        inputs = [x, weight] + ([bias] if bias else [])
        return self.add("Relu", [self.add("Gemm", inputs, f"{output}.sum", **attributes)], output)

    def start(self):
        """The first layer: (rows, 16)."""
        self.weights(V=(WIDTH, FEATURES), c=WIDTH)
        return self.layer("numeric", "V", "c", "start", transB=1)

    def finish(self, x, width=WIDTH):
        """The last layer, and the model."""
        self.weights(O=(CLASSES, width), ob=CLASSES)
        self.tensors["O"] *= 3
        self.add("Softmax", [self.add("Gemm", [x, "O", "ob"], "logits", transB=1)], "probabilities", axis=1)
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [self.first, *self.inputs],
            [value("probabilities", ROWS, CLASSES), *self.outputs],
            [numpy_helper.from_array(array, name) for name, array in self.tensors.items()],
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(proto, full_check=True)
        return proto


def value(name, *shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def layer_twice():
    g = Graph()
    x = g.start()
    g.weights(W=(WIDTH, WIDTH), b=WIDTH)
    return g.finish(g.layer(g.layer(x, "W", "b", "one", transB=1), "W", "b", "two", transB=1))


def both_ways_square():
    """Once transposed, once not: the axis of output channels differs, and no shape gives a mistake away."""
    g = Graph()
    x = g.start()
    g.weights(W=(WIDTH, WIDTH), b=WIDTH)
    return g.finish(g.layer(g.layer(x, "W", "b", "one", transB=1), "W", "b", "two", transB=0))


def both_ways_in_gemm_and_matmul():
    g = Graph()
    g.weights(W=(WIDTH, FEATURES), b=WIDTH)
    x = g.layer("numeric", "W", "b", "one", transB=1)
    x = g.add("Relu", [g.add("MatMul", [x, "W"], "back.sum")], "back")
    return g.finish(g.layer(x, "W", "b", "two", transB=1))


def on_the_left():
    g = Graph()
    x = g.add("Transpose", [g.start()], "columns", perm=[1, 0])
    g.weights(W=(WIDTH, WIDTH))
    x = g.add("Transpose", [g.add("MatMul", ["W", x], "left")], "rows_again", perm=[1, 0])
    return g.finish(g.add("Relu", [g.add("MatMul", [g.add("Relu", [x], "one"), "W"], "right")], "two"))


def other_names():
    """The same tensor behind Identity, and transposed by a node."""
    g = Graph()
    x = g.start()
    g.weights(W=(WIDTH, WIDTH))
    g.add("Identity", ["W"], "W.again")
    g.add("Transpose", ["W"], "W.transposed", perm=[1, 0])
    x = g.layer(g.layer(x, "W", "c", "one", transB=1), "W.again", "c", "two", transB=1)
    return g.finish(g.add("Relu", [g.add("MatMul", [x, "W.transposed"], "three.sum")], "three"))


def convolution_twice():
    g = Graph()
    g.tensors |= {"axis": np.array([1]), "positions": np.array([2])}
    g.weights(K=(WIDTH, 1, 3), L=(WIDTH, WIDTH, 3), b=WIDTH)
    x = g.add("Unsqueeze", ["numeric", "axis"], "channels")
    for output, kernel in (("one", "K"), ("two", "L"), ("three", "L")):
        convolved = g.add("Conv", [x, kernel, "b"], f"{output}.sum", pads=[1, 1], kernel_shape=[3])
        x = g.add("Relu", [convolved], output)
    return g.finish(g.add("ReduceMean", [x, "positions"], "mean", keepdims=0))


def tied_embedding():
    g = Graph()
    g.first = value("categorical", ROWS, element=TensorProto.INT64)
    g.weights(E=(40, WIDTH), M=(WIDTH, WIDTH), c=WIDTH)
    x = g.layer(g.add("Gather", ["E", "categorical"], "embedded"), "M", "c", "one", transB=1)
    return g.finish(g.layer(x, "E", None, "two", transB=1), width=40)


def embedding_looked_up_twice():
    g = Graph()
    g.first = value("categorical", ROWS, element=TensorProto.INT64)
    g.weights(E=(40, WIDTH))
    x = g.add("Add", [g.add("Gather", ["E", "categorical"], "e1"), g.add("Gather", ["E", "categorical"], "e2")], "sum")
    return g.finish(g.layer(x, "E", None, "two", transB=1), width=40)


def weight_is_output():
    g = Graph()
    g.outputs = [value("V", WIDTH, FEATURES)]
    return g.finish(g.start())


def weights_are_inputs():
    g = Graph()
    g.inputs = [value("V", WIDTH, FEATURES), value("c", WIDTH)]
    return g.finish(g.start())


def weights_are_constants():
    g = Graph()
    x = g.start()
    for name in ("V", "c"):
        tensor = numpy_helper.from_array(g.tensors.pop(name), name)
        g.nodes.insert(0, helper.make_node("Constant", [], [name], name=f"Constant_{name}", value=tensor))
    return g.finish(x)


def nodes_without_names():
    proto = layer_twice()
    for node in proto.graph.node:
        node.name = ""
    return proto


def in_branches():
    """One branch reads a matrix of the whole graph; the other one has its own."""
    g = Graph()
    x = g.start()
    g.weights(W=(WIDTH, WIDTH), b=WIDTH)
    g.tensors["zero"] = np.float32(0)
    own = numpy_helper.from_array(g.random.normal(size=(WIDTH, WIDTH)).astype(np.float32) * np.float32(0.3), "X")
    shared = helper.make_node("Gemm", [x, "W", "b"], ["then"], name="inside", transB=1)
    then = helper.make_graph([shared], "then", [], [value("then", ROWS, WIDTH)])
    product = helper.make_node("MatMul", [x, "X"], ["else"], name="inside_else")
    other = helper.make_graph([product], "else", [], [value("else", ROWS, WIDTH)], [own])
    g.add("ReduceSum", ["numeric"], "total", keepdims=0)
    g.add("Greater", ["total", "zero"], "condition")
    x = g.add("If", ["condition"], "branch", then_branch=then, else_branch=other)
    return g.finish(g.layer(x, "W", "b", "two", transB=1))


def in_loop():
    """A loop of two turns reads a matrix of the whole graph, and has a bias of its own."""
    g = Graph()
    x = g.start()
    g.weights(W=(WIDTH, WIDTH))
    g.tensors |= {"turns": np.int64(2), "true": np.bool_(True)}
    nodes = [
        helper.make_node("Gemm", ["state", "W", "own"], ["sum"], name="inside", transB=1),
        helper.make_node("Relu", ["sum"], ["next"], name="inside_relu"),
        helper.make_node("Identity", ["going"], ["on"], name="inside_on"),
    ]
    inputs = [value("turn", element=TensorProto.INT64), value("going", element=TensorProto.BOOL)]
    outputs = [value("on", element=TensorProto.BOOL), value("next", ROWS, WIDTH)]
    own = numpy_helper.from_array(g.random.normal(size=WIDTH).astype(np.float32) * np.float32(0.3), "own")
    body = helper.make_graph(nodes, "body", [*inputs, value("state", ROWS, WIDTH)], outputs, [own])
    x = g.add("Loop", ["turns", "true", x], "looped", body=body)
    return g.finish(g.layer(x, "W", "c", "two", transB=1))


def bias_read_elsewhere():
    g = Graph()
    x = g.start()
    g.weights(W=(WIDTH, WIDTH))
    x = g.add("Mul", [g.layer(x, "W", "c", "one", transB=1), "c"], "scaled")
    return g.finish(g.add("Add", [x, "c"], "shifted"))


GRAPHS = {
    make.__name__: make
    for make in (
        layer_twice,
        both_ways_square,
        both_ways_in_gemm_and_matmul,
        on_the_left,
        other_names,
        convolution_twice,
        tied_embedding,
        embedding_looked_up_twice,
        weight_is_output,
        weights_are_inputs,
        weights_are_constants,
        nodes_without_names,
        in_branches,
        in_loop,
        bias_read_elsewhere,
    )
}


def feeds(proto, rows, seed=0):
    """Random inputs of a graph."""
    random = np.random.default_rng(seed)
    if proto.graph.input[0].name == "categorical":
        return {"categorical": random.integers(0, 40, rows)}
    return {"numeric": random.normal(size=(rows, FEATURES)).astype(np.float32)}
