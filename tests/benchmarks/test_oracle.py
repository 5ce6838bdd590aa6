"""Outputs are compared rightly, and the estimate of a model's rounding is about right."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from benchmarks.oracle import (
    UNIT,
    Difference,
    allowed_relative,
    attempt,
    call,
    difference,
    in_words,
    load_onnx,
    load_saved_model,
    model_outputs,
    rounding,
    within,
)

INFINITE = float("inf")


@pytest.fixture
def model():
    """Computes 3 x of `a` and a - b, in two outputs."""
    a, b = (keras.Input((2,), name=name) for name in "ab")
    triple = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity", name="triple")
    model = keras.Model([a, b], [triple(a), keras.layers.Subtract()([a, b])])
    triple.kernel.assign(3 * np.eye(2))
    return model


@pytest.mark.parametrize(
    ("got", "expected", "found"),
    [
        ([1.0, 5.0], [1.0, 4.0], Difference(1.0, 0.2, 4.0)),
        ([INFINITE, 4.0], [1.0, 4.0], Difference(None, None, 0.0)),
        ([INFINITE, 4.0], [INFINITE, 4.0], Difference(0.0, 0.0, 4.0)),
        ([1.0, 4.0], [np.nan, 4.0], Difference(None, None, 0.0)),
    ],
    ids=["one apart", "not finite", "both infinite", "NaN expected"],
)
def test_difference(got, expected, found):
    assert difference([np.array(got)], [np.array(expected)]) == found


def test_shapes_have_to_be_equal():
    with pytest.raises(ValueError, match=r"shapes \[\(2,\)\]. Received: \[\(2, 1\)\]"):
        difference([np.ones((2, 1))], [np.ones(2)])


def test_outputs_are_those_of_a_structure(model):
    first, second = model_outputs(model, [np.float32([[1, 2]]), np.float32([[5, 5]])])
    np.testing.assert_array_equal(first, [[3, 6]])
    np.testing.assert_array_equal(second, [[-4, -3]])


def test_subclassed_model_is_called_with_its_one_input():
    class Twice(keras.Model):
        def call(self, x, training=None):
            return (3 if training else 2) * x

    model = Twice()
    (inferred,) = model_outputs(model, [np.ones(1, "float32")])
    assert inferred == [2]
    assert call(model, [np.ones(1, "float32")], training=True).numpy() == [3]


def test_rounding_is_that_of_the_weights_and_inputs_which_stay(model):
    before = model.get_weights()
    inputs = [np.float32([[1, 1]]), np.float32([[1000, 1000]])]
    # a - b is off by a unit of 1000, of which the value is about as large.
    found = rounding(model, inputs)
    assert 0.5 * UNIT < found < 4 * UNIT
    assert rounding(model, inputs, unit=1e-3) == pytest.approx(found * 1e-3 / UNIT, rel=0.5)
    np.testing.assert_array_equal(model.get_weights(), before)


def test_rounding_grows_where_digits_cancel(model):
    inputs = [np.float32([[1000, 1000]]), np.float32([[1000, 1000]])]
    assert rounding(model, inputs) > 500 * UNIT


def test_onnx_file_is_fed_in_the_order_of_its_inputs(tmp_path):
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "zyx"]
    node = helper.make_node("Sub", ["z", "y"], ["x"])
    graph = helper.make_graph([node], "g", tensors[:2], tensors[2:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, tmp_path / "m.onnx")
    (found,) = load_onnx(tmp_path / "m.onnx")([np.float32([3, 3]), np.float32([1, 2])])
    np.testing.assert_array_equal(found, [2, 1])


def test_saved_model_is_read_in_the_order_of_names_that_is_told(tmp_path):
    module = tf.Module()
    spec = tf.TensorSpec([2], tf.float32)

    @tf.function(input_signature=[spec, spec])
    def serve(a, b):
        return {"less": a - b, "more": a + b}

    module.serve = serve
    tf.saved_model.save(module, str(tmp_path), {"serving_default": serve})
    run = load_saved_model(tmp_path, ["more", "less"])
    more, less = run([np.float32([3, 3]), np.float32([1, 2])])
    np.testing.assert_array_equal(more, [4, 5])
    np.testing.assert_array_equal(less, [2, 1])


def test_message_has_no_colours():
    assert in_words(ValueError("\x1b[1mNo.\x1b[0m ")) == "ValueError: No."


def test_step_that_fails_says_how_and_one_that_does_not_what_it_found():
    def fails():
        raise TypeError("of text")

    failed, done = attempt(fails), attempt(lambda: {"a": 1})
    assert (failed.found, failed.error) == (None, "TypeError: of text")
    assert (done.found, done.error) == ({"a": 1}, "")
    assert failed.seconds >= 0 <= done.seconds


@pytest.mark.parametrize(
    ("relative", "rounding", "right"),
    [(1e-3, 0, True), (2e-3, 0, False), (2e-3, 5e-4, True), (3e-3, 5e-4, False), (None, 1, False)],
    ids=["at most", "above", "within rounding", "above rounding", "not finite"],
)
def test_difference_is_right_up_to_a_thousandth_or_four_roundings(relative, rounding, right):
    assert within(relative, allowed_relative(rounding)) == right
