"""Trains a BINModel on the backend in KERAS_BACKEND and saves it; run by test_backends.py.

Prints, as JSON, rho's first steps at scale 1 and 10, losses, the gates that RhoHistory recorded,
what is said of training that cannot move rho, what a frozen rho leaves to learn, what an overflow
leaves in moving statistics, what loops of one's own make of rho, the layer's golden error, and the
gradient of a gradient penalty.
"""

import contextlib
import json
import math
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

import keras_bin
from testing import reference
from testing.small_net import batch, build_model
from tests import cases
from tests.loops_on_backends import loops

SHAPE, EPSILON = (3, 4, 2, 3), 0.01  # of the input of the gradient penalty
RECALIBRATION_BATCH = 6  # of 16 images
TORCH_ENTRIES = {
    "gate": "rho",
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "running_mean0",
    "running_var": "running_var0",
}
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(1e-3),
    "AdamW": lambda: keras.optimizers.AdamW(1e-3, weight_decay=0.1),
    "averaged": lambda: keras.optimizers.Adam(1e-3, use_ema=True, ema_overwrite_frequency=2),
    "clipped": lambda: keras.optimizers.SGD(0.01, global_clipnorm=0.1),
}


def rho_of(model):
    return keras.ops.convert_to_numpy(keras_bin.rho_weights(model)[0])


def take_a_step(optimizer, scale):
    """Returns a model after its first step, and what that added to rho."""
    model = build_model(scale)
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*batch(), verbose=0)
    return model, rho_of(model) - 0.5


def recorded_gates():
    """Returns what RhoHistory recorded and logged in two fits, and the gates after each."""
    model, _ = take_a_step(keras.optimizers.Adam(0.01), 10.0)
    rho_history, after, means = keras_bin.RhoHistory(), [rho_of(model).tolist()], []
    for epoch in range(2):
        logged = model.fit(
            *batch(),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
            validation_data=batch(),
            callbacks=[rho_history],
        ).history
        after.append(rho_of(model).tolist())
        means += logged["rho/bin/mean"]
    return {"recorded": rho_history.rho["bin"].tolist(), "after": after, "means": means}


def said(rate, **settings):
    """Returns the beginnings of what a training for two epochs says."""
    model = build_model(10.0)
    model.compile(
        keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*batch(), epochs=2, verbose=0, **settings)
    return [str(each.message)[:17] for each in caught if "rho" in str(each.message)]


def learned_with_frozen_rho():
    """Returns the weights of the BIN layer that a training has changed, with rho frozen."""
    model = build_model(10.0)
    layer = model.get_layer("bin")
    layer.rho.trainable = False
    model.compile(
        keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    before = layer.get_weights()
    model.fit(*batch(), verbose=0)
    triples = zip(layer.weights, before, layer.get_weights(), strict=True)
    return [weight.name for weight, old, new in triples if (old != new).any()]


def golden_error():
    """Returns how far the layer is from the official code's output in training, case 3.

    Its weights come from a state dict, of PyTorch's own tensors on the PyTorch backend.
    """
    z = np.load(Path(__file__).parent / "data" / "layer_cases.npz")
    case = {key.removeprefix("case03/"): z[key] for key in z.files if key.startswith("case03/")}
    layer = keras_bin.BatchInstanceNormalization(axis=1, epsilon=float(case["eps"]))
    layer.build(case["x"].shape)
    state = {name: case[stored] for name, stored in TORCH_ENTRIES.items()}
    if keras.backend.backend() == "torch":
        import torch

        state = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in state.items()}
    keras_bin.load_torch_state_dict(layer, state, count=math.inf)
    outputs = layer(keras.ops.convert_to_tensor(case["x"], "float32"), training=True)
    return float(np.abs(keras.ops.convert_to_numpy(outputs) - case["y_train"]).max())


def penalty_gradient():
    """Returns the gradient by x of `sum((dL/dx)**2)`, `L = sum(dy * sin(y))`, in training."""
    x = cases.input_with_constant_sample(SHAPE).astype("float32")
    dy = cases.random_input(SHAPE, seed=1).astype("float32")
    layer = cases.make_layer(reference.random_weights(SHAPE[-1]), SHAPE, epsilon=EPSILON)
    if keras.backend.backend() == "jax":
        import jax

        variables = (layer.trainable_variables, layer.non_trainable_variables)
        state = [[variable.value for variable in each] for each in variables]

        def loss(x):
            y, _ = layer.stateless_call(*state, x, training=True)
            return (dy * jax.numpy.sin(y)).sum()

        return jax.jit(jax.grad(lambda x: (jax.grad(loss)(x) ** 2).sum()))(x)
    import torch

    x = torch.tensor(x, requires_grad=True)
    loss = (torch.tensor(dy) * torch.sin(layer(x, training=True))).sum()
    (inner,) = torch.autograd.grad(loss, x, create_graph=True)
    return torch.autograd.grad((inner**2).sum(), x)[0]


def statistics_after_overflow():
    """Returns the moving statistics of a layer, new, after a channel of its input overflowed."""
    layer = keras_bin.BatchInstanceNormalization(momentum=0.0)
    x = np.stack([np.arange(6.0), np.full(6, np.inf)], -1).reshape(2, 3, 2).astype("float32")
    layer(keras.ops.convert_to_tensor(x), training=True)
    return [weight.tolist() for weight in layer.get_weights()[-2:]]


def recalibration():
    """Returns new moving statistics of a deeper layer, and whether an error kept the old ones."""
    layer = keras.layers.BatchNormalization(epsilon=EPSILON)
    model = keras.Sequential([keras.Input((6, 6, 2)), layer, keras.layers.Dropout(0.5)])
    model.add(keras_bin.BatchInstanceNormalization(trainable=False))
    images = batch()[0]

    def failing():
        yield (images,)
        raise OSError

    before = model.get_weights()
    with contextlib.suppress(OSError):
        keras_bin.recalibrate(model, failing(), verbose=0)
    after = model.get_weights()
    keras_bin.recalibrate(model, images, batch_size=RECALIBRATION_BATCH, verbose=0)
    return {
        "kept": all(np.array_equal(*each) for each in zip(before, after, strict=True)),
        "statistics": [weight.tolist() for weight in model.layers[-1].get_weights()[-2:]],
    }


class Branches(keras.layers.Layer):
    """A layer with batch normalization in a dict of lists."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.branches = {"a": [keras.layers.BatchNormalization()], "b": []}

    def call(self, inputs):
        return inputs + self.branches["a"][0](inputs)


def conversion():
    """Returns how far a converted model is from its source, and whether that outlives training."""
    images, labels = batch()
    inputs = keras.Input(images.shape[1:])
    x = keras.layers.BatchNormalization()(Branches()(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    source = keras.Model(inputs, keras.layers.Dense(3)(x))
    source(images, training=True)
    converted = keras_bin.convert_batch_normalization(source)
    differences = [
        keras.ops.abs(source(images, training=training) - converted(images, training=training))
        for training in (False, True)
    ]
    before = source.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    converted.compile("adam", loss)
    converted.fit(images, labels, verbose=0)
    return {
        "differences": [float(keras.ops.max(each)) for each in differences],
        "gates": [rho.shape[0] for rho in keras_bin.rho_weights(converted)],
        "kept": all(map(np.array_equal, before, source.get_weights())),
    }


def main(path):
    results = {
        "golden_error": golden_error(),
        "penalty_gradient": np.asarray(penalty_gradient()).tolist(),
        "overflow": statistics_after_overflow(),
        "recalibration": recalibration(),
        "conversion": conversion(),
        "history": recorded_gates(),
        "said": [said(0.01), said(1e-12), said(0.01, batch_size=1)],
        "learned_with_frozen_rho": learned_with_frozen_rho(),
        "loops": loops(),
    }
    for name, optimizer in OPTIMIZERS.items():
        _, step = take_a_step(optimizer(), 1.0)
        model, scaled = take_a_step(optimizer(), 10.0)
        before = model.get_weights()
        losses = model.fit(*batch(), batch_size=16, epochs=8, verbose=0).history["loss"]
        results[name] = {"step": step.tolist(), "scaled": scaled.tolist(), "losses": losses}
    pairs = zip(before, model.get_weights(), strict=True)
    results["trained"] = [bool((old != new).any()) for old, new in pairs]
    model.save(path)
    results["prediction"] = model.predict(batch()[0], verbose=0).tolist()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
