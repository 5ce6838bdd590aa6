"""BINModel: construction, and the obligations of a train step."""

import functools
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from testing.small_net import batch, build_model
from tests.replicas import two_replicas

DATA = Path(__file__).parents[1] / "data"
LOSS = keras.losses.SparseCategoricalCrossentropy


def compiled(scale=10.0, optimizer=None, **kwargs):
    model = build_model(scale)
    model.compile(optimizer or keras.optimizers.SGD(0.1), LOSS(from_logits=True), **kwargs)
    return model


def rho_of(model):
    return keras_bin.rho_weights(model)[0].numpy()


def golden_model(z):
    rows = {1: (8, "bin1"), 2: (12, "bin2")}
    inputs = x = keras.Input((12, 12, 3))
    for number, (filters, name) in rows.items():
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = keras_bin.BatchInstanceNormalization(epsilon=1e-5, momentum=0.9, name=name)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Dense(5, name="dense")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras_bin.BINModel(inputs, x)
    for number, (_, name) in rows.items():
        kernel = z[f"init/conv{number}_kernel"].transpose(2, 3, 1, 0)
        model.get_layer(f"conv{number}").set_weights([kernel])
        names = ("gamma", "beta", "rho", "running_mean", "running_var")
        model.get_layer(name).set_weights([z[f"init/{name}_{w}"] for w in names])
    model.get_layer("dense").set_weights([z["init/dense_kernel"].T, z["init/dense_bias"]])
    return model


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("optimizer", ["gradient", "update"])
def test_trajectory_of_the_official_code_is_reproduced(optimizer):
    z = np.load(DATA / "trajectory.npz")
    # A clip that never bites makes the step scale rho's update in place of its gradient.
    clip = {"gradient": {}, "update": {"clipvalue": 1e9}}[optimizer]
    model = golden_model(z)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, **clip), LOSS(from_logits=True))
    losses, rhos = [], {"bin1": [], "bin2": []}
    for step in range(30):
        images = z["data_x"][step % 4].transpose(0, 2, 3, 1)
        losses.append(model.train_on_batch(images, z["data_y"][step % 4]))
        for name, values in rhos.items():
            values.append(model.get_layer(name).rho.numpy())
        model.reset_metrics()
    np.testing.assert_allclose(losses, z["loss"], rtol=0, atol=1e-7)
    for name, values in rhos.items():
        np.testing.assert_allclose(values, z[f"{name}_rho"], rtol=0, atol=1e-7)
    logits = model.predict(z["test_x"].transpose(0, 2, 3, 1), verbose=0)
    # Keras's SGD rounds its momentum of 0.9 to float32, 2.4e-8 off; logits feel it most.
    np.testing.assert_allclose(logits, z["test_logits_biased_var"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "3", None])
def test_scale_must_be_finite_and_positive(scale):
    message = f"finite number above 0.*rho_gradient_scale={scale!r}"
    with pytest.raises(ValueError, match=message):
        keras_bin.BINModel(rho_gradient_scale=scale)
    with pytest.raises(ValueError, match=message):
        build_model(1.0).rho_gradient_scale = scale


def test_misspelt_argument_is_refused():
    model = build_model(1.0)
    with pytest.raises(TypeError, match=r"rho_gradient_scale.*Received: rho_scale"):
        keras_bin.BINModel(model.input, model.output, rho_scale=3.0)


@pytest.mark.tensorflow  # elsewhere, steps are scaled in place of gradients
def test_optimizer_sees_the_scaled_gradient(monkeypatch):
    seen = []
    apply = keras.optimizers.SGD.apply

    def record(self, grads, trainable_variables=None):
        seen.append({v.path: g.numpy() for g, v in zip(grads, trainable_variables, strict=True)})
        return apply(self, grads, trainable_variables)

    monkeypatch.setattr(keras.optimizers.SGD, "apply", record)
    for scale in (1.0, 10.0):
        model = compiled(scale, keras.optimizers.SGD(0.1), run_eagerly=True)
        model.train_on_batch(*batch())
    np.testing.assert_allclose(seen[1]["bin/rho"], 10 * seen[0]["bin/rho"], rtol=1e-6)
    np.testing.assert_array_equal(seen[1]["conv/kernel"], seen[0]["conv/kernel"])


def test_subclass_that_makes_a_graph_in_its_constructor():
    class Graph(keras_bin.BINModel):
        def __init__(self):
            inputs = keras.Input((6, 6, 2))
            x = keras_bin.BatchInstanceNormalization()(inputs)
            x = keras.layers.GlobalAveragePooling2D()(x)
            super().__init__(inputs, keras.layers.Dense(3)(x), rho_gradient_scale=3.0)

    model = Graph()
    model.compile("sgd", LOSS(from_logits=True))
    model.fit(*batch(), verbose=0)
    assert isinstance(model, Graph)
    assert model.rho_gradient_scale == 3.0
    assert model.output_shape == (None, 3)


def reference_step(model, x, y, sample_weight=None):
    """What keras.Model's own train step makes of the same model."""
    plain = keras.Model(model.input, model.output)
    plain.compile(keras.optimizers.SGD(0.1), LOSS(from_logits=True), weighted_metrics=["accuracy"])
    return plain.train_on_batch(x, y, sample_weight=sample_weight, return_dict=True)


@pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")  # of keras.Model
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "sample weights"])
def test_step_at_scale_one_is_that_of_keras(weighted):
    images, labels = batch()
    weights = np.linspace(0, 2, len(labels)) if weighted else None
    model, plain = compiled(1.0, weighted_metrics=["accuracy"]), build_model(1.0)
    logs = model.train_on_batch(images, labels, sample_weight=weights, return_dict=True)
    expected = reference_step(plain, images, labels, weights)
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-6, err_msg=name)
    for own, theirs in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-7)


def test_class_weights_count():
    losses = [
        compiled().fit(*batch(), class_weight=w, verbose=0).history["loss"][0]
        for w in (None, {0: 0.0, 1: 0.0, 2: 3.0})
    ]
    assert abs(losses[0] - losses[1]) > 1e-3


def test_extra_losses_are_added():
    losses = []
    for penalty in (None, keras.regularizers.L2(0.5)):
        inputs = keras.Input((6, 6, 2))
        x = keras_bin.BatchInstanceNormalization(rho_regularizer=penalty)(inputs)
        x = keras.layers.Dense(3, kernel_initializer="ones")(keras.layers.Flatten()(x))
        model = keras_bin.BINModel(inputs, x)
        model.compile("sgd", LOSS(from_logits=True))
        losses.append(model.train_on_batch(*batch()))
    assert losses[1] - losses[0] == pytest.approx(0.5 * 2, rel=1e-5)


@functools.cache
def rho_after_fit(**settings):
    model = compiled(10.0, keras.optimizers.Adam(0.01), **settings)
    model.fit(*batch(), batch_size=4, epochs=2, shuffle=False, verbose=0)
    return rho_of(model)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"run_eagerly": True}, id="run_eagerly"),
        pytest.param(
            {"jit_compile": True},
            id="jit_compile",
            marks=pytest.mark.lacking("torch", reason="compiling by torch.compile takes minutes"),
        ),
        pytest.param(
            {"steps_per_execution": 2},
            id="steps_per_execution",
            marks=pytest.mark.lacking("torch", reason="Keras refuses it on PyTorch"),
        ),
    ],
)
def test_ways_to_run_agree(settings):
    np.testing.assert_allclose(rho_after_fit(**settings), rho_after_fit(), rtol=0, atol=1e-5)


def test_gradient_accumulation_steps_once_in_n():
    model = compiled(10.0, keras.optimizers.Adam(0.01, gradient_accumulation_steps=2))
    model.train_on_batch(*batch())
    np.testing.assert_array_equal(rho_of(model), 0.5)
    model.train_on_batch(*batch())
    plain = compiled(1.0, keras.optimizers.Adam(0.01, gradient_accumulation_steps=2))
    for _ in range(2):
        plain.train_on_batch(*batch())
    np.testing.assert_allclose(rho_of(model) - 0.5, 10 * (rho_of(plain) - 0.5), rtol=1e-2)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_mixed_float16_scales_rho_and_skips_overflowing_steps(optimizer):
    steps = []
    for scale in (1.0, 10.0):
        keras.config.set_dtype_policy("mixed_float16")
        model = compiled(scale, optimizer(0.01))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        model.train_on_batch(*batch())
        steps.append(rho_of(model) - 0.5)
    assert np.abs(steps[0]).max() > 0
    np.testing.assert_allclose(steps[1], 10 * steps[0], rtol=0.05, atol=1e-6)
    before = rho_of(model)
    images, labels = batch()
    model.train_on_batch(np.full_like(images, np.inf), labels)
    np.testing.assert_array_equal(rho_of(model), before)


def test_frozen_layer_keeps_rho_and_statistics():
    model = build_model(10.0)
    model.get_layer("bin").trainable = False
    model.compile("adam", LOSS(from_logits=True))
    before = [w.numpy() for w in model.get_layer("bin").weights]
    model.fit(*batch(), verbose=0)
    for weight, old in zip(model.get_layer("bin").weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_call_without_training_argument():
    class Plain(keras_bin.BINModel):
        def __init__(self):
            super().__init__()
            self.bin = keras_bin.BatchInstanceNormalization()
            self.head = keras.layers.Dense(3)

        def call(self, inputs):
            return self.head(keras.ops.mean(self.bin(inputs), (1, 2)))

    model = Plain()
    model.compile("sgd", LOSS(from_logits=True))
    assert np.isfinite(model.train_on_batch(*batch()))


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.05),
        lambda: keras.optimizers.SGD(0.05, clipvalue=1e9),
        lambda: keras.optimizers.Adam(0.01, use_ema=True),
    ],
    ids=["gradient", "update", "average"],
)
def test_distributed_step_is_that_of_one_replica(optimizer):
    """Two replicas with synchronized statistics do what one does with the whole batch."""
    images, labels = batch()
    rhos, losses = [], []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        with strategy.scope():
            inputs = keras.Input((6, 6, 2))
            x = keras_bin.BatchInstanceNormalization(synchronized=True, name="bin")(inputs)
            x = keras.layers.Flatten()(keras.layers.ReLU()(x))
            outputs = keras.layers.Dense(
                3, kernel_initializer=keras.initializers.RandomNormal(seed=1)
            )(x)
            model = keras_bin.BINModel(inputs, outputs)
            model.compile(optimizer(), LOSS(from_logits=True))
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)
        losses.append(model.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"])
        rhos.append(rho_of(model))
    assert np.abs(rhos[0] - 1).max() > 1e-4
    np.testing.assert_allclose(rhos[1], rhos[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
