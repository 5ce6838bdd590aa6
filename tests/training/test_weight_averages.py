"""The averages that `use_ema=True` puts into the model when training ends."""

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin.keras_internals import moving_average
from keras_bin.training.rho_update import optimizer_of

LOSS = keras.losses.SparseCategoricalCrossentropy
IMAGES = np.random.default_rng(0).normal(1, 2, (8, 4, 4, 3)).astype("float32")
LABELS = np.arange(8) % 3


def two_blocks(model, normalization):
    """Builds a net of two blocks with weights of equal shapes."""
    inputs = x = keras.Input(IMAGES.shape[1:])
    for block in "ab":
        x = keras.layers.Conv2D(3, 1, use_bias=False, name=f"conv_{block}")(x)
        x = keras.layers.ReLU()(normalization(name=f"norm_{block}")(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return model(inputs, keras.layers.Dense(3, name="head")(x))


def freeze_block(model):
    for name in ("conv_a", "norm_a"):
        model.get_layer(name).trainable = False


def freeze_block_and_head(model):
    freeze_block(model)
    model.get_layer("head").trainable = False


def freeze_rho(model):
    keras_bin.rho_weights(model)[0].trainable = False


def unfreeze_block(model):
    for name in ("conv_a", "norm_a"):
        model.get_layer(name).trainable = True


def train(model, optimizer):
    # Eagerly: a graph for each of these trainings would take seconds.
    model.compile(optimizer, LOSS(from_logits=True), run_eagerly=True)
    model.fit(IMAGES, LABELS, epochs=2, verbose=0)


def averaging(cls=keras.optimizers.Adam, **kwargs):
    return cls(0.05, use_ema=True, ema_momentum=0.9, **kwargs)


def multi_optimizer():
    if not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip("MultiOptimizer needs Keras 3.15")
    return keras.optimizers.MultiOptimizer(
        lambda variable: averaging(
            keras.optimizers.SGD if "conv" in variable.path else keras.optimizers.Adam
        )
    )


def assert_weights_have_their_own_averages(model):
    for weight in model.trainable_weights:
        average = moving_average(optimizer_of(weight, model.optimizer), weight)
        np.testing.assert_array_equal(weight, average, err_msg=weight.path)


@pytest.mark.parametrize(
    ("freeze", "optimizer"),
    [
        (freeze_block, averaging),
        (freeze_block_and_head, averaging),
        (freeze_rho, lambda: keras.optimizers.LossScaleOptimizer(averaging())),
    ],
    ids=["block", "block and head", "rho, under loss scaling"],
)
def test_averages_are_the_weights_own_after_freezing(freeze, optimizer):
    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    train(model, optimizer())
    trained = {id(weight) for weight in model.trainable_weights}
    freeze(model)
    frozen = [w for w in model.non_trainable_weights if id(w) in trained]
    before = [weight.numpy() for weight in frozen]
    train(model, model.optimizer)
    assert before
    for weight, old in zip(frozen, before, strict=True):
        np.testing.assert_array_equal(weight, old, err_msg=weight.path)
    assert_weights_have_their_own_averages(model)


@pytest.mark.tensorflow
def test_keras_gives_averages_to_other_layers():
    """If this fails, Keras has mended it: docs/limits.md and `own_averages` can go."""
    model = two_blocks(keras.Model, keras.layers.BatchNormalization)
    train(model, averaging())
    freeze_block_and_head(model)
    train(model, model.optimizer)
    average = moving_average(model.optimizer, model.get_layer("norm_a").beta)
    np.testing.assert_array_equal(model.get_layer("norm_b").beta, average)


@pytest.mark.lacking("torch", reason="Keras refuses weights unfrozen without `compile`")
def test_weights_unfrozen_without_compile_keep_their_values():
    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    freeze_block(model)
    model.compile(averaging(), LOSS(from_logits=True))
    model.fit(IMAGES, LABELS, verbose=0)
    unfreeze_block(model)
    before = model.get_layer("conv_a").kernel.numpy()
    model.fit(IMAGES, LABELS, verbose=0)
    np.testing.assert_array_equal(model.get_layer("conv_a").kernel, before)


def test_each_of_several_optimizers_keeps_its_averages():
    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    train(model, multi_optimizer())
    assert_weights_have_their_own_averages(model)


def test_optimizer_that_finalizes_by_itself_still_does():
    class Finalizes(keras.optimizers.SGD):
        def finalize_variable_values(self, var_list):
            for variable in var_list:
                variable.assign(keras.ops.zeros_like(variable))

    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    train(model, Finalizes(0.05))
    for weight in model.trainable_weights:
        np.testing.assert_array_equal(weight, 0)


def test_optimizer_is_as_it_was_after_training_even_on_an_error():
    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    train(model, averaging())
    with pytest.raises(ValueError, match="incompatible"):
        model.fit(IMAGES[..., :2], LABELS, verbose=0)
    assert "finalize_variable_values" not in vars(model.optimizer)


def test_callback_may_train_the_model():
    class TrainsMore(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.fit(IMAGES, LABELS, verbose=0)
            assert_weights_have_their_own_averages(self.model)

    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    model.compile(averaging(), LOSS(from_logits=True), run_eagerly=True)
    model.fit(IMAGES, LABELS, callbacks=[TrainsMore()], verbose=0)
    assert_weights_have_their_own_averages(model)
    assert "finalize_variable_values" not in vars(model.optimizer)


def test_model_that_is_not_compiled_is_asked_to_be():
    model = two_blocks(keras_bin.BINModel, keras_bin.BatchInstanceNormalization)
    with pytest.raises(ValueError, match=r"compile\(\)"):
        model.fit(IMAGES, LABELS, verbose=0)
