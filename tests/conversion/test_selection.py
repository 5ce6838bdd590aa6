"""Which layers `where` selects, and the gates that `rho` gives them."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_bin
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE
from tests.export.values import layers_of

BN = layers.BatchNormalization


@pytest.fixture
def source():
    inner = keras.Sequential(
        [keras.Input((*IMAGE[:2], 4)), BN(name="b1"), BN(name="b2")], name="inner"
    )
    stem = [keras.Input(IMAGE), BN(name="stem"), layers.Conv2D(4, 1)]
    return randomize(keras.Sequential([*stem, inner, BN(name="last")]))


def names(model):
    return [layer.name for layer in layers_of(model, BIN)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, ["stem", "b1", "b2", "last"]),
        ("first", ["stem"]),
        ("b*", ["b1", "b2"]),
        ("inner/*", ["b1", "b2"]),
        ("*2", ["b2"]),
        (lambda layer: layer.moving_mean.shape[0] == 3, ["stem"]),
    ],
    ids=["all", "first", "name", "path", "end of name", "function"],
)
def test_where_selects(source, where, expected):
    assert names(keras_bin.convert_batch_normalization(source, where=where)) == expected
    report = keras_bin.conversion_report(source, where)
    assert [each.layer.split("/")[-1] for each in report] == ["stem", "b1", "b2", "last"]
    assert [each.became == "converted" for each in report] == [
        each.layer.split("/")[-1] in expected for each in report
    ]


def test_report_prints_as_a_table(source):
    report = keras_bin.conversion_report(source, "first")
    lines = str(report).splitlines()
    assert lines[0] == "BatchNormalization layers converted: 1 of 4"
    assert lines[2].split() == ["sequential/stem", "BatchNormalization", "3", "converted"]
    assert lines[3].endswith("  left       `where` does not select it")
    assert ">`where` does not select it</td>" in report._repr_html_()


class Backwards(layers.Layer):
    """Calls the layer that it lists last first."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.second, self.first = BN(name="second"), BN(name="called_first")

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build(input_shape)

    def call(self, inputs):
        return self.second(self.first(inputs))


def test_first_is_the_layer_that_is_called_first():
    inputs = keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BN()(Backwards()(inputs))))
    before = [np.array(weight) for weight in model.weights]
    converted = keras_bin.convert_batch_normalization(model, where="first")
    assert names(converted) == ["called_first"]
    for now, then in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_first_is_the_first_that_can_be_converted():
    vector, image = keras.Input((4,)), keras.Input(IMAGE)
    x = layers.Dense(3)(BN(name="vector")(vector))
    y = BN(name="image")(image + layers.Reshape((1, 1, 3))(x))
    model = randomize(keras.Model([vector, image], BN(name="last")(y)))
    assert names(keras_bin.convert_batch_normalization(model, where="first")) == ["image"]


def test_first_is_not_another_one_if_it_cannot_be_converted():
    inputs = keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BN()(BN(epsilon=0.0, name="stem")(inputs))))
    with pytest.raises(ValueError, match="'stem': BatchInstanceNormalization does not accept"):
        keras_bin.convert_batch_normalization(model, where="first")


class Counting(layers.Layer):
    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs


def test_looking_for_the_first_layer_changes_no_state():
    counting, inputs = Counting(), keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BN()(counting(inputs))))
    before = float(counting.calls)
    keras_bin.convert_batch_normalization(model, where="first")
    assert float(counting.calls) == before


@pytest.mark.parametrize(
    ("rho", "expected"),
    [
        (0.25, [0.25, 0.25, 0.25, 0.25]),
        (lambda layer: 0.0 if layer.name == "stem" else 1, [0, 1, 1, 1]),
        (lambda layer, depth: depth, [0, 1 / 3, 2 / 3, 1]),
        (lambda layer, share=0.5: share, [0.5, 0.5, 0.5, 0.5]),
        (lambda layer: np.full(layer.moving_mean.shape, 0.75), [0.75, 0.75, 0.75, 0.75]),
    ],
    ids=["number", "layer", "depth", "default argument", "array of a layer"],
)
def test_rho_is_set(source, rho, expected):
    converted = keras_bin.convert_batch_normalization(source, rho)
    for layer, value in zip(layers_of(converted, BIN), expected, strict=True):
        np.testing.assert_allclose(layer.rho, np.full(layer.rho.shape, value), rtol=1e-6)


def test_array_sets_each_channel(source):
    converted = keras_bin.convert_batch_normalization(source, [0.0, 0.5, 1.0], where="stem")
    np.testing.assert_array_equal(converted.get_layer("stem").rho, np.array([0, 0.5, 1]))


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"rho": 1.5}, ValueError, r"must be a number from 0 .*Received: rho=1.5 for layer"),
        ({"rho": float("nan")}, ValueError, "Received: rho=nan"),
        ({"rho": "0.5"}, ValueError, "Received: rho='0.5'"),
        ({"rho": keras.initializers.Ones()}, ValueError, "Received: rho=<keras"),
        ({"rho": [0.0, 1.0]}, ValueError, r"rho=\[0.0, 1.0\] for layer '.*/stem' with 3 channels"),
        ({"rho": lambda layer: None}, ValueError, "Received: rho=None"),
        ({"where": 3}, TypeError, "must be a name pattern.*Received: where=3"),
        (
            {"where": "conv*"},
            ValueError,
            r"where='conv\*' for model 'sequential.*last': `where`",
        ),
        ({"where": lambda layer: False}, ValueError, "that `where` selects"),
    ],
    ids=[
        "above 1",
        "nan",
        "text",
        "initializer",
        "length",
        "none",
        "type",
        "no match",
        "none true",
    ],
)
def test_wrong_arguments_are_refused(source, arguments, error, match):
    with pytest.raises(error, match=match):
        keras_bin.convert_batch_normalization(source, **arguments)
