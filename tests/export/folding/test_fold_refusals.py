"""Models that cannot be folded are refused with their reason, and left alone."""

from fractions import Fraction

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export import fold
from keras_bin.keras_internals import call_count
from testing.weights import randomize
from tests.export.custom_layers import (
    Branch,
    Doubled,
    DoubledBIN,
    HoldsRectified,
    Rectified,
    around,
)
from tests.export.kinds import BIN, IMAGE, classifier
from tests.export.values import arrays, layers_of, predict, snapshot


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.bin = BIN()

    def call(self, inputs):
        return self.bin(inputs)


def assert_folds_right_or_refuses(model, match):
    """A refused case beats a wrong model, and so does a right one."""
    values = arrays(model, 3)
    expected = predict(model, values)
    try:
        got = predict(fold(model), values)
    except ValueError as error:
        assert match in str(error)  # noqa: PT017
    else:
        for own, theirs in zip(got, expected, strict=True):
            # float32 rounding of values up to 10.
            np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "thing", [None, "model.keras", BIN(), keras.Model], ids=["None", "path", "layer", "class"]
)
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(TypeError, match=r"must be a keras.Model; load a file with") as caught:
        fold(thing)
    assert repr(thing) in str(caught.value)


@pytest.mark.parametrize(
    "make", [Subclassed, lambda: keras.Sequential([BIN()], name="bare")], ids=["own", "sequential"]
)
def test_unbuilt_model_is_refused(make):
    model = make()
    with pytest.raises(ValueError, match=f"must be built.*unbuilt model '{model.name}'"):
        fold(model)


class TwoInputs(Subclassed):
    def call(self, inputs, other):
        return self.bin(inputs) + other


def test_subclassed_model_of_two_inputs_is_refused():
    model = TwoInputs()
    model(np.zeros((1, *IMAGE), "float32"), np.zeros((1, *IMAGE), "float32"))
    with pytest.raises(ValueError, match=r"must be Functional or Sequential.*type TwoInputs"):
        fold(model)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Doubled, "Doubled"),
        (DoubledBIN, "DoubledBIN"),
        (lambda: around(Doubled()), "Doubled"),
        (lambda: around(Rectified()), "Rectified"),
    ],
    ids=["model", "BINModel", "nested model", "BIN layer"],
)
def test_subclass_with_a_call_of_its_own_is_not_folded_without_it(make, name):
    assert_folds_right_or_refuses(randomize(make()), f"type {name}")


def test_sequential_with_a_call_of_its_own_is_not_folded_without_it():
    class DoubledSequential(keras.Sequential):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training=training, mask=mask)

    model = DoubledSequential([keras.Input(IMAGE), BIN()])
    assert_folds_right_or_refuses(randomize(model), "type DoubledSequential")


@pytest.mark.parametrize("name", ["gamma", "beta", "rho", "moving_mean", "moving_variance"])
def test_weight_that_is_not_finite_is_refused_with_the_path_of_its_layer(name):
    inner = classifier()
    getattr(inner.get_layer("bin2"), name).assign(np.full(5, np.nan))
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, inner(inputs))
    path = inner.get_layer("bin2").path
    with pytest.raises(ValueError, match=rf"'{path}' cannot be folded. `{name}`.*nan"):
        fold(model)


def test_negative_variance_is_refused_with_the_path_of_its_layer():
    model = classifier()
    model.get_layer("bin1").moving_variance.assign([1, 1, -0.25, 1])
    with pytest.raises(ValueError, match=r"'bin1' cannot be folded. `moving_variance`.*-0.25"):
        fold(model)


def test_nan_inside_a_wrapper_is_refused():
    inputs = keras.Input((3, *IMAGE))
    wrapper = layers.TimeDistributed(BIN(name="inner"))
    model = keras.Model(inputs, wrapper(inputs))
    wrapper.layer.rho.assign([0, np.nan, 1])
    with pytest.raises(ValueError, match=r"inner' cannot be folded. `rho` must be.*rho=\[ *0. nan"):
        fold(model)


def test_nan_in_a_layer_that_is_only_copied_is_refused():
    model = around(HoldsRectified())
    (rectified,) = layers_of(model, Rectified)
    rectified.rho.assign([0, np.nan, 1])
    with pytest.raises(ValueError, match=r"`rho` must be finite.*holds_rectified.*/rho=\[ *0. nan"):
        fold(model)


class Scaled(layers.Layer):
    def __init__(self, factor):
        super().__init__(name="scaled")
        self.factor = factor

    def call(self, inputs):
        return inputs * float(self.factor)


class Forgetful(Scaled):
    def get_config(self):
        return {"name": self.name}


def doubled(x):
    return 2 * x


def identity(shape, dtype):
    return np.eye(3)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Forgetful(3.0),
        lambda: Scaled(Fraction(3, 2)),
        lambda: layers.Dense(3, activation=doubled, name="scaled"),
        lambda: layers.Dense(3, kernel_initializer=identity, name="scaled"),
    ],
    ids=["config that lacks something", "unwritable argument", "own activation", "own initializer"],
)
@pytest.mark.parametrize("normalization", [BIN, layers.BatchNormalization])
def test_layer_that_its_config_cannot_rebuild_is_copied_as_it_is(layer, normalization):
    model = around(layer(), normalization())
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(fold(model), values), predict(model, values), rtol=1e-5, atol=1e-5
    )


def test_layer_that_its_config_cannot_give_a_bias_is_refused_by_name():
    own = layers.Dense(3, use_bias=False, kernel_initializer=identity, name="own")
    model = around(own, layers.BatchNormalization())
    with pytest.raises(ValueError, match=r"(?s)give it `use_bias=True`.*'own' of type Dense"):
        fold(model)


def test_layer_whose_constructor_takes_no_name_is_folded_around():
    inputs = keras.Input(IMAGE)
    model = randomize(keras.Model(inputs, BIN()(Scaled(3.0)(inputs))))
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(fold(model), values)[0], predict(model, values)[0], rtol=1e-5, atol=1e-5
    )


def test_layer_without_a_config_of_its_own_keeps_its_name():
    model = around(Branch())
    assert fold(model).output_names == model.output_names


def test_adapted_lookup_is_not_folded_without_its_vocabulary():
    lookup = layers.IntegerLookup(max_tokens=6)
    lookup.adapt(np.array([1, 0, 1, 5]))
    inputs = keras.Input((6,), dtype="int64")
    model = keras.Model(inputs, BIN()(layers.Embedding(10, 3)(lookup(inputs))))
    assert_folds_right_or_refuses(randomize(model), lookup.name)


@pytest.mark.parametrize("breaks", ["first layer", "last layer"])
def test_source_is_untouched_when_folding_fails(breaks):
    model = randomize(classifier())
    model.compile("sgd", "mse")
    bad = {"first layer": "bin1", "last layer": "bin2"}[breaks]
    model.get_layer(bad).rho.assign(np.full_like(model.get_layer(bad).rho, np.nan))
    before, config = snapshot(model), model.get_config()
    calls = list(map(call_count, model.layers))
    with pytest.raises(ValueError, match=bad):
        fold(model)
    assert model.get_config() == config
    assert model.compiled
    assert list(map(call_count, model.layers)) == calls
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


class NoBias(layers.Conv2D):
    """A convolution whose constructor takes no bias, whatever its config says."""

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(filters, kernel_size, **{**kwargs, "use_bias": False})


@pytest.mark.parametrize("normalization", [BIN, layers.BatchNormalization])
def test_convolution_that_takes_no_bias_is_folded_around(normalization):
    model = around(NoBias(4, 3), normalization())
    values = arrays(model, 3)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(fold(model), values)[0], predict(model, values)[0], rtol=1e-5, atol=1e-5
    )
