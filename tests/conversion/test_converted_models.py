"""What a converted model is: its class, its files, its training, and what is said of it."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_bin
from testing.weights import randomize
from tests.export.custom_layers import around
from tests.export.kinds import BIN, HALF_KINDS, IMAGE
from tests.export.values import arrays, layers_of, predict

BN = layers.BatchNormalization


def classifier(norm=BN, model_class=keras.Model, **arguments):
    inputs = keras.Input(IMAGE, name="image")
    x = layers.Conv2D(4, 3, use_bias=False)(inputs)
    x = layers.ReLU()(norm(name="norm")(x))
    x = layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x))
    return randomize(model_class(inputs, x, name="classifier", **arguments), rho=1.0)


class Own(keras.Model):
    """A class with a method that counts."""

    def train_step(self, data):
        return super().train_step(data)


class OwnBIN(keras_bin.BINModel):
    pass


@pytest.mark.parametrize(
    ("model_class", "expected"),
    [(None, keras_bin.BINModel), (keras.Model, keras.Model), (OwnBIN, OwnBIN), (Own, Own)],
    ids=["default", "keras.Model", "own BINModel", "own Model"],
)
def test_class_is_the_one_that_is_asked_for(model_class, expected):
    converted = keras_bin.convert_batch_normalization(classifier(), model_class=model_class)
    assert isinstance(converted, expected)
    assert isinstance(converted, keras_bin.BINModel) == issubclass(expected, keras_bin.BINModel)
    assert (converted.name, converted.compiled) == ("classifier", False)


def test_class_that_is_lost_is_named():
    with pytest.warns(UserWarning, match="class, Own, became BINModel: its own methods"):
        keras_bin.convert_batch_normalization(classifier(model_class=Own))


@pytest.mark.parametrize(
    ("model_class", "scale"),
    [
        (None, 3.0),
        (OwnBIN, 3.0),
        (functools.partial(keras_bin.BINModel, rho_gradient_scale=7.0), 7.0),
    ],
    ids=["default", "class", "partial"],
)
def test_scale_of_a_bin_model_is_kept_unless_another_is_given(model_class, scale):
    source = classifier(model_class=keras_bin.BINModel, rho_gradient_scale=3.0)
    converted = keras_bin.convert_batch_normalization(source, model_class=model_class)
    assert converted.rho_gradient_scale == scale


@pytest.mark.parametrize(
    "model_class", ["BINModel", lambda *args, name: None], ids=["text", "none"]
)
def test_wrong_model_classes_are_refused(model_class):
    with pytest.raises(TypeError, match=r"`model_class` must .* Received: model_class="):
        keras_bin.convert_batch_normalization(classifier(), model_class=model_class)


def test_nested_bin_model_stays_one():
    inner = classifier(model_class=keras_bin.BINModel, rho_gradient_scale=3.0)
    source = around(inner)
    found = keras_bin.convert_batch_normalization(source).get_layer("classifier")
    assert isinstance(found, keras_bin.BINModel)
    assert found.rho_gradient_scale == 3.0


def test_file_loads_and_goes_on_training(tmp_path):
    converted = keras_bin.convert_batch_normalization(classifier(), rho=0.75)
    converted.compile("adam", "mse")
    x, y = np.random.default_rng(0).normal(size=(8, *IMAGE)), np.zeros((8, 2))
    converted.fit(x, y, verbose=0)
    converted.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), converted.predict(x, verbose=0))
    loaded.fit(x, y, verbose=0)
    assert ops.all(loaded.get_layer("norm").rho != 0.75)


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_dtype_policies_are_kept(kind):
    source = keras_bin.revert_to_batch_normalization(randomize(HALF_KINDS[kind](), rho=1.0))
    converted = keras_bin.convert_batch_normalization(source)
    assert [layer.dtype_policy.name for layer in layers_of(converted, BIN)] == [
        layer.dtype_policy.name for layer in layers_of(source, BN)
    ]
    values = arrays(source, 4)
    for got, expected in zip(predict(converted, values), predict(source, values), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(
            got.astype("float32"), expected.astype("float32"), rtol=0.02, atol=0.02
        )


def test_compiled_source_and_its_optimizer_stay_as_they_are():
    source = classifier()
    source.compile("adam", "mse")
    x, y = np.random.default_rng(0).normal(size=(8, *IMAGE)), np.zeros((8, 2))
    source.fit(x, y, verbose=0)
    expected = source.predict(x, verbose=0)
    keras_bin.convert_batch_normalization(source, rho=0.0)
    assert int(source.optimizer.iterations) == 1
    np.testing.assert_array_equal(source.predict(x, verbose=0), expected)
    source.fit(x, y, verbose=0)


class Doubles(BN):
    """Calls itself something else than it is."""

    def __call__(self, *args, **kwargs):
        return 2 * super().__call__(*args, **kwargs)


def test_subclass_that_is_called_otherwise_is_left():
    source = classifier(Doubles)
    (found,) = keras_bin.conversion_report(source)
    assert found.reason == "it overrides `__call__`"
    with pytest.raises(ValueError, match=r"can be converted.*norm': it overrides `__call__`"):
        keras_bin.convert_batch_normalization(source)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (BN(), TypeError, "must be a keras.Model.*of type BatchNormalization"),
        (keras.Sequential([BN()], name="unbuilt"), ValueError, "unbuilt model 'unbuilt'"),
        (
            keras.Sequential([keras.Input(IMAGE), layers.ReLU()], name="plain"),
            ValueError,
            "must contain a BatchNormalization layer; .*model 'plain', which contains none",
        ),
    ],
    ids=["layer", "unbuilt", "no layer"],
)
def test_wrong_models_are_refused(model, error, match):
    with pytest.raises(error, match=match):
        keras_bin.convert_batch_normalization(model)


def test_text_inputs_cannot_be_compared_and_that_is_said():
    text = keras.Input((1,), dtype="string")
    x = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(text)
    source = keras.Model(text, BN(name="norm")(layers.Reshape((3, 1))(x)))
    with pytest.warns(UserWarning, match="its outputs could not be compared"):
        converted = keras_bin.convert_batch_normalization(source)
    assert len(layers_of(converted, BIN)) == 1


def test_layers_whose_rho_is_not_1_are_not_reverted():
    inputs = keras.Input(IMAGE)
    x = BIN(name="bn", rho_regularizer="l2")(inputs)
    source = randomize(keras_bin.BINModel(inputs, BIN(name="bin")(x)), rho=1.0)
    source.get_layer("bin").rho.assign([1.0, 0.5, 0.99])
    with pytest.warns(UserWarning, match=r"bin': rho is not 1 in 2 of 3 channels$"):
        reverted = keras_bin.revert_to_batch_normalization(source)
    assert isinstance(reverted, keras_bin.BINModel)
    assert [type(reverted.get_layer(name)) for name in ("bn", "bin")] == [BN, BIN]
    np.testing.assert_array_equal(
        reverted.get_layer("bin").rho, np.array([1.0, 0.5, 0.99], "float32")
    )


def test_reverted_model_is_a_plain_model_with_the_weights_of_the_first():
    source = classifier()
    reverted = keras_bin.revert_to_batch_normalization(
        keras_bin.convert_batch_normalization(source)
    )
    assert not isinstance(reverted, keras_bin.BINModel)
    assert reverted.get_config()["layers"][2]["class_name"] == "BatchNormalization"
    for got, expected in zip(reverted.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # of Keras, before the error
@pytest.mark.parametrize("name", ["file.weights.h5", "file.keras"])
def test_weights_of_batch_normalization_say_what_to_call(name, tmp_path):
    source = classifier()
    save = source.save if name.endswith(".keras") else source.save_weights
    save(tmp_path / name)
    with pytest.raises(ValueError, match=r"(?s)call keras_bin\.convert.*0 of 5 weights.*'norm'"):
        classifier(BIN).load_weights(tmp_path / name)


def test_store_of_batch_normalization_says_it_too():
    layer, store = classifier(BIN).get_layer("norm"), {}
    classifier().get_layer("norm").save_own_variables(store)
    with pytest.raises(ValueError, match=r"call keras_bin\.convert.*4 of 5 weights"):
        layer.load_own_variables(store)


def test_model_that_rounds_a_lot_on_other_inputs_is_compared_on_inputs_that_suit_it():
    inputs = keras.Input(IMAGE)
    source = keras.Model(inputs, ops.sin(BN(epsilon=1e-13, name="norm")(inputs)))
    source.get_layer("norm").gamma.assign([0.9, 1.0, 1.1])
    source.get_layer("norm").moving_variance.assign(np.full(3, 1e-12))  # others are 1e6 away
    assert len(layers_of(keras_bin.convert_batch_normalization(source), BIN)) == 1


class NeedsSquareOf48(layers.Layer):
    """Runs at one size only, on values and on shapes alike."""

    def call(self, inputs):
        if inputs.shape[1] not in (None, 48):
            raise ValueError
        return inputs


@pytest.mark.lacking("torch", reason="there, Keras finds output shapes by calls at other sizes")
def test_model_that_runs_at_few_sizes_is_compared_at_one_of_them():
    inputs = keras.Input((None, None, 3))
    source = randomize(keras.Model(inputs, BN()(NeedsSquareOf48()(inputs))))
    assert len(layers_of(keras_bin.convert_batch_normalization(source), BIN)) == 1
