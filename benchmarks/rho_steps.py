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


def main() -> None:
    """Measures and prints the table."""
    table = Table(title=f"rho's first step at scale {SCALE:g}, in steps at scale 1")
    for column in ("optimizer", "clipping", "BINModel", "gradient x 10 alone", "other weights"):
        table.add_column(column, justify="right" if column[0] in "Bgo" else "left")
    for cls in track(optimizer_classes(), description="optimizers"):
        for clipping, arguments in CLIPPING.items():
            step, others = first_step(cls(learning_rate=1e-3, **arguments), 1.0)
            naive = gradient_scaled_step(cls(learning_rate=1e-3, **arguments))
            naive_ratio = f"{np.median(naive / step):.2f}"
            try:
                scaled, scaled_others = first_step(cls(learning_rate=1e-3, **arguments), SCALE)
            except ValueError as error:
                table.add_row(cls.__name__, clipping, "refused", naive_ratio, str(error)[:40])
                continue
            change = max(
                np.abs(scaled_others[path] - others[path]).max() / np.abs(others[path]).max()
                for path in others
            )
            ratios = scaled / step
            table.add_row(
                cls.__name__,
                clipping,
                f"{ratios.min():.3f} to {ratios.max():.3f}",
                naive_ratio,
                f"{change:.1e}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
