"""Loops of one's own: what `apply_gradients` and `stateless_apply` do, beside BINModel."""

import re

import keras
import numpy as np
import pytest

import keras_bin
from benchmarks.rho_steps import SCALE, optimizer_classes
from testing.small_net import batch
from tests.gradients import differentiated

LOSS = keras.losses.SparseCategoricalCrossentropy
SCALED = [cls for cls in optimizer_classes() if cls is not keras.optimizers.Ftrl]
# One of each kind: by the gradient, by the update, of two optimizers, and with iterates of its own.
IN_A_GRAPH = ("SGD", "Adam", "Nadam", "Muon", "ScheduleFreeAdamW")
STEPS = 3
VARIANTS = {
    "plain": {},
    "averaged": {"use_ema": True, "ema_overwrite_frequency": 2},
    "accumulated": {"gradient_accumulation_steps": 2},
    "clipped": {"clipnorm": 1e-3},
    "decaying": {"weight_decay": 0.5},
}


def optimizer(cls, variant):
    if variant == "loss scaling":
        return keras.optimizers.LossScaleOptimizer(cls(1e-2))
    if variant == "several":
        optimizers = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1))
        optimizers["bin/rho"] = cls(1e-2)
        return keras.optimizers.MultiOptimizer(optimizers)
    return cls(1e-2, **VARIANTS[variant])


def tiny_model(scale=1.0):
    """A net too small for TensorFlow to divide its sums among threads, in an order that varies."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2, 2, 2))
    half = keras.initializers.Constant(0.5)
    x = keras_bin.BatchInstanceNormalization(name="bin", rho_initializer=half)(inputs)
    outputs = keras.layers.Dense(3, name="head")(keras.layers.Flatten()(x))
    return keras_bin.BINModel(inputs, outputs, rho_gradient_scale=scale)


def tiny_batch():
    images, labels = batch()
    return images[:4, :2, :2], labels[:4]


def trained_in_model(optimizer, run_eagerly=False):
    """Returns the weights of a BINModel that Keras has trained."""
    model = tiny_model(SCALE)
    model.compile(optimizer, LOSS(from_logits=True), run_eagerly=run_eagerly)
    for _ in range(STEPS):
        model.train_on_batch(*tiny_batch())
    return model.get_weights()


def train_step(model, optimizer, apply=keras_bin.apply_gradients):
    """Returns a function that takes a step of training, as a loop of one's own takes it."""
    loss_of = LOSS(from_logits=True)

    def step(images, labels):
        if not model.built:
            model(images)  # creates the variables

        def loss():
            return optimizer.scale_loss(loss_of(labels, model(images, training=True))), ()

        variables = model.trainable_variables
        _, gradients = differentiated(loss, variables, model.non_trainable_variables)()
        apply(optimizer, zip(gradients, variables, strict=True))

    return step


def trained_in_loop(optimizer):
    """Returns the weights of the same net, trained in a loop of one's own."""
    model = tiny_model()
    step = train_step(model, optimizer)
    for _ in range(STEPS):
        step(*tiny_batch())
    return model.get_weights()


class OwnStep(keras.Model):
    """A plain model with a train step of its own."""

    def train_step(self, data):
        import tensorflow as tf

        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(images, labels, self(images, training=True))
            loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(loss, self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        keras_bin.apply_gradients(self.optimizer, pairs, SCALE)
        return {"loss": loss}


def trained_in_own_step(optimizer):
    """Returns the weights of the same net, trained in a graph by a train step of one's own."""
    model = tiny_model()
    model = OwnStep(model.input, model.output)
    model.compile(optimizer, LOSS(from_logits=True))
    optimizer.build(model.trainable_variables)
    for _ in range(STEPS):
        model.train_on_batch(*tiny_batch())
    return model.get_weights()


def assert_equal(weights, others):
    # A loop's gradients are compiled on JAX, where the model's own step is not.
    atol = 1e-6 if keras.backend.backend() == "jax" else 0
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(weight, other, rtol=0, atol=atol)


@pytest.mark.parametrize("cls", SCALED)
def test_loop_trains_as_the_model_bit_for_bit(cls):
    expected = trained_in_model(optimizer(cls, "plain"), run_eagerly=True)
    assert_equal(trained_in_loop(optimizer(cls, "plain")), expected)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "variant",
    [
        *(name for name in VARIANTS if name != "plain"),
        "loss scaling",
        pytest.param(
            "several",
            marks=pytest.mark.skipif(
                not hasattr(keras.optimizers, "MultiOptimizer"), reason="it came with Keras 3.15"
            ),
        ),
    ],
)
@pytest.mark.parametrize("cls", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_own_train_step_trains_as_the_model_bit_for_bit(cls, variant):
    expected = trained_in_model(optimizer(cls, variant))
    assert_equal(trained_in_own_step(optimizer(cls, variant)), expected)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("cls", [cls for cls in SCALED if cls.__name__ in IN_A_GRAPH])
def test_own_train_step_trains_as_the_model_under_every_kind_of_optimizer(cls):
    expected = trained_in_model(optimizer(cls, "plain"))
    assert_equal(trained_in_own_step(optimizer(cls, "plain")), expected)


@pytest.mark.parametrize("cls", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_other_variables_are_updated_as_by_the_optimizer(cls):
    def apply(optimizer, pairs):
        with pytest.warns(keras_bin.UnscaledRhoWarning):
            optimizer.apply_gradients(pairs)

    models = [tiny_model() for _ in range(2)]
    train_step(models[0], cls(1e-3))(*tiny_batch())
    train_step(models[1], cls(1e-3), apply)(*tiny_batch())
    for ours, theirs in zip(*(model.trainable_variables for model in models), strict=True):
        if ours.name == "rho":
            # rho near 0.5 resolves steps to 6e-8.
            steps = ours.numpy() - 0.5, 10 * (theirs.numpy() - 0.5)
            np.testing.assert_allclose(*steps, rtol=0.01, atol=6e-7)
        else:
            np.testing.assert_array_equal(ours, theirs)


def test_rho_keeps_out_of_weight_decay():
    model = tiny_model()
    rho = keras_bin.rho_weights(model)[0]
    gradients = [keras.ops.zeros_like(variable) for variable in model.trainable_variables]
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    for _ in range(2):
        pairs = zip(gradients, model.trainable_variables, strict=True)
        keras_bin.apply_gradients(optimizer, pairs)
    np.testing.assert_array_equal(rho, 0.5)
    assert np.abs(model.get_layer("head").kernel.numpy()).max() < 0.95


def test_rho_without_a_gradient_stays():
    model = tiny_model()
    rho, kernel = keras_bin.rho_weights(model)[0], model.get_layer("head").kernel
    before = kernel.numpy()
    optimizer = keras.optimizers.Adam(0.1)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        keras_bin.apply_gradients(optimizer, [(None, rho), (keras.ops.ones_like(before), kernel)])
    np.testing.assert_array_equal(rho, 0.5)
    np.testing.assert_allclose(kernel, before - 0.1, rtol=1e-4)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), "3", None])
def test_scale_must_be_finite_and_positive(scale):
    message = f"finite number above 0.*rho_gradient_scale={scale!r}"
    with pytest.raises(ValueError, match=message):
        keras_bin.apply_gradients(keras.optimizers.Adam(), [], rho_gradient_scale=scale)
    with pytest.raises(ValueError, match=message):
        keras_bin.stateless_apply(keras.optimizers.Adam(), [], [], [], rho_gradient_scale=scale)


def test_scale_is_the_factor():
    rhos = []
    for scale in (1, 5):
        model = tiny_model()
        train_step(
            model,
            keras.optimizers.Adam(1e-3),
            lambda *step, scale=scale: keras_bin.apply_gradients(*step, rho_gradient_scale=scale),
        )(*tiny_batch())
        rhos.append(keras_bin.rho_weights(model)[0].numpy() - 0.5)
    np.testing.assert_allclose(rhos[1], 5 * rhos[0], rtol=1e-3)


def test_ftrl_is_refused_before_anything_moves():
    model = tiny_model()
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer = keras.optimizers.Ftrl()
    with pytest.raises(ValueError, match=r"Ftrl.*undone.*Received: optimizer=ftrl"):
        train_step(model, optimizer)(*tiny_batch())
    assert_equal(model.trainable_variables, before)


@pytest.mark.parametrize("apply", ["apply_gradients", "stateless_apply"])
def test_optimizer_must_be_one_of_keras(apply):
    arguments = [[]] * {"apply_gradients": 1, "stateless_apply": 3}[apply]
    with pytest.raises(TypeError, match=r"a Keras optimizer.*clip it.*Received: optimizer=<object"):
        getattr(keras_bin, apply)(object(), *arguments)


def test_variables_must_be_those_of_keras():
    model = tiny_model()
    values = [variable.value for variable in model.trainable_variables]
    pairs = zip(values, values, strict=True)
    kind = re.escape(str(type(values[0])))
    with pytest.raises(TypeError, match=f"model.trainable_variables.*a variable of {kind}"):
        keras_bin.apply_gradients(keras.optimizers.Adam(), pairs)


def test_optimizer_of_a_stateless_step_must_be_built():
    with pytest.raises(ValueError, match=r"optimizer.build.*Received: optimizer='adam', not built"):
        keras_bin.stateless_apply(keras.optimizers.Adam(), [], [], [])


def test_loop_without_pairs_leaves_the_optimizer_unbuilt():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match=r"must be a pair.*Received: .* without a pair"):
        keras_bin.apply_gradients(adam, [])
    train_step(tiny_model(), adam)(*tiny_batch())


@pytest.mark.parametrize("name", ["optimizer_variables", "gradients", "trainable_variables"])
def test_values_of_a_stateless_step_are_counted(name):
    model, adam = tiny_model(), keras.optimizers.Adam()
    adam.build(model.trainable_variables)
    values = [variable.value for variable in model.trainable_variables]
    given = {"gradients": values, "trainable_variables": values}
    given["optimizer_variables"] = [variable.value for variable in adam.variables]
    count = len(given[name])
    with pytest.raises(ValueError, match=f"{name}. must.*{count - 1} {name} for {count} variab"):
        keras_bin.stateless_apply(adam, **{**given, name: given[name][1:]})
