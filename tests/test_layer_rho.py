"""The gate of BatchInstanceNormalization as a weight: its start, and what keeps it in [0, 1]."""

import keras
import numpy as np
import pytest

import keras_bin
from tests import cases

# The layer is tested in a plain model here.
pytestmark = pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")


def ramp(shape, dtype=None):
    """An initializer that is a plain function."""
    return keras.ops.linspace(-1.0, 2.0, shape[0], dtype=dtype)


def built(**kwargs):
    layer = keras_bin.BatchInstanceNormalization(**kwargs)
    layer.build((None, 4, 4, 7))
    return layer


def one_step(layer, learning_rate=0.0):
    """Fits a net around `layer` on one batch, with plain Keras."""
    inputs = keras.Input((4, 4, 7))
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    x = cases.random_input((4, 4, 4, 7)).astype("float32")
    model.fit(x, np.roll(x, 1, 0), verbose=0)


@pytest.mark.parametrize(
    ("initializer", "expected"),
    [
        ("ones", np.ones(7)),
        ("zeros", np.zeros(7)),
        (keras.initializers.Constant(0.25), np.full(7, 0.25)),
        ({"class_name": "Constant", "config": {"value": 1.5}}, np.ones(7)),
        ({"class_name": "Constant", "config": {"value": -0.5}}, np.zeros(7)),
        (ramp, [0, 0, 0, 0.5, 1, 1, 1]),
        ({"class_name": "Constant", "config": {"value": 0.5}}, np.full(7, 0.5)),
    ],
    ids=["ones", "zeros", "inside", "above", "below", "function", "config"],
)
def test_initial_values_are_those_of_the_initializer_clipped(initializer, expected):
    found = built(rho_initializer=initializer).rho
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.filterwarnings("ignore:Values of `rho_initializer`")
@pytest.mark.parametrize(
    "initializer",
    [
        "random_normal",
        "glorot_uniform",
        "lecun_normal",
        keras.initializers.RandomUniform(-2, 3, seed=0),
        keras.initializers.TruncatedNormal(0.5, 2.0, seed=0),
    ],
    ids=lambda initializer: getattr(type(initializer), "__name__", "") + str(initializer)[:16],
)
def test_random_initial_values_are_in_the_unit_interval(initializer):
    rho = cases.numpy(built(rho_initializer=initializer).rho)
    assert rho.min() >= 0
    assert rho.max() <= 1
    assert np.unique(rho).size > 1


def test_seeded_initializer_repeats():
    first, second = (
        built(rho_initializer=keras.initializers.RandomUniform(0, 1, seed=5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.rho, second.rho)


def test_values_from_outside_come_back_at_the_next_step():
    layer = built()
    values = layer.get_weights()
    values[2] = np.array([-3, -0.1, 0, 0.5, 1, 1.1, 3], "float32")
    layer.set_weights(values)
    np.testing.assert_array_equal(layer.rho, values[2])
    one_step(layer)
    np.testing.assert_array_equal(layer.rho, [0, 0, 0, 0.5, 1, 1, 1])


def test_steps_beyond_the_unit_interval_end_at_its_ends():
    layer = built(rho_initializer=keras.initializers.Constant(0.5))
    one_step(layer, learning_rate=1e6)
    rho = cases.numpy(layer.rho)
    np.testing.assert_array_equal(rho, np.where(rho > 0.5, 1.0, 0.0))


@pytest.mark.parametrize("constraint", [None, keras.constraints.NonNeg()], ids=["none", "another"])
def test_constraint_can_be_replaced(constraint):
    layer = built(rho_constraint=constraint)
    values = layer.get_weights()
    values[2] = np.linspace(-3, 3, 7)
    layer.set_weights(values)
    one_step(layer)
    kept = values[2] if constraint is None else np.maximum(values[2], 0)
    np.testing.assert_allclose(layer.rho, kept, rtol=1e-6, atol=0)


def test_default_constraint_is_the_unit_interval():
    layer = built()
    assert type(layer.rho_constraint) is keras_bin.UnitInterval
    assert layer.gamma.constraint is None
    assert layer.beta.constraint is None


def test_regularizers_add_to_the_losses():
    layer = built(
        rho_regularizer=keras.regularizers.L2(0.5),
        gamma_regularizer=keras.regularizers.L1(0.25),
        beta_regularizer=keras.regularizers.L1(2.0),
        rho_initializer=keras.initializers.Constant(0.5),
        beta_initializer=keras.initializers.Constant(3.0),
    )
    expected = {"gamma": 0.25 * 7, "beta": 2.0 * 3 * 7, "rho": 0.5 * 7 * 0.5**2}
    np.testing.assert_allclose(
        sorted(map(float, map(cases.numpy, layer.losses))),
        sorted(expected.values()),
        rtol=1e-6,
        atol=0,
    )


def test_gamma_and_beta_constraints_act():
    layer = built(
        gamma_constraint=keras.constraints.NonNeg(),
        beta_constraint=keras.constraints.MaxNorm(1.0),
        gamma_initializer=keras.initializers.Constant(-1.0),
        beta_initializer=keras.initializers.Constant(5.0),
    )
    one_step(layer)
    np.testing.assert_array_equal(layer.gamma, np.zeros(7))
    assert np.linalg.norm(layer.beta) == pytest.approx(1.0, rel=1e-5)


def test_fit_moves_every_weight():
    layer = built(rho_initializer=keras.initializers.Constant(0.5))
    before = layer.get_weights()
    one_step(layer, learning_rate=0.1)
    for weight, old in zip(layer.weights, before, strict=True):
        assert (cases.numpy(weight) != old).all(), weight.name


def test_fit_of_a_frozen_layer_moves_none():
    layer = built()
    layer.trainable = False
    before = layer.get_weights()
    inputs = keras.Input((4, 4, 7))
    model = keras.Model(inputs, keras.layers.Conv2D(7, 1)(layer(inputs)))
    model.compile("sgd", "mse")
    x = cases.random_input((4, 4, 4, 7)).astype("float32")
    model.fit(x, np.roll(x, 1, 0), verbose=0)
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old, err_msg=weight.name)


def test_missing_rho_initializer_is_refused():
    with pytest.raises(ValueError, match=r"Keras initializer.*rho_initializer=None"):
        keras_bin.BatchInstanceNormalization(rho_initializer=None)
