"""What the copies of layers keep, so that a converted model goes on as its source would."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_bin
from keras_bin.keras_internals import tracker_of
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE
from tests.export.values import arrays, layers_of, predict

BN = layers.BatchNormalization


def converted(model, left=False):
    """Converts, and checks that outputs are the same while every weight of the source is NaN."""
    values = arrays(model, 4)
    expected = predict(model, values)
    if left:
        with pytest.warns(UserWarning, match="does more than call it"):
            new = keras_bin.convert_batch_normalization(model)
    else:
        new = keras_bin.convert_batch_normalization(model)
    with keras.StatelessScope(
        state_mapping=[
            (variable, ops.full(variable.shape, np.nan, variable.dtype))
            for variable in model.variables
            if "float" in variable.dtype
        ]
    ):
        got = predict(new, values)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    return new


@pytest.mark.parametrize("before", [False, True], ids=["after its layer", "before its layer"])
def test_weight_that_an_operation_uses_is_that_of_the_copy(before):
    dense, inputs = layers.Dense(3, name="dense"), keras.Input(IMAGE)
    dense.build((None, *IMAGE))
    x = inputs * dense.kernel[0] if before else inputs
    x = BN()(dense(x)) * ops.multiply(dense.bias, 2.0)
    new = converted(randomize(keras.Model(inputs, x)))
    new.get_layer("dense").bias.assign([0.0, 0.0, 0.0])
    (outputs,) = predict(new, arrays(new, 2))
    assert not outputs.any()


def test_adapters_go_on_learning():
    dense, inputs = layers.Dense(4, name="dense"), keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BN()(dense(inputs))))
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    copy = converted(model).get_layer("dense")
    for theirs, ours in zip(dense.variables, copy.variables, strict=True):
        assert theirs.name == ours.name
        np.testing.assert_array_equal(ours, theirs)
    assert [weight.name for weight in copy.trainable_weights] == [
        weight.name for weight in dense.trainable_weights
    ]


@keras.saving.register_keras_serializable("tests", "gelu")
def gelu(x):
    """Has the name of a function of Keras."""
    return keras.activations.gelu(x, approximate=True)


def test_functions_with_names_of_keras_stay_the_users():
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(3, 3, activation=gelu, name="conv")(inputs)
    x = layers.TimeDistributed(layers.Dense(2, activation=gelu), name="wrapper")(x)
    new = converted(randomize(keras.Model(inputs, BN()(x))))
    assert new.get_layer("conv").activation is gelu
    assert new.get_layer("wrapper").layer.activation is gelu


def test_switches_that_were_set_later_are_kept():
    inputs = keras.Input((9,), dtype="int32")
    conv = layers.Conv1D(4, 3, padding="same", name="conv")
    conv.supports_masking = True
    x = conv(layers.Embedding(4, 3, mask_zero=True)(inputs))
    assert converted(randomize(keras.Model(inputs, BN()(x)))).get_layer("conv").supports_masking


def test_states_of_recurrent_layers_are_kept():
    inputs = keras.Input(batch_shape=(4, 5, 3))
    gru = layers.GRU(3, stateful=True, return_sequences=True, name="gru")
    model = randomize(keras.Model(inputs, BN()(gru(inputs))))
    model(np.ones((4, 5, 3), "float32"))
    new = keras_bin.convert_batch_normalization(model)
    np.testing.assert_array_equal(new.get_layer("gru").states[0], gru.states[0])
    assert ops.any(gru.states[0] != 0)


class Frozen(layers.Layer):
    """Keeps batch normalization in inference mode, but no other layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = BN(name="norm")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs, training=None):
        if isinstance(self.norm, BN):
            return self.norm(inputs, training=False)
        return self.norm(inputs, training=training)


def test_layers_that_would_train_otherwise_are_left():
    new = converted(around(Frozen(), BN(name="outer")), left=True)
    assert [layer.name for layer in layers_of(new, BIN)] == ["outer"]


def test_function_of_an_operation_over_a_layer_is_refused():
    dense, inputs = layers.Dense(3), keras.Input((4, 3))
    x = ops.map(lambda row: dense(row), dense(BN()(inputs)))
    with pytest.raises(ValueError, match="uses the weights of"):
        keras_bin.convert_batch_normalization(randomize(keras.Model(inputs, x)))


class Inference(keras.Model):
    """A Functional model that is always in inference mode."""

    def __call__(self, *args, **kwargs):
        return super().__call__(*args, **{**kwargs, "training": False})


def nested(model_class):
    inputs = keras.Input(IMAGE)
    return model_class(inputs, BN(name="norm")(inputs))


def test_nested_models_that_are_called_otherwise_stay_so():
    new = converted(around(nested(Inference)))
    assert type(new.layers[-1]).__call__ is Inference.__call__
    values = arrays(new, 4)
    trained = new(values[0], training=True)
    np.testing.assert_allclose(trained, predict(new, values)[0], rtol=1e-5, atol=1e-5)


def test_call_that_was_set_on_a_model_over_its_old_one_is_refused():
    inner = nested(keras.Model)
    old = inner.call
    inner.call = lambda inputs, training=None, mask=None: old(inputs, training=False, mask=mask)
    with pytest.raises(ValueError, match="uses the weights of"):
        keras_bin.convert_batch_normalization(around(inner))


class OnlyInTraining(layers.Layer):
    """Reaches another layer through a function, and in training only."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.norm = layers.Dense(3), BN()
        self.function = lambda inputs: self.dense(inputs)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.norm.build(input_shape)

    def call(self, inputs, training=None):
        return self.norm(self.function(inputs) if training else inputs, training=training)


def test_weights_that_are_reached_in_training_alone_are_found():
    with pytest.raises(ValueError, match=r"in training mode.*uses the weights of"):
        keras_bin.convert_batch_normalization(around(OnlyInTraining()))


class Compiled(layers.Layer):
    """Calls its layer in a `tf.function` that it holds, in a dict."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = BN()
        self.functions = {"norm": tf.function(self.normalize)}

    def build(self, input_shape):
        self.norm.build(input_shape)

    def normalize(self, inputs, training):
        return self.norm(inputs, training=training)

    def call(self, inputs, training=None):
        return self.functions["norm"](inputs, bool(training))


class HelpedInTraining(layers.Layer):
    """Calls one of its layers in training only."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm, self.help = BN(), layers.Dense(3, name="help")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs, training=None):
        x = self.norm(inputs, training=training)
        return x + self.help(x) if training else x


def test_layers_that_only_training_reaches_are_not_built_for_a_comparison():
    model = around(HelpedInTraining())
    with pytest.warns(UserWarning, match=r"in inference mode only, .* not built: '.*help'\."):
        keras_bin.convert_batch_normalization(model)
    assert not model.layers[-1].help.built


@pytest.mark.tensorflow
def test_functions_of_tensorflow_are_copied():
    assert len(layers_of(converted(around(Compiled())), BIN)) == 1


@pytest.mark.tensorflow
def test_traces_of_the_source_move_none_of_its_statistics():
    model = around(Compiled())
    (norm,) = layers_of(model, BN)
    model(arrays(model, 4)[0], training=True)
    before = [np.array(norm.moving_mean), np.array(norm.moving_variance)]
    new = converted(model)
    for weight, value in zip((norm.moving_mean, norm.moving_variance), before, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert not tf.config.functions_run_eagerly()
    assert len(layers_of(new, BIN)) == 1


def test_layers_that_share_a_weight_are_left():
    first, second, inputs = BN(name="first"), BN(name="second"), keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BN(name="third")(second(first(inputs)))))
    tracker_of(second).unlock()
    second.gamma = first.gamma
    with pytest.warns(UserWarning, match="are: 'first', 'second': it shares a weight"):
        new = keras_bin.convert_batch_normalization(model)
    assert [layer.name for layer in layers_of(new, BIN)] == ["third"]
    assert new.get_layer("first").gamma is new.get_layer("second").gamma


class Pair(keras.Model):
    """Trains with an optimizer of its own."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def compile(self, own_optimizer, **kwargs):
        super().compile(**kwargs)
        self.own_optimizer = own_optimizer

    def call(self, inputs):
        return self.second(self.first(inputs))


def test_optimizers_of_a_model_are_left_behind():
    pair = Pair(nested(keras.Model), nested(keras.Model))
    pair(np.zeros((2, *IMAGE)))
    pair.compile(keras.optimizers.Adam())
    pair.own_optimizer.build(pair.first.trainable_variables)
    new = keras_bin.convert_batch_normalization(pair)
    assert new.own_optimizer is None
    assert len(layers_of(new, BIN)) == 2
