"""The warnings of a training in which rho cannot learn, and where they stay away."""

import warnings

import keras
import numpy as np
import pytest

import keras_bin
from testing.small_net import batch, build_model
from tests.fixed_statistics import FixedStatistics

STILL = "rho has not moved in an epoch"
ONE_SAMPLE = "rho cannot learn from batches of one sample"


def compiled(optimizer=None, model=None, **kwargs):
    model = model or build_model(10.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or keras.optimizers.SGD(0.01), loss, **kwargs)
    return model


def warnings_of_fit(model, **kwargs):
    """Trains on four images, and returns what was said about rho."""
    images, labels = (each[:4] for each in batch())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(images, labels, **{"verbose": 0, **kwargs})
    return [str(each.message) for each in caught if "rho" in str(each.message)]


def test_learning_gates_are_left_alone():
    assert warnings_of_fit(compiled(), epochs=2, batch_size=2) == []


def test_gates_that_stand_still_are_said_once():
    model = compiled(keras.optimizers.SGD(1e-12))
    (message,) = warnings_of_fit(model, epochs=2)
    assert message.startswith(STILL)
    assert message.endswith(f"model={model.name!r}, learning rate 1e-12, 4 gates of float32")
    assert "outward" not in message
    assert warnings_of_fit(model) == []
    assert len(warnings_of_fit(compiled(keras.optimizers.SGD(1e-12)))) == 1


def in_half_precision(half):
    model = build_model(1.0)
    keras.config.set_dtype_policy(half)
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "dtype": half}),
    )


def test_lost_steps_in_half_precision_are_said():
    model = in_half_precision("bfloat16")
    model.get_layer("bin").rho.assign([1.0] * 4)
    (message,) = warnings_of_fit(compiled(keras.optimizers.Adam(1e-4, beta_2=0.99), model))
    assert "pushes them outward" in message
    assert "4 gates of bfloat16" in message


def in_a_multi_optimizer():
    adam, sgd = keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.01)
    return keras.optimizers.MultiOptimizer(lambda variable: adam if "rho" in variable.path else sgd)


@pytest.mark.parametrize(
    ("optimizer", "half", "said"),
    [
        (lambda: keras.optimizers.Adam(0.1), "bfloat16", "Adam cannot train weights of bfloat16"),
        (lambda: keras.optimizers.AdamW(0.1), "bfloat16", "AdamW cannot train weights of bfloat16"),
        pytest.param(
            lambda: keras.optimizers.Nadam(0.1),
            "bfloat16",
            "Nadam cannot train weights of bfloat16",
            marks=pytest.mark.lacking("torch", reason="Keras's Nadam fails in bfloat16"),
        ),
        (lambda: keras.optimizers.Adam(0.1, beta_2=0.9999), "float16", "beta_2=0.9999 rounds to 1"),
        pytest.param(
            in_a_multi_optimizer,
            "bfloat16",
            "Adam cannot train",
            marks=pytest.mark.skipif(
                not hasattr(keras.optimizers, "MultiOptimizer"), reason="new in Keras 3.15"
            ),
        ),
    ],
    ids=["Adam", "AdamW", "Nadam", "float16", "several"],
)
def test_beta_2_that_rounds_to_1_is_said_once(optimizer, half, said):
    model = compiled(optimizer(), in_half_precision(half), run_eagerly=True)
    (message,) = warnings_of_fit(model, epochs=2)
    assert said in message
    assert message.endswith(f"model={model.name!r}, gates of {half}")
    assert warnings_of_fit(model) == []


@pytest.mark.parametrize(
    ("optimizer", "half"),
    [
        (lambda: keras.optimizers.Adam(0.1), "float16"),
        (lambda: keras.optimizers.Adam(0.1, beta_2=0.99), "bfloat16"),
        (lambda: keras.optimizers.Adamax(0.1), "bfloat16"),
        (lambda: keras.optimizers.Lion(0.1, beta_2=0.999), "bfloat16"),
        (lambda: keras.optimizers.Adam(0.1), "mixed_bfloat16"),
    ],
    ids=["float16", "smaller beta_2", "Adamax", "Lion", "mixed"],
)
def test_optimizers_that_move_gates_of_half_precision_are_left_alone(optimizer, half):
    model = compiled(optimizer(), in_half_precision(half), run_eagerly=True)
    before = keras_bin.rho_weights(model)[0].numpy()
    assert warnings_of_fit(model) == []
    after = keras_bin.rho_weights(model)[0].numpy()
    assert np.isfinite(after.astype("float32")).all()
    assert (after != before).any()


@pytest.mark.parametrize("validation", [False, True], ids=["alone", "with validation"])
@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.SGD, keras.optimizers.Adam], ids=["SGD", "Adam"]
)
def test_batches_of_one_sample_are_said_once(optimizer, validation):
    model = compiled(optimizer(0.01))
    data = {"validation_data": batch()} if validation else {}
    (message,) = warnings_of_fit(model, batch_size=1, epochs=2, **data)
    assert message.startswith(ONE_SAMPLE)
    assert warnings_of_fit(model, batch_size=1) == []


def test_one_small_batch_among_others_is_not_said():
    assert warnings_of_fit(compiled(), batch_size=3) == []


def test_batches_of_one_are_said_after_gates_have_moved():
    model = compiled()
    assert warnings_of_fit(model) == []
    (message,) = warnings_of_fit(model, batch_size=1)
    assert message.startswith(ONE_SAMPLE)


def test_batches_of_one_are_right_where_statistics_are_fixed():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Activation("gelu")(FixedStatistics()(inputs))
    model = keras_bin.BINModel(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    assert warnings_of_fit(compiled(model=model), batch_size=1) == []
    assert (keras_bin.rho_weights(model)[0].numpy() < 1).any()


def frozen_rho():
    model = build_model(10.0)
    model.get_layer("bin").rho.trainable = False
    return compiled(model=model)


def frozen_layer():
    model = build_model(10.0)
    model.get_layer("bin").trainable = False
    return compiled(model=model)


def own_rate_of_zero():
    def optimizer_of(variable):
        return keras.optimizers.SGD(0.0 if variable.name == "rho" else 0.1)

    return compiled(keras.optimizers.MultiOptimizer(optimizer_of))


@pytest.mark.parametrize(
    "make",
    [
        frozen_rho,
        frozen_layer,
        lambda: compiled(keras.optimizers.SGD(0.0)),
        pytest.param(
            own_rate_of_zero,
            marks=pytest.mark.skipif(
                not hasattr(keras.optimizers, "MultiOptimizer"), reason="new in Keras 3.15"
            ),
        ),
        lambda: compiled(keras.optimizers.SGD(0.1, gradient_accumulation_steps=9)),
    ],
    ids=["rho frozen", "layer frozen", "rate 0", "rate 0 of rho", "no update yet"],
)
def test_gates_that_stay_on_purpose_are_not_said(make):
    model = make()
    before = keras_bin.rho_weights(model)[0].numpy()
    assert warnings_of_fit(model) == []
    np.testing.assert_array_equal(keras_bin.rho_weights(model)[0], before)


def test_callbacks_of_the_user_are_called_and_kept():
    seen = []
    callbacks = (
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
    )
    images, labels = batch()
    model = compiled(keras.optimizers.SGD(1e-12))
    with pytest.warns(UserWarning, match=STILL):
        history = model.fit(images, labels, 16, 2, 0, callbacks, 0.25)
    assert seen == [0, 1]
    assert len(callbacks) == 1
    assert len(history.history["val_loss"]) == 2
    again = keras.callbacks.CallbackList(callbacks, model=model)
    model.fit(images, labels, callbacks=again)
    assert seen == [0, 1, 0]
