"""Nets whose channels differ in size, as before they are normalized, and pictures for them."""

import functools
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_bin
from keras_bin.export import export_onnx, quantize_onnx

NORMS = {
    "mixed": lambda: keras_bin.BatchInstanceNormalization(rho_initializer=0.5),
    "batch": lambda: keras_bin.BatchInstanceNormalization(),
    "parted": lambda: keras_bin.BatchInstanceNormalization(rho_initializer=[0.0] * 3 + [1.0] * 13),
    "instance": lambda: keras_bin.BatchInstanceNormalization(rho_initializer="zeros"),
    "group": lambda: keras.layers.GroupNormalization(-1),
}
MIXED = ("mixed",) * 3


def pictures(count=64):
    """Returns pictures of smooth colours, of several contrasts."""
    rng = np.random.default_rng(0)
    coarse = rng.random((count, 4, 4, 3)) * rng.choice([0.2, 1, 3], (count, 1, 1, 1))
    return coarse.repeat(4, 1).repeat(4, 2).astype("float32")


def net(norms=MIXED, decades=1.0):
    """Returns a net of three convolutions and a residual addition.

    Args:
        norms: keys of `NORMS`, of the normalization after each convolution.
        decades: powers of ten by which the channels of a convolution differ at most.
    """
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    inputs = x = keras.Input((16, 16, 3), name="image")
    for number, norm in enumerate(norms):
        before = x
        convolution = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)
        x = NORMS[norm]()(convolution(x))
        x = keras.layers.ReLU()(x)
        x = keras.layers.Add()([before, x]) if number else x
        scales = 10 ** rng.uniform(-decades / 2, decades / 2, 16)
        convolution.kernel.assign(convolution.kernel * scales.astype("float32"))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(5, name="logits")(x))
    if "group" not in norms:
        keras_bin.recalibrate(model, pictures())
    return model


def exported(folder, *given, **options):
    """Returns the path of a net's ONNX file; see `net` and `export_onnx`."""
    path = folder / "float.onnx"
    path.write_bytes(_exported(given, **options))
    return path


@functools.cache  # many tests quantize the same file
def _exported(given, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "float.onnx")
        return export_onnx(net(*given), path, verbose=False, **options).path.read_bytes()


def quantized(artifact, path, **options):
    """Quantizes a net on `pictures`; see `quantize_onnx`."""
    return quantize_onnx(artifact, path, pictures(), verbose=False, **options)


def limit(report, bound):
    """Returns the largest error to allow: what `bound` is for 8 bits, 7 bits may double."""
    return bound * 2 ** (8 - report.weight_bits)
