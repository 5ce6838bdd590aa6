"""BatchInstanceNormalization in few bits: float32, mixed precision, values far from zero."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_bin
from keras_bin.normalization.normalize import normalize
from testing import reference
from tests import cases
from tests.gradients import differentiated

HALVES = pytest.mark.parametrize("half", ["float16", "bfloat16"])
MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
EPSILON32 = np.finfo("float32").eps
# Relative rounding error of one conversion: half the distance of neighbours at 1.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


@pytest.mark.parametrize("axis", [-1, 1], ids=["channels last", "channels first"])
@pytest.mark.parametrize("name", cases.GOLDEN_NAMES)
def test_float32_is_as_good_as_the_official_code(name, axis):
    """Within 4 times the error that the official code makes in float32."""
    x, dy = (np.moveaxis(cases.GOLDEN[f"{name}/{key}"], 1, axis) for key in ("x", "dy"))
    settings = cases.golden_settings(name)
    layer = cases.make_layer(cases.golden_weights(name), x.shape, axis, **settings)
    y_eval = cases.run(layer, x, dy, training=False).y
    y_train, gradients = cases.run(layer, x, dy)
    found = {"y_train": y_train, "y_eval": y_eval, **gradients._asdict()}
    found["running_mean1"] = cases.numpy(layer.moving_mean)
    for key, value in found.items():
        expected, official = (cases.GOLDEN[f"{name}/{key}{end}"] for end in ("", "_f32"))
        # The official code's error may happen to be 0: one rounding of the largest is free.
        allowed = 4 * np.abs(official - expected).max() + EPSILON32 * np.abs(expected).max() / 2
        if value.ndim > 1:
            value = np.moveaxis(value, axis, 1)
        np.testing.assert_allclose(value, expected, rtol=0, atol=allowed, err_msg=key)


@MODES
@pytest.mark.parametrize("mean", [300.0, 1000.0])
def test_large_mean_keeps_its_digits_in_float32(mean, training):
    shape = (4, 6, 6, 4)
    x = (mean + np.random.default_rng(0).normal(size=shape)).astype("float32")
    weights = reference.random_weights(4)._replace(moving_mean=np.full(4, mean - 0.5))
    dy = np.random.default_rng(1).normal(size=shape)
    result = cases.run(cases.make_layer(weights, shape), x, dy, training)
    x = x.astype("float64")
    # Means are themselves off by some mean * eps; slopes and gradients are of order 1.
    unit = mean * EPSILON32
    expected = reference.forward(x, weights, training=training)
    np.testing.assert_allclose(result.y, expected, rtol=0, atol=8 * unit)
    gradients = reference.backward(x, dy, weights, training=training)
    np.testing.assert_allclose(result.gradients.dx, gradients.dx, rtol=0, atol=8 * unit)
    # Sums over 144 elements, each with that error times its dy.
    total = np.abs(dy).sum((0, 1, 2)).max() * unit
    np.testing.assert_allclose(result.gradients.dgamma, gradients.dgamma, rtol=0, atol=total)
    np.testing.assert_allclose(result.gradients.drho, gradients.drho, rtol=0, atol=total)


@pytest.mark.parametrize("mean", [300.0, 1000.0])
def test_large_mean_costs_the_digits_that_it_costs_batch_normalization(mean):
    shape = (2, 56, 56, 3)
    x = (mean + np.random.default_rng(0).normal(size=shape)).astype("float32")
    weights = reference.random_weights(3)._replace(rho=np.ones(3))
    other = keras.layers.BatchNormalization()
    other.build(shape)
    other.set_weights([weights[i] for i in (0, 1, 3, 4)])
    expected = reference.forward(x.astype("float64"), weights)
    errors = [
        np.abs(cases.numpy(layer(x, training=True)) - expected).max()
        for layer in (cases.make_layer(weights, shape), other)
    ]
    # Up to a factor of two: the order of summation decides.
    assert errors[0] <= 2 * errors[1] + mean * EPSILON32


@MODES
@HALVES
def test_mixed_precision_rounds_only_once(half, training):
    shape, weights = (3, 5, 4, 4), reference.random_weights(4)
    x = ops.cast(cases.random_input(shape), half)
    layer = cases.make_layer(weights, shape, dtype=f"mixed_{half}")
    y = layer(x, training=training)
    assert keras.backend.standardize_dtype(y.dtype) == half
    expected = reference.forward(cases.numpy(x), weights, training=training)
    np.testing.assert_allclose(cases.numpy(y), expected, rtol=1.01 * ROUNDING[half], atol=1e-5)


@HALVES
def test_mixed_precision_keeps_weights_and_statistics_in_float32(half):
    shape, weights = (3, 5, 4, 4), reference.random_weights(4)
    x = ops.cast(cases.random_input(shape), half)
    layer = cases.make_layer(weights, shape, dtype=f"mixed_{half}")
    layer(x, training=True)
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    expected = reference.moving_statistics(cases.numpy(x), weights)
    found = [layer.moving_mean, layer.moving_variance]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@HALVES
def test_no_weight_is_autocast(half, monkeypatch):
    layer = cases.make_layer(reference.random_weights(4), (3, 5, 4, 4), dtype=f"mixed_{half}")
    seen = []

    def record(x, weights, axes, epsilon, *, moving, **others):
        seen.extend(
            keras.backend.standardize_dtype(value.dtype) for value in (x, *weights, *moving)
        )
        return normalize(x, weights, axes, epsilon, moving=moving, **others)

    monkeypatch.setattr("keras_bin.layer.normalize", record)
    layer(np.ones((3, 5, 4, 4), "float32"))
    assert seen == ["float32"] * 6


@MODES
def test_float16_inputs_near_the_largest_do_not_overflow(training):
    shape = (2, 4, 4, 3)
    signs = np.where(np.random.default_rng(0).uniform(size=shape) < 0.5, -1, 1)
    x = (6e4 * signs).astype("float16")
    weights = reference.random_weights(3)
    layer = cases.make_layer(weights, shape, dtype="mixed_float16")

    def compute(x):
        y = layer(x, training=training)
        return ops.sum(y), y

    y, (gradient,) = differentiated(compute, state=layer.variables)(x)
    y, gradient = map(ops.convert_to_numpy, (y, gradient))
    expected = reference.forward(x.astype("float64"), weights, training=training)
    # At inference 6e4 against a moving deviation near 1 leaves float16; that is not NaN.
    expected = expected.clip(-65504, 65504) if training else expected
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(y, expected.astype("float16"), rtol=2e-3, atol=1e-3)
    assert np.isfinite(gradient).all()
    assert all(np.isfinite(cases.numpy(weight)).all() for weight in layer.weights)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_output_has_the_dtype_of_the_layer(dtype):
    layer = keras_bin.BatchInstanceNormalization(dtype=dtype)
    x = np.ones((2, 4, 4, 3), "float32")
    assert keras.backend.standardize_dtype(layer(x).dtype) == dtype
    assert {weight.dtype for weight in layer.weights} == {dtype}
    assert layer(keras.KerasTensor(x.shape)).dtype == dtype


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_integers_are_normalized_in_float32(dtype):
    weights, shape = reference.random_weights(3), (2, 4, 4, 3)
    x = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    y = ops.convert_to_numpy(cases.make_layer(weights, shape)(x, training=True))
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, reference.forward(x, weights), rtol=1e-5, atol=1e-5)


@HALVES
def test_pure_half_precision_rounds_moving_statistics_once(half):
    """The update is computed in float32, as BatchNormalization's is."""
    x = np.full((2, 4, 4, 1), 5.0, "float32")
    ours = keras_bin.BatchInstanceNormalization(dtype=half)
    theirs = keras.layers.BatchNormalization(dtype=half)
    for _ in range(200):
        ours(x, training=True)
        theirs(x, training=True)
    assert cases.numpy(ours.moving_mean)[0] > 3
    for weight in ("moving_mean", "moving_variance"):
        found, expected = (cases.numpy(getattr(each, weight)) for each in (ours, theirs))
        np.testing.assert_array_equal(found, expected, err_msg=weight)


@pytest.mark.usefixtures("x64")
@MODES
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_float64_layer_needs_no_float64_default(masked, training):
    assert keras.config.floatx() == "float32"
    shape = (3, 4, 2, 3)
    weights = reference.random_weights(shape[-1])
    x, dy = cases.random_input(shape), cases.random_input(shape, seed=1)
    mask = np.random.default_rng(0).uniform(size=shape[:-1]) < 0.7 if masked else None
    layer = cases.make_layer(weights, shape, dtype="float64")
    result = cases.run(layer, x, dy, training=training, mask=mask)
    expected = reference.backward(x, dy, weights, training=training, mask=mask)
    cases.assert_gradients_close(result.gradients, expected, rtol=1e-9, atol=1e-9)
