"""FoldedBatchInstanceNormalization: the inference form, its constants, its file."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

import keras_bin
from tests import cases

SHAPES_AND_AXES = [((3, 6, 4), -1), ((3, 5, 4, 2), 1), ((3, 5, 4, 2), -2), ((2, 3, 2, 4, 5), 4)]
EPSILON = 0.01


class Constants(NamedTuple):
    scale: np.ndarray
    offset: np.ndarray
    instance_scale: np.ndarray
    mean: np.ndarray


def constants(channels, seed=0):
    rng = np.random.default_rng(seed)
    return Constants(*rng.normal(1, 1, (4, channels)))


def folded(values, shape, axis=-1, **kwargs):
    layer = keras_bin.FoldedBatchInstanceNormalization(axis=axis, epsilon=EPSILON, **kwargs)
    layer.build(shape)
    layer.set_weights([getattr(values, weight.name) for weight in layer.weights])
    return layer


def expected_output(x, values, axis, mask=None):
    """scale * (x - mean) + instance_scale * (x - m) / sqrt(v + epsilon) + offset."""
    shape = [1] * x.ndim
    shape[axis] = -1
    scale, offset, instance_scale, mean = (value.reshape(shape) for value in values)
    kept = x if mask is None else np.where(mask[..., None], x, np.nan)
    spatial = tuple(i for i in range(1, x.ndim) if i != axis % x.ndim)
    own_mean = np.nanmean(kept, spatial, keepdims=True)
    own_deviation = np.sqrt(np.nanvar(kept, spatial, keepdims=True) + EPSILON)
    return scale * (x - mean) + instance_scale * (x - own_mean) / own_deviation + offset


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
def test_output_with_instance_branch_is_the_formula(shape, axis):
    values, x = constants(shape[axis]), cases.random_input(shape, axis)
    y = folded(values, shape, axis)(x)
    np.testing.assert_allclose(y, expected_output(x, values, axis), rtol=0, atol=1e-11)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
def test_output_without_instance_branch_is_affine(shape, axis):
    values, x = constants(shape[axis]), cases.random_input(shape, axis)
    y = folded(values, shape, axis, instance=False)(x)
    zero = np.zeros_like(values.mean)
    expected = expected_output(x, values._replace(instance_scale=zero, mean=zero), axis)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES, ids=str)
def test_output_without_batch_branch_is_one_instance_normalization(shape, axis):
    values, x = constants(shape[axis]), cases.random_input(shape, axis)
    y = folded(values, shape, axis, batch=False)(x)
    expected = expected_output(x, values._replace(scale=np.zeros_like(values.scale)), axis)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-11)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("batch", [True, False], ids=["both branches", "instance"])
def test_centered_layer_takes_inputs_whose_mean_was_subtracted(batch, masked):
    shape = (4, 6, 3)
    values, x = constants(3), cases.random_input(shape)
    mask = np.arange(6) < np.array([6, 3, 4, 2])[:, None] if masked else None
    layer = folded(values, shape, batch=batch, centered=True)
    y = cases.numpy(layer(x - values.mean, mask=mask))
    scale = values.scale if batch else np.zeros(3)
    expected = expected_output(x, values._replace(scale=scale), -1, mask)
    counted = np.ones(shape[:2], bool) if mask is None else mask
    np.testing.assert_allclose(y[counted], expected[counted], rtol=0, atol=1e-11)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axis", [-1, 1])
def test_vectors_are_taken_without_an_instance_branch(axis):
    values, x = constants(4), cases.random_input((3, 4))
    y = folded(values, (None, 4), axis, instance=False)(x)
    np.testing.assert_allclose(y, x * values.scale + values.offset, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False, None], ids=str)
@pytest.mark.parametrize("instance", [True, False], ids=["instance", "affine"])
def test_training_is_accepted_and_changes_nothing(instance, training):
    layer = folded(constants(3), (2, 4, 3), instance=instance)
    x = cases.random_input((2, 4, 3)).astype("float32")
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(x, training=training), layer(x))
    for weight, value in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_layer_without_a_branch_is_refused():
    with pytest.raises(ValueError, match=r"`batch` or `instance` must be.*batch=False, instance=F"):
        keras_bin.FoldedBatchInstanceNormalization(batch=False, instance=False)


@pytest.mark.tensorflow
@pytest.mark.parametrize("centered", [False, True])
def test_statistics_are_two_reductions_about_one_element(centered):
    import tensorflow as tf

    layer = folded(constants(2), (None, 5, 3, 2), centered=centered)
    spec = tf.TensorSpec((None, 5, 3, 2))
    graph = tf.function(layer.call).get_concrete_function(spec).graph
    operations = graph.get_operations()
    means = [operation.inputs[0].shape for operation in operations if operation.type == "Mean"]
    # The others are taken of what the rows have left.
    assert means.count((None, 5, 3, 2)) == 2
    assert means.count((None, 5, 1, 2)) == len(means) - 2
    kinds = [operation.type for operation in operations]
    assert kinds.count("StridedSlice") == 1
    assert not {"Sum", "Shape"} & set(kinds)


@pytest.mark.parametrize("value", [0.0, -37.3, 255.0, 1e6])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (224, 224)], ids=str)
@pytest.mark.parametrize("centered", [False, True])
def test_constant_sample_has_no_instance_branch(centered, size, value):
    layer = folded(constants(2), (None, *size, 2), batch=False, centered=centered)
    x = np.full((1, *size, 2), value, "float32")
    expected = np.broadcast_to(np.array(layer.offset), x.shape)
    np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])
def test_element_far_from_all_others_costs_few_digits(place):
    """Such an element is a thousand deviations from the mean if it is the first of all."""
    shape = (1, 64, 64, 2)
    layer = folded(constants(2), (None, *shape[1:]), batch=False)
    x = np.random.default_rng(0).normal(0, 1, shape)
    x.reshape(-1, 2)[place] = 1000.0
    expected = expected_output(
        np.float64(np.float32(x)), constants(2)._replace(scale=np.zeros(2)), -1
    )
    np.testing.assert_allclose(layer(np.float32(x)), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.usefixtures("float64")
def test_mask_limits_the_statistics_of_a_sample():
    shape = (4, 6, 3)
    values, x = constants(3), cases.random_input(shape)
    mask = np.arange(6) < np.array([6, 3, 4, 2])[:, None]
    poisoned = np.where(mask[..., None], x, np.nan)
    y = cases.numpy(folded(values, shape)(poisoned, mask=mask))
    expected = expected_output(x, values, -1, mask)
    np.testing.assert_allclose(y[mask], expected[mask], rtol=0, atol=1e-11)


@pytest.mark.parametrize("instance", [True, False], ids=["instance", "affine"])
def test_fresh_layer_is_the_identity(instance):
    x = cases.random_input((2, 4, 4, 3)).astype("float32")
    layer = keras_bin.FoldedBatchInstanceNormalization(instance=instance)
    np.testing.assert_allclose(layer(x), x, rtol=1e-6, atol=1e-6)


def test_fresh_layer_without_batch_branch_normalizes():
    x = cases.random_input((2, 4, 4, 3)).astype("float32")
    y = keras_bin.FoldedBatchInstanceNormalization(batch=False, epsilon=1e-9)(x)
    np.testing.assert_allclose(np.asarray(y).mean((1, 2)), 0, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.asarray(y).std((1, 2)), 1, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["scale", "offset", "instance_scale", "mean"]),
        ({"centered": True}, ["scale", "offset", "instance_scale"]),
        ({"batch": False}, ["offset", "instance_scale", "mean"]),
        ({"batch": False, "centered": True}, ["offset", "instance_scale"]),
        ({"instance": False}, ["scale", "offset"]),
    ],
    ids=["both", "centered", "instance", "centered instance", "affine"],
)
def test_constants_are_not_trainable(settings, names):
    layer = folded(constants(3), (None, 4, 3), **settings)
    assert [weight.name for weight in layer.weights] == names
    assert layer.trainable_weights == []


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_mixed_precision_computes_in_float32(half):
    values, shape = constants(3), (2, 5, 4, 3)
    x = ops.cast(cases.random_input(shape), half)
    layer = folded(values, shape, dtype=f"mixed_{half}")
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == half
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    rounding = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[half]
    expected = expected_output(cases.numpy(x), values, -1)
    np.testing.assert_allclose(cases.numpy(y), expected, rtol=1.01 * rounding, atol=1e-5)


@pytest.mark.parametrize("deviation", [1.0, 0.01])
def test_large_mean_keeps_its_digits_in_float32(deviation):
    shape, mean = (4, 6, 6, 3), 1000.0
    x = (mean + deviation * np.random.default_rng(0).normal(size=shape)).astype("float32")
    values = constants(3)._replace(mean=np.full(3, mean + 0.5))
    expected = expected_output(x.astype("float64"), values, -1)
    np.testing.assert_allclose(folded(values, shape)(x), expected, rtol=0, atol=4e-6)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"axis": 1, "epsilon": 0.5, "instance": False, "name": "own", "dtype": "float64"},
        {"batch": False, "centered": True},
    ],
    ids=["defaults", "all changed", "one branch"],
)
def test_config_round_trips_and_building_leaves_it_alone(arguments):
    layer = keras_bin.FoldedBatchInstanceNormalization(**arguments)
    before = layer.get_config()
    layer.build((None, 5, 5, 3))
    assert layer.get_config() == before
    again = keras_bin.FoldedBatchInstanceNormalization.from_config(before)
    assert again.get_config() == before
    defaults = {"axis": -1, "epsilon": 1e-3, "batch": True, "instance": True, "centered": False}
    expected = {**defaults, **arguments}
    assert {name: getattr(again, name) for name in expected} == expected


@pytest.mark.parametrize(
    "settings",
    [{}, {"instance": False}, {"batch": False}, {"centered": True}],
    ids=["both", "affine", "instance", "centered"],
)
def test_file_keeps_constants_and_output(settings, tmp_path):
    inputs = keras.Input((None, 3))
    layer = keras_bin.FoldedBatchInstanceNormalization(epsilon=EPSILON, **settings)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([getattr(constants(3), weight.name) for weight in layer.weights])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = cases.random_input((2, 7, 3)).astype("float32")
    np.testing.assert_array_equal(cases.numpy(loaded(x)), cases.numpy(model(x)))


def test_name_is_registered():
    cls = keras_bin.FoldedBatchInstanceNormalization
    assert keras.saving.get_registered_name(cls) == "keras_bin>FoldedBatchInstanceNormalization"


@pytest.mark.parametrize(
    ("shape", "axis", "message"),
    [
        ((2, 3), -1, r"spatial axis.*\(2, 3\)"),
        ((2, 4, 3), 0, "axis=0"),
        ((2, 4, None), -1, r"channels must be known.*\(2, 4, None\)"),
    ],
    ids=["rank 2", "batch axis", "unknown channels"],
)
def test_bad_inputs_are_refused(shape, axis, message):
    with pytest.raises(ValueError, match=message):
        keras_bin.FoldedBatchInstanceNormalization(axis=axis).build(shape)


@pytest.mark.parametrize("shape", [(2, 7, 7, 3), (2, 7, 4)], ids=str)
def test_built_layer_refuses_another_rank_or_channels(shape):
    layer = folded(constants(3), (None, None, 3))
    with pytest.raises(ValueError, match="incompatible with the layer"):
        layer(np.ones(shape, "float32"))


def test_mask_of_another_rank_is_refused():
    layer = folded(constants(3), (2, 4, 3))
    with pytest.raises(ValueError, match=r"mask.shape=\(2,\), inputs.shape=\(2, 4, 3\)"):
        layer(np.ones((2, 4, 3), "float32"), mask=np.ones(2, bool))
