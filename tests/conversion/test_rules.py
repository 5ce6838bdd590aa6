"""Which layers are converted, and what is said of the others."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_bin
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE
from tests.export.values import layers_of

BN = layers.BatchNormalization
SYNCHRONIZED = pytest.mark.lacking(
    "jax", "torch", reason="Keras synchronizes batch normalization on TensorFlow only"
)


def net(norm, shape=IMAGE):
    """A model of a normalization layer, and of one that can always be converted."""
    inputs, image = keras.Input(shape), keras.Input(IMAGE)
    return randomize(keras.Model([inputs, image], [norm(inputs), BN(name="plain")(image)]))


def conversion_of(norm, shape=IMAGE):
    report = keras_bin.conversion_report(net(norm, shape))
    (found,) = [each for each in report if each.layer != "plain"]
    return found


class Rectified(BN):
    def call(self, inputs, training=None, mask=None):
        return ops.relu(super().call(inputs, training=training, mask=mask))


class OwnMoments(BN):
    def _moments(self, inputs, mask):
        return super()._moments(2 * inputs, mask)


class OwnDefaults(BN):
    """Only its constructor and its config differ."""

    def __init__(self, epsilon=0.1, **kwargs):
        super().__init__(epsilon=epsilon, **kwargs)

    def get_config(self):
        return super().get_config()


class Mixin:
    def compute_mask(self, inputs, mask=None):
        return None


class Mixed(Mixin, BN):
    pass


class Behind(layers.Layer):
    def compute_mask(self, inputs, mask=None):
        return None


class MixedBehind(BN, Behind):
    pass


def patched():
    norm = BN(name="norm")
    norm.call = lambda inputs, training=None, mask=None: 2 * inputs
    return norm


@pytest.mark.parametrize(
    ("make", "shape", "reason"),
    [
        (lambda: BN(name="norm"), (4,), "its inputs have no spatial axis"),
        pytest.param(
            lambda: BN(renorm=True),
            IMAGE,
            "batch renormalization (`renorm=True`) has no",
            marks=pytest.mark.skipif(
                "renorm" not in inspect.signature(BN).parameters, reason="this Keras has no renorm"
            ),
        ),
        (Rectified, IMAGE, "it overrides `call`"),
        (OwnMoments, IMAGE, "it overrides `_moments`"),
        (Mixed, IMAGE, "it overrides `compute_mask`"),
        (MixedBehind, IMAGE, "it overrides `compute_mask`"),
        (patched, IMAGE, "it overrides `call`"),
        (lambda: BN(epsilon=0.0), IMAGE, "does not accept its arguments: `epsilon` must be"),
        (lambda: BN(momentum=1.5), IMAGE, "does not accept its arguments: `momentum` must be"),
    ],
    ids=["Dense", "renorm", "call", "moments", "mixin", "behind", "patched", "epsilon", "momentum"],
)
def test_layer_is_left_with_the_reason(make, shape, reason):
    found = conversion_of(make(), shape)
    assert found.became == "left"
    assert reason in found.reason
    model = net(make(), shape)
    with pytest.warns(UserWarning, match="These layers were left as they are: ") as warned:
        converted = keras_bin.convert_batch_normalization(model)
    assert reason in str(warned[0].message)
    assert len(layers_of(converted, BIN)) == 1


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (OwnDefaults, IMAGE),
        pytest.param(lambda: BN(synchronized=True), IMAGE, marks=SYNCHRONIZED),
        (lambda: BN(axis=1), (3, 8, 6)),
        (BN, (5, 4)),
        (BN, (1, 1, 4)),
        (lambda: BN(axis=2), (2, 3, 4, 5)),
    ],
    ids=["subclass", "synchronized", "channels first", "rank 3", "one pixel", "inner axis"],
)
def test_layer_is_converted(make, shape):
    assert conversion_of(make(), shape).became == "converted"


def test_channels_on_the_batch_axis_are_left():
    inputs, image = keras.Input(batch_shape=(3, 8, 6)), keras.Input(IMAGE)
    model = keras.Model([inputs, image], [BN(axis=0)(inputs), BN()(image)])
    (found,) = [each for each in keras_bin.conversion_report(model) if each.reason]
    assert found.reason == "its channels are on the batch axis"


def everything(name="norm"):
    return BN(
        axis=1,
        momentum=0.7,
        epsilon=0.02,
        beta_initializer="normal",
        gamma_initializer=keras.initializers.Constant(0.5),
        moving_mean_initializer="ones",
        moving_variance_initializer=keras.initializers.Constant(2),
        beta_regularizer=keras.regularizers.L2(0.1),
        gamma_regularizer="l1",
        beta_constraint=keras.constraints.MaxNorm(3.0),
        gamma_constraint="non_neg",
        synchronized=True,
        dtype="mixed_float16",
        name=name,
    )


@SYNCHRONIZED
def test_all_arguments_and_weights_are_carried_over():
    inputs = keras.Input((4, 5, 6))
    source = randomize(keras.Model(inputs, everything()(inputs)))
    old = source.get_layer("norm")
    new = keras_bin.convert_batch_normalization(source).get_layer("norm")
    theirs, ours = old.get_config(), new.get_config()
    left_out = {"renorm", "renorm_clipping", "renorm_momentum"}
    assert {key: ours[key] for key in theirs.keys() - left_out} == {
        key: theirs[key] for key in theirs.keys() - left_out
    }
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
        assert getattr(new, name).constraint is getattr(old, name).constraint
        assert getattr(new, name).regularizer is getattr(old, name).regularizer
    np.testing.assert_array_equal(new.rho, np.ones(4))


@pytest.mark.parametrize("center", [True, False], ids=["beta", "no beta"])
@pytest.mark.parametrize("scale", [True, False], ids=["gamma", "no gamma"])
def test_center_and_scale_are_kept(center, scale):
    source = randomize(keras.Sequential([keras.Input(IMAGE), BN(center=center, scale=scale)]))
    (layer,) = layers_of(keras_bin.convert_batch_normalization(source), BIN)
    assert (layer.beta is not None, layer.gamma is not None) == (center, scale)


def test_frozen_layers_and_single_weights_stay_frozen():
    first, inner, last = BN(name="first"), layers.Dense(3, name="inner"), BN(name="last")
    nested = keras.Sequential([keras.Input(IMAGE), inner], name="nested")
    source = keras.Sequential([keras.Input(IMAGE), first, nested, last])
    first.gamma.trainable = False
    nested.trainable = False
    inner.trainable = True
    last.trainable = False
    converted = keras_bin.convert_batch_normalization(source)
    assert [converted.get_layer(name).trainable for name in ("first", "nested", "last")] == [
        *(True, False, False)
    ]
    assert converted.get_layer("nested").get_layer("inner").trainable
    assert isinstance(converted.get_layer("nested"), keras.Sequential)
    trained = [(w.path.split("/")[-2], w.name) for w in converted.trainable_weights]
    assert [each for each in trained if each != ("first", "rho")] == [
        (weight.path.split("/")[-2], weight.name) for weight in source.trainable_weights
    ]
    assert ("first", "rho") in trained


def test_frozen_model_stays_frozen():
    source = keras.Sequential([keras.Input(IMAGE), BN()])
    source.trainable = False
    converted = keras_bin.convert_batch_normalization(source)
    assert not converted.trainable
    assert not converted.trainable_weights
    converted.trainable = True
    assert len(converted.trainable_weights) == 3


def test_many_layers_that_are_left_are_named_in_part():
    norms = [BN(name=f"norm{i}") for i in range(10)]
    model = keras.Sequential([keras.Input((4,)), *norms])
    message = r"norm0', .*norm7' and 2 more: its inputs have no spatial axis$"
    with pytest.raises(ValueError, match=message):
        keras_bin.convert_batch_normalization(model)
