"""Prints how far `rho_gradient_scale` lengthens rho's first step under every Keras optimizer.

    python -m benchmarks.rho_steps

Each optimizer takes one step from the same weights, with scale 1 and with scale 10, through
BINModel, and through a plain step with rho's gradient multiplied by 10. The table shows the
ratio of rho's two steps, lowest and highest of its channels, and the ratio of the norms of
all other weights' steps, which must be 1.
"""

import warnings

import keras
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import keras_bin
from testing.small_net import batch, build_model

SCALE = 10.0
CLIPPING = {
    "none": {},
    "clipnorm": {"clipnorm": 1e-3},
    "clipvalue": {"clipvalue": 1e-4},
    "global_clipnorm": {"global_clipnorm": 1e-3},
}


def optimizer_classes():
    """Returns the optimizer classes that Keras ships, except wrappers of other optimizers."""
    wrappers = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    names = [name for name in dir(keras.optimizers) if name[0].isupper() and name not in wrappers]
    return [getattr(keras.optimizers, name) for name in names]


def first_step(optimizer, scale: float, run_eagerly: bool = False):
    """Returns what one training step adds to rho, and to every other weight."""
    model = build_model(scale)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, run_eagerly=run_eagerly)
    before = {w.path: keras.ops.convert_to_numpy(w).copy() for w in model.trainable_weights}
    model.train_on_batch(*batch())
    steps = {
        w.path: keras.ops.convert_to_numpy(w).astype("float64") - before[w.path]
        for w in model.trainable_weights
    }
    return steps.pop("bin/rho"), steps


def gradient_scaled_step(optimizer):
    """Returns what `first_step` does, for a plain step with rho's gradient times SCALE."""
    import tensorflow as tf

    model = build_model(1.0)
    images, labels = batch()
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        )
    weights = model.trainable_weights
    gradients = tape.gradient(loss, weights)
    before = {w.path: w.numpy().copy() for w in weights}
    pairs = [
        (SCALE * gradient if weight.name == "rho" else gradient, weight)
        for gradient, weight in zip(gradients, weights, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", keras_bin.UnscaledRhoWarning)
        optimizer.apply_gradients(pairs)
    steps = {w.path: w.numpy() - before[w.path] for w in weights}
    return steps.pop("bin/rho"), steps


def measure(cls, arguments: dict) -> list[str]:
    """Returns one row's ratios of rho and of the other weights, by BINModel and plainly."""

    def optimizer():
        return cls(learning_rate=1e-3, **arguments)

    rho, others = first_step(optimizer(), 1.0)
    try:
        taken = [first_step(optimizer(), SCALE), gradient_scaled_step(optimizer())]
    except ValueError:
        return ["refused", "-", "-", "-"]
    row = []
    for scaled_rho, scaled_others in taken:
        ratios = scaled_rho / rho
        row.append(f"{ratios.min():.3f} to {ratios.max():.3f}")
        row.append(f"{_norm(scaled_others) / _norm(others):.3f}")
    return row


def _norm(steps):
    return np.sqrt(sum(np.square(step).sum() for step in steps.values()))


def main() -> None:
    """Measures and prints the table."""
    # rho near 0.5 resolves steps to 6e-8 in float32, which is more than some clipped steps.
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    table = Table(title=f"First step at scale {SCALE:g}, in steps at scale 1")
    table.add_column("optimizer")
    table.add_column("clipping")
    for how in ("BINModel", f"gradient x {SCALE:g}"):
        table.add_column(f"{how}: rho", justify="right")
        table.add_column("others", justify="right")
    rows = [
        (cls, name, arguments)
        for cls in optimizer_classes()
        for name, arguments in CLIPPING.items()
    ]
    rows.append((keras.optimizers.SGD, "none, momentum 0.9", {"momentum": 0.9}))
    for cls, name, arguments in track(rows, description="optimizers"):
        table.add_row(cls.__name__, name, *measure(cls, arguments))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
