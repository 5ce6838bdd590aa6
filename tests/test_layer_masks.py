"""BatchInstanceNormalization with a mask: both branches see only the valid elements."""

import keras
import numpy as np
import pytest

import keras_bin
from testing import reference
from tests import cases
from tests.gradients import COMPILED

SHAPES_AND_AXES = [((4, 6, 3), -1), ((4, 6, 3), 1), ((3, 5, 4, 2), -1), ((3, 5, 4, 2), 2)]
SHAPES_AND_AXES += [((3, 2, 3, 4, 5), -1), ((3, 2, 3, 4, 5), 1)]
MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])


def random_mask(shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape[:-1]) < 0.6


def sequences():
    """Sequences of unequal length with their weights and mask."""
    shape = (4, 6, 3)
    mask = np.arange(6) < np.array([6, 3, 4, 2])[:, None]
    return reference.random_weights(3), cases.random_input(shape), mask


@pytest.mark.usefixtures("float64")
@MODES
@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
def test_masked_call_equals_the_formula(shape, axis, training):
    weights, mask = reference.random_weights(shape[axis]), random_mask(shape)
    x, dy = cases.random_input(shape, axis), cases.random_input(shape, axis, seed=1)
    layer = cases.make_layer(weights, shape, axis)
    result = cases.run(layer, x, dy, training, mask)
    settings = {"training": training, "mask": mask}
    expected = reference.forward(x, weights, axis, **settings)
    np.testing.assert_allclose(result.y, expected, rtol=0, atol=1e-10)
    gradients = reference.backward(x, dy, weights, axis, **settings)
    cases.assert_gradients_close(result.gradients, gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
def test_masked_moving_statistics_equal_the_formula(shape, axis):
    weights, mask = reference.random_weights(shape[axis]), random_mask(shape)
    x = cases.random_input(shape, axis)
    layer = cases.make_layer(weights, shape, axis, momentum=0.7)
    layer(x, training=True, mask=mask)
    expected = reference.moving_statistics(x, weights, axis, 0.7, mask)
    found = [layer.moving_mean, layer.moving_variance]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@pytest.mark.usefixtures("float64")
@MODES
def test_masked_values_change_nothing_elsewhere(training):
    weights, x, mask = sequences()
    outputs = []
    for filling in (0.0, 1e6):
        filled = np.where(mask[..., None], x, filling)
        layer = cases.make_layer(weights, x.shape)
        y = cases.numpy(layer(filled, training=training, mask=mask))
        outputs.append([y[mask], *map(cases.numpy, layer.weights)])
    for first, second in zip(*outputs, strict=True):
        np.testing.assert_array_equal(first, second)


@MODES
@pytest.mark.parametrize("poison", [np.nan, np.inf], ids=["nan", "inf"])
def test_masked_poison_stays_where_it_is(poison, training):
    weights, x, mask = sequences()
    layer = cases.make_layer(weights, x.shape)
    poisoned = np.where(mask[..., None], x, poison).astype("float32")
    y = cases.numpy(layer(poisoned, training=training, mask=mask))
    expected = reference.forward(x, weights, training=training, mask=mask)
    np.testing.assert_allclose(y[mask], expected[mask], rtol=1e-5, atol=1e-5)
    assert all(np.isfinite(cases.numpy(weight)).all() for weight in layer.weights)


@MODES
def test_full_mask_is_no_mask(training):
    weights, x, mask = sequences()
    dy = cases.random_input(x.shape, seed=1)
    results = [
        cases.run(cases.make_layer(weights, x.shape), x, dy, training, given)
        for given in (None, np.ones_like(mask))
    ]
    np.testing.assert_allclose(results[1].y, results[0].y, rtol=0, atol=1e-5)
    cases.assert_gradients_close(results[1].gradients, results[0].gradients, rtol=1e-5, atol=1e-5)


@MODES
@pytest.mark.parametrize("masked", ["one sample", "all samples"])
def test_fully_masked_samples_give_finite_values_and_gradients(masked, training):
    weights, x, mask = sequences()
    mask = mask.copy()
    mask[0 if masked == "one sample" else slice(None)] = False
    layer = cases.make_layer(weights, x.shape)
    result = cases.run(layer, x, np.ones_like(x), training, mask)
    assert np.isfinite(result.y).all()
    assert all(np.isfinite(gradient).all() for gradient in result.gradients)
    assert all(np.isfinite(cases.numpy(weight)).all() for weight in layer.weights)


@pytest.mark.usefixtures("float64")
def test_fully_masked_sample_does_not_count_in_the_batch():
    weights, x, mask = sequences()
    mask = mask.copy()
    mask[2] = False
    layer, shorter = (cases.make_layer(weights, x.shape) for _ in range(2))
    layer(x, training=True, mask=mask)
    rest = [0, 1, 3]
    shorter(x[rest], training=True, mask=mask[rest])
    found = [layer.moving_mean, layer.moving_variance]
    expected = [shorter.moving_mean, shorter.moving_variance]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 6, 3), (4, 6, 3, 1)], ids=str)
def test_mask_of_another_rank_is_refused(shape):
    layer = keras_bin.BatchInstanceNormalization()
    with pytest.raises(ValueError, match="one axis fewer than the inputs") as error:
        layer(np.ones((4, 6, 3), "float32"), mask=np.ones(shape, bool))
    assert f"mask.shape={shape}, inputs.shape=(4, 6, 3)" in str(error.value)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("length", [None, 6], ids=["unknown length", "known length"])
def test_mask_of_a_masking_layer_is_used_and_passed_on(length):
    weights, x, mask = sequences()
    inputs = keras.Input((length, 3))
    layer = keras_bin.BatchInstanceNormalization()
    outputs = layer(keras.layers.Masking()(inputs))
    pooled = keras.layers.GlobalAveragePooling1D()(outputs)
    layer.set_weights(list(weights))
    x = np.where(mask[..., None], x, 0)
    found, mean = keras.Model(inputs, [outputs, pooled])(x)
    expected = reference.forward(x, weights, training=False, mask=mask)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    valid = np.where(mask[..., None], expected, 0).sum(1) / mask.sum(1, keepdims=True)
    np.testing.assert_allclose(mean, valid, rtol=0, atol=1e-6)


@MODES
def test_mask_works_compiled(training):
    weights, x, mask = sequences()
    dy = cases.random_input(x.shape, seed=1)
    results = [
        cases.run(cases.make_layer(weights, x.shape), x, dy, training, mask, way)
        for way in ("eager", COMPILED)
    ]
    np.testing.assert_allclose(results[1].y, results[0].y, rtol=0, atol=1e-5)
    cases.assert_gradients_close(results[1].gradients, results[0].gradients, rtol=1e-5, atol=1e-5)
