"""Prints how far `rho_gradient_scale` lengthens rho's first step under every Keras optimizer.

    python -m benchmarks.rho_steps

Each optimizer takes one step from the same weights, with scale 1 and with scale 10. The
table shows the ratio of rho's two steps beside that of plain gradient scaling (which is
what multiplying a gradient by 10 does without BINModel), and the largest change of any
other weight's step, relative to its size, which must be 0.
"""

import keras
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import keras_bin

SCALE = 10.0
CLIPPING = {
    "none": {},
    "clipnorm": {"clipnorm": 1e-3},
    "clipvalue": {"clipvalue": 1e-4},
    "global_clipnorm": {"global_clipnorm": 1e-3},
}


def optimizer_classes():
    """Returns the optimizer classes that Keras ships, wrappers of other optimizers apart."""
    wrappers = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    names = [name for name in dir(keras.optimizers) if name[0].isupper() and name not in wrappers]
    return [getattr(keras.optimizers, name) for name in names]


def build_model(scale: float) -> keras_bin.BINModel:
    """Builds a small BIN net with rho at 0.5 and fixed weights."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras_bin.BatchInstanceNormalization(
        name="bin", rho_initializer=keras.initializers.Constant(0.5)
    )(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Activation("gelu")(x))
    outputs = keras.layers.Dense(3, name="head")(x)
    return keras_bin.BINModel(inputs, outputs, rho_gradient_scale=scale)


def batch():
    """Returns images whose samples differ in offset and contrast, and labels."""
    rng = np.random.default_rng(2)
    style = rng.normal(1, 0.5, (2, 16, 1, 1, 2))
    images = style[0] * rng.normal(size=(16, 6, 6, 2)) + style[1]
    return images.astype("float32"), np.arange(16) % 3


def first_step(optimizer, scale: float):
    """Returns what one training step adds to rho, and to every other weight."""
    model = build_model(scale)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = {w.path: keras.ops.convert_to_numpy(w).copy() for w in model.trainable_weights}
    model.train_on_batch(*batch())
    steps = {
        w.path: keras.ops.convert_to_numpy(w).astype("float64") - before[w.path]
        for w in model.trainable_weights
    }
    return steps.pop("bin/rho"), steps


def gradient_scaled_step(optimizer):
    """Returns rho's first step when only its gradient is multiplied by SCALE."""
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
    rho = keras_bin.rho_weights(model)[0]
    before = rho.numpy()
    optimizer.apply_gradients(
        [(SCALE * g if w is rho else g, w) for g, w in zip(gradients, weights, strict=True)]
    )
    return rho.numpy().astype("float64") - before


def measure(cls, clipping: str) -> tuple[str, str, str]:
    """Returns one row's ratios: with BINModel, with the gradient scaled alone, other weights."""

    def optimizer():
        return cls(learning_rate=1e-3, **CLIPPING[clipping])

    step, others = first_step(optimizer(), 1.0)
    try:
        scaled, scaled_others = first_step(optimizer(), SCALE)
    except ValueError:
        return "refused at compile", "-", "-"
    ratios = scaled / step
    naive = np.median(gradient_scaled_step(optimizer()) / step)
    change = max(
        np.abs(scaled_others[path] - others[path]).max() / np.abs(others[path]).max()
        for path in others
    )
    return f"{ratios.min():.3f} to {ratios.max():.3f}", f"{naive:.2f}", f"{change:.0e}"


def main() -> None:
    """Measures and prints the table."""
    # rho near 0.5 resolves steps to 6e-8 in float32, more than clipping leaves of some.
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    table = Table(title=f"rho's first step at scale {SCALE:g}, in steps at scale 1")
    table.add_column("optimizer")
    table.add_column("clipping")
    for column in ("BINModel", f"gradient x {SCALE:g} alone", "other weights' change"):
        table.add_column(column, justify="right")
    for cls in track(optimizer_classes(), description="optimizers"):
        for clipping in CLIPPING:
            table.add_row(cls.__name__, clipping, *measure(cls, clipping))
    Console().print(table)


if __name__ == "__main__":
    main()
