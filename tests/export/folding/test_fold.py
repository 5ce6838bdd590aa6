"""Folding keeps what a model computes, its names and its structure, and leaves the model alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_bin
from keras_bin.export import fold
from keras_bin.keras_internals import all_layers, call_count
from testing import reference
from testing.weights import randomize
from tests.export.custom_layers import Branch, HoldsRectified, Rectified, around
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, bin_model, classifier
from tests.export.values import arrays, layers_of, predict, snapshot

Folded = keras_bin.FoldedBatchInstanceNormalization
# Both models compute in float32 on values up to about 10 and differ in the rounding of a few
# operations, 1e-6 each; a wrong weight or statistic shows in the first digit.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def assert_same_outputs(got, expected, tolerance=CLOSE):
    assert [y.shape for y in got] == [y.shape for y in expected]
    assert [y.dtype for y in got] == [y.dtype for y in expected]
    for own, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(own, theirs, **tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_folded_model_computes_what_its_source_computes(kind):
    model = KINDS[kind]()
    folded = fold(model)
    for batch, size in ((1, 10), (3, 13)):
        if model.inputs[0].shape[0] in (None, batch):
            values = arrays(model, batch, size)
            assert_same_outputs(predict(folded, values), predict(model, values))


def test_fixed_batch_size_becomes_free():
    model = KINDS["fixed_batch"]()
    folded = fold(model)
    values = arrays(model, 4)
    expected = predict(model, values)
    assert folded.input_shape == (None, *IMAGE)
    assert_same_outputs(predict(folded, values), expected)
    assert_same_outputs(predict(folded, [values[0][:1]]), [expected[0][:1]])


@pytest.mark.parametrize("rho", [0.0, 1.0, 0.3, None], ids=["zero", "one", "between", "all"])
@pytest.mark.parametrize("axis", [-1, 1], ids=["channels last", "channels first"])
def test_folded_layer_is_the_formula_in_numpy(axis, rho):
    model = bin_model(rho, axis=axis, epsilon=0.01)
    weights = reference.Weights(*(np.array(w) for w in model.get_layer("bin").weights))
    (x,) = arrays(model, 3)
    expected = reference.forward(x, weights, axis, 0.01, training=False)
    # float32 against float64, values up to 10.
    np.testing.assert_allclose(predict(fold(model), [x])[0], expected, rtol=1e-5, atol=1e-5)


def test_precision_survives_a_mean_far_from_zero():
    """At mean 1000 and deviation 1, `x * a + c` in float32 would be off by 1e-4."""
    model = bin_model(0.5)
    model.get_layer("bin").moving_mean.assign([1000.0, 990.0, 1010.0])
    model.get_layer("bin").moving_variance.assign([1.0, 1.0, 1.0])
    x = np.random.default_rng(0).normal(1000, 1, (2, *IMAGE)).astype("float32")
    weights = reference.Weights(*(np.array(w) for w in model.get_layer("bin").weights))
    expected = reference.forward(x, weights, training=False)
    # The mean of the sample has an error of 1e-7 of 1000 in float32.
    np.testing.assert_allclose(predict(fold(model), [x])[0], expected, rtol=0, atol=3e-4)


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_model_becomes_the_float32_one_of_its_weights(kind):
    model = HALF_KINDS[kind]()
    twin = {"mixed_float16_sequential": "sequential", "mixed_float16_wrapped_layers": "recurrent"}
    twin = KINDS[twin.get(kind, "functional")]()
    twin.set_weights(model.get_weights())
    folded = fold(model)
    computed = {layer.compute_dtype for layer in all_layers(folded)}
    assert computed == {"float32"}
    values = arrays(model, 3)
    assert_same_outputs(predict(folded, values), predict(twin, values))


@pytest.mark.parametrize(
    "policy",
    ["mixed_float16", "float16", keras.dtype_policies.DTypePolicyMap("mixed_bfloat16")],
    ids=["mixed", "pure", "map"],
)
def test_layer_with_a_half_precision_policy_of_its_own_becomes_float32(policy):
    inputs = keras.Input((7, 4))
    x = layers.MultiHeadAttention(2, 3, dtype=policy)(inputs, inputs)
    folded = fold(keras.Model(inputs, BIN()(x)))
    assert {layer.compute_dtype for layer in all_layers(folded)} == {"float32"}


def test_layers_that_a_layer_makes_become_float32_whatever_the_default_policy():
    keras.config.set_dtype_policy("mixed_float16")
    inputs = keras.Input(IMAGE)
    folded = fold(keras.Model(inputs, Branch()(inputs)))
    assert {layer.compute_dtype for layer in all_layers(folded)} == {"float32"}


def test_half_precision_leaves_the_default_policy():
    keras.config.set_dtype_policy("mixed_float16")
    model = classifier()
    fold(model)
    assert keras.config.dtype_policy().name == "mixed_float16"
    model.get_layer("bin1").rho.assign(np.full(4, np.nan))
    with pytest.raises(ValueError, match="bin1"):
        fold(model)
    assert keras.config.dtype_policy().name == "mixed_float16"


@pytest.mark.parametrize("kind", ["lists", "dicts", "list_of_one", "binmodel", "shared_model"])
def test_names_and_structure_are_those_of_the_source(kind):
    model = KINDS[kind]()
    folded = fold(model)
    assert folded.name == model.name
    assert not folded.compiled
    assert [x.name for x in folded.inputs] == [x.name for x in model.inputs]
    assert folded.output_names == model.output_names
    names = [
        [layer.name for layer in all_layers(each) if not isinstance(layer, layers.InputLayer)]
        for each in (folded, model)
    ]
    assert names[0] == names[1]
    for own, theirs in ((folded.input, model.input), (folded.output, model.output)):
        keras.tree.assert_same_structure(own, theirs)
        shapes = [[x.shape for x in keras.tree.flatten(tensors)] for tensors in (own, theirs)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("kind", ["functional", "nested_twice", "shared_model", "sequential"])
def test_no_bin_layer_is_left(kind):
    model = KINDS[kind]()
    folded = fold(model)
    assert not layers_of(folded, BIN)
    assert len(layers_of(folded, Folded)) == len(layers_of(model, BIN)) > 0


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (bin_model, ["scale", "offset", "instance_scale", "mean"]),
        (lambda: bin_model(0.0), ["offset", "instance_scale", "mean"]),
        (lambda: bin_model(1.0), ["scale", "offset"]),
        (lambda: randomize(classifier()), ["scale", "offset", "instance_scale"] * 2),
    ],
    ids=["mixed", "zero", "one", "after convolutions"],
)
def test_folded_layers_hold_constants_and_nothing_to_train(make, names):
    folded = layers_of(fold(make()), Folded)
    assert [w.path.rsplit("/", 1)[1] for layer in folded for w in layer.weights] == names
    assert not any(layer.trainable_weights for layer in folded)


def test_layer_whose_rho_is_all_one_is_an_affine_map_without_statistics():
    model = bin_model(1.0)
    folded = fold(model)
    layer = folded.get_layer("bin")
    assert [w.name for w in layer.weights] == ["scale", "offset"]
    x = tf.zeros((1, *IMAGE))
    graph = tf.function(layer.call).get_concrete_function(x).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert not operations & {"Mean", "Sum", "Rsqrt", "SquaredDifference", "Square"}
    assert {"Mul", "AddV2"} <= operations


def test_shared_layer_stays_shared():
    model = KINDS["shared_layer"]()
    folded = fold(model)
    (layer,) = layers_of(folded, Folded)
    assert call_count(layer) == 2
    layer.scale.assign(layer.scale * 3)
    layer.instance_scale.assign(layer.instance_scale * 3)
    layer.offset.assign(layer.offset * 3)
    (source,) = layers_of(model, BIN)
    source.gamma.assign(source.gamma * 3)
    source.beta.assign(source.beta * 3)
    values = arrays(model, 3)
    assert_same_outputs(predict(folded, values), predict(model, values))


def test_shared_model_stays_shared():
    folded = fold(KINDS["shared_model"]())
    inner = [layer for layer in folded.layers if isinstance(layer, keras.Model)]
    assert len(inner) == 1
    # Kernel and bias; the mean of the normalization is in the bias.
    assert len(folded.weights) == len(inner[0].weights) == 2 + 3


def test_layer_shared_across_models_stays_shared():
    folded = fold(KINDS["shared_across_models"]())
    (layer,) = layers_of(folded, Folded)
    (conv,) = layers_of(folded, layers.Conv2D)
    assert {w.path for w in folded.weights} == {w.path for w in [*layer.weights, *conv.weights]}
    assert call_count(layer) == call_count(conv) == 2


def test_rho_outside_the_unit_interval_is_clipped():
    model, clipped = bin_model(), bin_model()
    model.get_layer("bin").rho.assign([-0.5, 1.5, 0.5])
    clipped.get_layer("bin").rho.assign([0.0, 1.0, 0.5])
    (x,) = arrays(model, 3)
    assert_same_outputs(predict(fold(model), [x]), predict(clipped, [x]))
    np.testing.assert_array_equal(model.get_layer("bin").rho, [-0.5, 1.5, 0.5])


def test_bin_layer_inside_a_wrapper_is_folded_with_rho_clipped():
    model, clipped = KINDS["time_distributed"](), KINDS["time_distributed"]()
    layers_of(model, BIN)[0].rho.assign([-0.5, 1.5, 0.5])
    layers_of(clipped, BIN)[0].rho.assign([0.0, 1.0, 0.5])
    values = arrays(model, 3)
    folded = fold(model)
    assert_same_outputs(predict(folded, values), predict(clipped, values))
    assert not layers_of(folded, BIN)
    assert len(layers_of(folded, Folded)) == len(layers_of(model, BIN)) == 1


def test_bin_layer_that_is_only_copied_has_rho_clipped():
    model, clipped = around(HoldsRectified()), around(HoldsRectified())
    layers_of(model, Rectified)[0].rho.assign([-0.5, 1.5, 0.5])
    layers_of(clipped, Rectified)[0].rho.assign([0.0, 1.0, 0.5])
    values = arrays(model, 3)
    folded = fold(model)
    assert_same_outputs(predict(folded, values), predict(clipped, values))
    assert layers_of(folded, Rectified)[0] is not layers_of(model, Rectified)[0]


def test_fold_of_a_folded_model_is_the_same_model():
    model = KINDS["nested_twice"]()
    once = fold(model)
    twice = fold(once)
    values = arrays(model, 3)
    assert len(layers_of(twice, Folded)) == 3
    # The same constants go through the same operations.
    assert_same_outputs(predict(twice, values), predict(once, values), {"rtol": 0, "atol": 0})


@pytest.mark.parametrize("kind", ["functional", "nested_twice", "masked", "dicts", "sequential"])
def test_folded_model_saves_and_loads(kind, tmp_path):
    model = KINDS[kind]()
    folded = fold(model)
    folded.save(tmp_path / "folded.keras")
    loaded = keras.saving.load_model(tmp_path / "folded.keras")
    values = arrays(model, 3)
    # The same constants go through the same operations.
    assert_same_outputs(predict(loaded, values), predict(folded, values), {"rtol": 0, "atol": 0})


@pytest.mark.parametrize("kind", ["functional", "nested_twice", "operations", "shared_layer"])
def test_source_model_is_untouched(kind):
    model = KINDS[kind]()
    model.compile("adam", "mse")
    before, config = snapshot(model), model.get_config()
    calls = list(map(call_count, model.operations))
    optimizer, variables = model.optimizer, model.optimizer.get_config()
    folded = fold(model)
    for weight in folded.weights:
        weight.assign(weight * 0 + 7)
    assert model.get_config() == config
    assert list(map(call_count, model.operations)) == calls
    assert model.compiled
    assert model.optimizer is optimizer
    assert model.optimizer.get_config() == variables
    assert snapshot(model).keys() == before.keys()
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_source_trains_on_after_folding():
    model = randomize(classifier(rho_gradient_scale=10.0))
    model.compile("sgd", "mse")
    fold(model)
    before = snapshot(model)
    model.train_on_batch(arrays(model, 4)[0], np.ones((4, 2), "float32"))
    after = snapshot(model)
    # A constant added before a normalization changes nothing, so has no gradient.
    trained = before.keys() - {"conv1/bias", "conv2/bias"}
    assert all(np.any(before[path] != after[path]) for path in trained)
