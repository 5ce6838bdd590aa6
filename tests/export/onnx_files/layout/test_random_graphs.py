"""Random graphs compute the same in another layout, and the search for it ends."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_bin.export.onnx_files.layout.moving import move_transposes_out

SHAPE = (2, 3, 4, 5)


class Drawn:
    """A graph of up to 14 operators on one input; its last results are its outputs."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants = [], []
        self.shapes = {"x": SHAPE}
        for _ in range(int(self.rng.integers(5, 15))):
            names = list(self.shapes)
            name = names[-1 - int(self.rng.integers(0, min(4, len(names))))]
            step = self.rng.choice(
                [
                    *(self.transpose, self.transpose, self.one, self.drop, self.elementwise),
                    *(self.both, self.concat, self.mean, self.add, self.branch),
                ]
            )
            step(name, self.shapes[name])

    def node(self, operator, inputs, shape, **attributes):
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        self.shapes[name] = tuple(shape)

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def axis(self, shape):
        return int(self.rng.integers(1, len(shape)))

    def like(self, shape):
        return str(self.rng.choice([name for name in self.shapes if self.shapes[name] == shape]))

    def transpose(self, name, shape):
        order = [0, *map(int, 1 + self.rng.permutation(len(shape) - 1))]
        self.node("Transpose", [name], [shape[axis] for axis in order], perm=order)

    def one(self, name, shape):
        if len(shape) < 5:
            axis = self.axis(shape)
            axes = self.constant(np.array([axis]))
            self.node("Unsqueeze", [name, axes], [*shape[:axis], 1, *shape[axis:]])

    def drop(self, name, shape):
        if 1 in shape[1:] and len(shape) > 2:
            axis = shape.index(1, 1)
            axes = self.constant(np.array([axis]))
            self.node("Squeeze", [name, axes], [*shape[:axis], *shape[axis + 1 :]])

    def elementwise(self, name, shape):
        self.node(str(self.rng.choice(["Relu", "Tanh", "Identity"])), [name], shape)

    def both(self, name, shape):
        self.node(str(self.rng.choice(["Sub", "Max"])), [name, self.like(shape)], shape)

    def add(self, name, shape):
        value = self.rng.normal(size=shape[self.axis(shape) :]).astype("float32")
        self.node("Add", [name, self.constant(value)], shape)

    def concat(self, name, shape):
        axis = self.axis(shape)
        if shape[axis] < 6:
            whole = [2 * size if place == axis else size for place, size in enumerate(shape)]
            self.node("Concat", [name, self.like(shape)], whole, axis=axis - len(shape))

    def mean(self, name, shape):
        axis = self.axis(shape)
        kept = [1 if place == axis else size for place, size in enumerate(shape)]
        self.node("ReduceMean", [name], kept, axes=[axis], keepdims=1)

    def branch(self, name, shape):
        """Reads a tensor inside of an If, by its name."""
        total, sign = f"{name}_{len(self.nodes)}_sum", f"{name}_{len(self.nodes)}_sign"
        zero = self.constant(np.float32(0))
        bodies = {
            f"{side}_branch": helper.make_graph(
                [helper.make_node(operator, [read], [f"{total}_{side}"])],
                side,
                [],
                [helper.make_tensor_value_info(f"{total}_{side}", TensorProto.FLOAT, None)],
            )
            for side, operator, read in (
                ("then", "Neg", name),
                ("else", "Abs", self.like(shape)),
            )
        }
        self.nodes.append(helper.make_node("ReduceSum", [name], [total], total, keepdims=0))
        self.nodes.append(helper.make_node("Less", [total, zero], [sign], sign))
        self.node("If", [sign], shape, **bodies)

    def model(self):
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])
            for name in list(self.shapes)[-2:]
        ]
        fed = [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)]
        graph = helper.make_graph(self.nodes, "drawn", fed, ends, self.constants)
        imports = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        onnx.checker.check_model(model)
        return model


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_drawn_graphs_compute_the_same(start):
    x = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
    for seed in range(start, start + 50):
        model = Drawn(seed).model()
        expected, got = (
            onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"x": x})
            for each in (model, move_transposes_out(model))
        )
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6, err_msg=f"seed {seed}")
