"""BINModel.from_model: made of models of every kind, over the same layers."""

import keras
import numpy as np
import pytest

import keras_bin
from tests.test_unscaled import Outer, said
from tests.training.test_loops import LOSS, tiny_batch, tiny_model

FROM = keras_bin.BINModel.from_model
BIN = keras_bin.BatchInstanceNormalization


def called(model):
    model(tiny_batch()[0])
    return model


def functional():
    model = tiny_model()
    return keras.Model(model.input, model.output, name="net")


def in_dicts():
    image, number = keras.Input((2, 2, 2), name="image"), keras.Input((3,), name="number")
    x = keras.layers.Flatten()(BIN()(image))
    total = keras.layers.Concatenate()([x, number])
    return keras.Model({"image": image, "number": number}, {"x": x, "total": total}, name="net")


KINDS = {
    "Functional": functional,
    "Sequential": lambda: keras.Sequential(functional().layers, name="net"),
    "Sequential that data built": lambda: called(
        keras.Sequential([BIN(), keras.layers.Flatten(), keras.layers.Dense(3)], name="net")
    ),
    "nested": lambda: keras.Sequential([keras.Input((2, 2, 2)), tiny_model()], name="net"),
    "subclass": lambda: called(Outer(functional())),
    "BINModel": tiny_model,
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_the_same_over_the_same_layers(kind):
    model = KINDS[kind]()
    made = FROM(model)
    assert isinstance(made, keras_bin.BINModel)
    assert (made.name, made.compiled) == (model.name, False)
    assert {id(weight) for weight in made.weights} == {id(weight) for weight in model.weights}
    images = tiny_batch()[0]
    np.testing.assert_array_equal(made.predict(images, verbose=0), model.predict(images, verbose=0))


def test_its_rho_steps_ten_times_as_far_and_the_source_learns_with_it():
    source = functional()
    made = FROM(source)
    made.compile(keras.optimizers.Adam(1e-3), LOSS(from_logits=True))
    assert said(lambda: made.train_on_batch(*tiny_batch())) == []
    steps = np.abs(source.get_layer("bin").rho.numpy() - 0.5)
    np.testing.assert_allclose(steps, 1e-2, rtol=1e-2)


def test_dicts_of_inputs_and_outputs_stay():
    source = in_dicts()
    made = FROM(source)
    data = {"image": tiny_batch()[0], "number": np.ones((4, 3), "float32")}
    outputs = made.predict(data, verbose=0)
    assert outputs.keys() == {"x", "total"}
    np.testing.assert_array_equal(outputs["total"], source.predict(data, verbose=0)["total"])


def test_subclass_makes_models_of_itself():
    class Own(keras_bin.BINModel):
        pass

    assert isinstance(Own.from_model(functional()), Own)


def test_subclass_with_a_train_step_makes_models_of_its_own_models():
    class Own(keras_bin.BINModel):
        def train_step(self, *args):
            return super().train_step(*args)

    source = Own.from_model(functional(), 3.0)
    assert isinstance(Own.from_model(source), Own)
    with pytest.raises(ValueError, match=r"which defines 'train_step'"):
        FROM(source)


@pytest.mark.parametrize(("given", "expected"), [(None, 3.0), (5.0, 5.0)], ids=["its own", "new"])
def test_scale_of_a_bin_model_is_kept_unless_given(given, expected):
    assert FROM(tiny_model(3.0), given).rho_gradient_scale == expected


def test_frozen_model_stays_frozen():
    source = functional()
    source.trainable = False
    made = FROM(source)
    assert not made.trainable
    assert made.trainable_variables == []
    source = functional()
    source.get_layer("head").trainable = False
    assert len(FROM(source).trainable_variables) == 3


def test_it_is_saved_and_loaded(tmp_path):
    made = FROM(KINDS["Sequential"](), 4.0)
    made.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert isinstance(loaded, keras_bin.BINModel)
    assert loaded.rho_gradient_scale == 4.0


class OwnTraining(keras.Model):
    def train_step(self, *args):
        return super().train_step(*args)

    def compute_loss(self, *args, **kwargs):
        return super().compute_loss(*args, **kwargs)


def with_metric():
    model = functional()
    model.mean = keras.metrics.Mean(name="mine")
    return model


def with_layer():
    model = functional()
    model.extra = keras.layers.Dense(2, name="extra")
    model.extra.build((None, 3))
    return model


def with_step_set_on_it():
    model = functional()
    model.train_step = lambda data: {}
    return model


def own_training():
    model = functional()
    return OwnTraining(model.input, model.output)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (own_training, ValueError, r"base class.*OwnTraining.*'compute_loss', 'train_step'"),
        (with_step_set_on_it, ValueError, r"which defines 'train_step'"),
        (with_metric, ValueError, r"would be lost.*model 'net' with 'mine'"),
        (lambda: keras.Sequential([BIN()], name="net"), ValueError, r"must be built.*keras.Input"),
        (lambda: Outer(functional()), ValueError, r"must be built.*call it on data.*'outer'"),
        (BIN, TypeError, r"must be a keras\.Model.*BatchInstanceNormalization"),
        (lambda: "net.keras", TypeError, r"load_model first.*'net\.keras'"),
    ],
)
def test_what_would_lose_something_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        FROM(make())


def test_layer_beside_the_graph_is_refused():
    model = with_layer()
    if len(model.variables) == len(functional().variables):
        pytest.skip("Keras 3.9 itself neither trains nor saves such a layer")
    with pytest.raises(ValueError, match=r"would be lost.*'extra/kernel', 'extra/bias'"):
        FROM(model)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), "3"])
def test_scale_must_be_finite_and_positive(scale):
    with pytest.raises(ValueError, match=f"rho_gradient_scale={scale!r}"):
        FROM(functional(), scale)
