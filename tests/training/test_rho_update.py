"""How far rho steps, under every optimizer that Keras ships."""

import keras
import numpy as np
import pytest

import keras_bin
from benchmarks.rho_steps import CLIPPING, SCALE, first_step, optimizer_classes
from keras_bin.keras_internals import schedule_free_iterate
from testing.small_net import batch, build_model
from tests.training.test_model import LOSS, compiled, rho_of

SCALED = [cls for cls in optimizer_classes() if cls is not keras.optimizers.Ftrl]
DECAYING = [cls for cls in SCALED if cls.__name__ in ("SGD", "Adam", "AdamW", "Lion", "Muon")]
# Each optimizer with one way to clip, and those that clipping could affect most, with all.
ALL_WAYS = ("SGD", "Adam", "Muon", "ScheduleFreeAdamW")
CLIPPED = [
    pytest.param(cls, clipping, id=f"{cls.__name__}-clip {clipping}")
    for number, cls in enumerate(SCALED)
    for way, clipping in enumerate(CLIPPING)
    if clipping == "none" or cls.__name__ in ALL_WAYS or way == 1 + number % 3
]
NEEDS_SCHEDULE_FREE = pytest.mark.skipif(
    not hasattr(keras.optimizers, "ScheduleFreeAdamW"), reason="it came with Keras 3.14"
)
NEEDS_MULTI_OPTIMIZER = pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"), reason="it came with Keras 3.15"
)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("cls", "clipping"), CLIPPED)
def test_first_step_is_scaled_and_others_are_not(cls, clipping):
    (rho, others), (scaled_rho, scaled_others) = (
        first_step(cls(learning_rate=1e-3, **CLIPPING[clipping]), scale, run_eagerly=True)
        for scale in (1.0, SCALE)
    )
    assert np.abs(rho).min() > 0
    np.testing.assert_allclose(scaled_rho, SCALE * rho, rtol=0.01)
    for path, step in others.items():
        np.testing.assert_allclose(scaled_others[path], step, rtol=1e-9, atol=1e-15, err_msg=path)


@pytest.mark.parametrize("cls", SCALED)
def test_float32_step_is_scaled_in_a_graph(cls):
    rho, _ = first_step(cls(learning_rate=0.01), 1.0, run_eagerly=True)
    scaled, _ = first_step(cls(learning_rate=0.01), 4.0)
    # rho near 0.5 resolves steps to 6e-8, so smaller steps are scaled with that error.
    np.testing.assert_allclose(scaled, 4 * rho, rtol=0.01, atol=3e-7)


def test_ftrl_is_refused_at_compile():
    model = build_model(SCALE)
    with pytest.raises(ValueError, match=r"Ftrl.*undone.*rho_gradient_scale=1.0.*ftrl.*10.0"):
        model.compile(keras.optimizers.Ftrl(), "mse")
    assert not model.compiled
    model = build_model(1.0)
    model.compile(keras.optimizers.Ftrl(), LOSS(from_logits=True))
    assert np.isfinite(model.train_on_batch(*batch()))


def test_model_without_gates_takes_any_optimizer():
    inputs = keras.Input((6, 6, 2))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    model = keras_bin.BINModel(inputs, outputs)
    model.compile(keras.optimizers.Ftrl(), LOSS(from_logits=True))
    assert np.isfinite(model.train_on_batch(*batch()))


class Clipping(keras.optimizers.SGD):
    def _clip_gradients(self, grads):
        return [keras.ops.clip(gradient, -1e-4, 1e-4) for gradient in grads]


class Signs(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        return super().apply([keras.ops.sign(gradient) for gradient in grads], trainable_variables)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("cls", [Clipping, Signs])
def test_subclass_of_sgd_that_changes_gradients_is_scaled(cls):
    (rho, others), (scaled, scaled_others) = (
        first_step(cls(1e-3), scale, run_eagerly=True) for scale in (1.0, SCALE)
    )
    np.testing.assert_allclose(scaled, SCALE * rho, rtol=1e-9)
    for path, step in others.items():
        np.testing.assert_array_equal(scaled_others[path], step, err_msg=path)


@NEEDS_SCHEDULE_FREE
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("settings", [{}, {"warmup_steps": 4}], ids=["plain", "warm-up"])
def test_schedule_free_is_as_with_a_learning_rate_of_rho(settings):
    class OwnRate(keras.optimizers.ScheduleFreeAdamW):
        def update_step(self, gradient, variable, learning_rate):
            factor = SCALE if "rho" in variable.name else 1
            super().update_step(gradient, variable, factor * learning_rate)

    rhos = []
    for scale, cls in ((SCALE, keras.optimizers.ScheduleFreeAdamW), (1.0, OwnRate)):
        model = compiled(scale, cls(2e-3, **settings), run_eagerly=True)
        for _ in range(12):
            model.train_on_batch(*batch())
        rhos.append(rho_of(model))
    assert np.abs(rhos[0] - 0.5).min() > 1e-2
    assert np.abs(rhos[0] - 0.5).max() < 0.45
    np.testing.assert_allclose(rhos[0], rhos[1], rtol=0, atol=1e-9)


@NEEDS_SCHEDULE_FREE
def test_schedule_free_comes_back_from_an_end():
    """The optimizer's own iterate is kept in [0, 1] too, so that it does not wind up."""
    model = compiled(SCALE, keras.optimizers.ScheduleFreeAdamW(0.2), run_eagerly=True)
    for _ in range(20):
        model.train_on_batch(*batch())
    iterate = schedule_free_iterate(model.optimizer, keras_bin.rho_weights(model)[0]).numpy()
    assert ((iterate >= 0) & (iterate <= 1)).all()
    assert ((rho_of(model) >= 0) & (rho_of(model) <= 1)).all()


@NEEDS_MULTI_OPTIMIZER
def test_multi_optimizer_scales_rho_in_its_own_optimizer():
    def optimizer(rho_optimizer):
        optimizers = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1))
        optimizers["bin/rho"] = rho_optimizer
        return keras.optimizers.MultiOptimizer(optimizers)

    (rho, _), (scaled, _) = (
        first_step(optimizer(keras.optimizers.Adam(0.01)), scale, run_eagerly=True)
        for scale in (1.0, SCALE)
    )
    np.testing.assert_allclose(scaled, SCALE * rho, rtol=1e-3)
    with pytest.raises(ValueError, match="Ftrl"):
        build_model(SCALE).compile(optimizer(keras.optimizers.Ftrl()), "mse")


@NEEDS_MULTI_OPTIMIZER
def test_multi_optimizer_of_a_function_is_refused_at_the_first_step():
    """Which optimizers a function returns is known only when it is called, at build."""
    ftrl, adam = keras.optimizers.Ftrl(), keras.optimizers.Adam()
    optimizer = keras.optimizers.MultiOptimizer(lambda v: ftrl if "rho" in v.path else adam)
    model = compiled(SCALE, optimizer)
    with pytest.raises(ValueError, match="Ftrl"):
        model.train_on_batch(*batch())
    np.testing.assert_array_equal(rho_of(model), 0.5)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("momentum", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_gradient_and_update_are_the_same_under_sgd(momentum):
    """A clip that never bites switches from the gradient to the update."""
    rhos = []
    for clip in ({}, {"clipnorm": 1e9}):
        model = compiled(SCALE, keras.optimizers.SGD(0.02, **momentum, **clip))
        for _ in range(20):
            model.train_on_batch(*batch())
        rhos.append(rho_of(model))
    assert np.abs(rhos[0] - 0.5).max() > 1e-2
    np.testing.assert_allclose(rhos[1], rhos[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cls", DECAYING)
def test_rho_is_excluded_from_weight_decay(cls):
    rhos = []
    for decay in (0.0, 0.5):
        arguments = {"weight_decay": decay}
        if cls.__name__ == "Muon":
            arguments["adam_weight_decay"] = decay
        model = compiled(1.0, cls(learning_rate=1e-3, **arguments), run_eagerly=True)
        model.train_on_batch(*batch())
        rhos.append(rho_of(model))
    np.testing.assert_array_equal(*rhos)


def test_untouched_rho_stays_under_adamw():
    """One sample a batch: batch and instance statistics agree, so rho's gradient is zero."""
    inputs = keras.Input((6, 6, 2))
    x = keras_bin.BatchInstanceNormalization()(inputs)
    model = keras_bin.BINModel(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.1, epsilon=1e-2), LOSS(True))
    images, labels = batch()
    for _ in range(50):
        model.train_on_batch(images[:1], labels[:1])
    np.testing.assert_allclose(rho_of(model), 1, rtol=0, atol=1e-3)


def test_exclusion_outlives_what_the_user_excludes_later():
    model = compiled(1.0, keras.optimizers.AdamW(1e-3, weight_decay=50.0), run_eagerly=True)
    model.train_on_batch(*batch())
    before = rho_of(model)
    model.optimizer.exclude_from_weight_decay(var_names=["kernel"])
    model.train_on_batch(*batch())
    np.testing.assert_allclose(rho_of(model), before, rtol=0, atol=2e-3)


def test_gate_that_becomes_trainable_between_fits_is_scaled():
    model = build_model(SCALE)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    model.get_layer("bin").trainable = False
    model.compile(optimizer, LOSS(from_logits=True), run_eagerly=True)
    model.train_on_batch(*batch())
    np.testing.assert_array_equal(rho_of(model), 0.5)
    model.get_layer("bin").trainable = True
    model.train_on_batch(*batch())
    # Adam's second step from empty averages is 0.74 of the learning rate, 7.4e-3 when scaled.
    assert np.abs(rho_of(model) - 0.5).min() > 5e-3


def test_users_own_exclusions_from_weight_decay_are_kept():
    def conv_steps(exclude):
        model = build_model(SCALE)
        optimizer = keras.optimizers.AdamW(1e-3, weight_decay=5.0)
        exclude(optimizer, model.get_layer("conv").kernel)
        model.compile(optimizer, LOSS(from_logits=True), run_eagerly=True)
        before = model.get_layer("conv").kernel.numpy()
        model.train_on_batch(*batch())
        return model.get_layer("conv").kernel.numpy() - before

    decayed = conv_steps(lambda optimizer, kernel: None)
    by_variable = conv_steps(lambda o, kernel: o.exclude_from_weight_decay(var_list=[kernel]))
    by_name = conv_steps(lambda o, kernel: o.exclude_from_weight_decay(var_names=["kernel"]))
    assert np.abs(decayed - by_variable).max() > 1e-4
    np.testing.assert_array_equal(by_name, by_variable)


@pytest.mark.parametrize("kind", ["schedule", "LearningRateScheduler", "ReduceLROnPlateau"])
def test_learning_rate_changes_keep_the_factor(kind):
    """The step of the second epoch, taken at another learning rate, is scaled as the first."""

    def second_steps(scale):
        rhos, rates = [], []

        def record(_epoch, _logs):
            rhos.append(keras_bin.rho_weights(model)[0].numpy())
            rates.append(float(model.optimizer.learning_rate))

        rate = 1e-4
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=record)]
        if kind == "schedule":
            rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1e-4, 5e-5])
        elif kind == "LearningRateScheduler":
            callbacks.append(
                keras.callbacks.LearningRateScheduler(lambda epoch: 1e-4 / (1 + epoch))
            )
        else:
            callbacks.insert(
                0, keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=0, min_delta=100.0)
            )
        model = compiled(scale, keras.optimizers.Adam(rate), run_eagerly=scale == 1)
        images, labels = batch()
        model.fit(images, labels, epochs=3, callbacks=callbacks, verbose=0)
        assert rates[-1] < 1e-4
        return rhos[-1] - rhos[-2]

    # Adam's first steps have the learning rate's size whatever the gradient.
    np.testing.assert_allclose(second_steps(SCALE), SCALE * second_steps(1.0), rtol=0.05)
