"""A second copy of a network, in float64, with the same weights."""

import contextlib
from collections.abc import Iterator

import keras

from keras_bin.keras_internals import all_layers


@contextlib.contextmanager
def _building_in_float64() -> Iterator[None]:
    kept = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(kept[0])
        keras.config.set_dtype_policy(kept[1])


def float64_twin(build, model: keras.Model) -> keras.Model:
    """Builds a model again in float64, and gives it the weights of the first.

    Args:
        build: makes the model.
        model: what it made in float32.

    Raises:
        ValueError: the weights of the twin do not match.
    """
    with _building_in_float64():
        twin = build()
    for weight, value in zip(twin.weights, model.weights, strict=True):
        weight.assign(keras.ops.convert_to_numpy(value))
    return twin


def low_precision_layers(model: keras.Model) -> list[str]:
    """Returns the names of layers that compute, or keep weights, in less than float64."""
    return [
        layer.name
        for layer in all_layers(model)
        if {layer.compute_dtype, layer.variable_dtype} & {"float32", "float16", "bfloat16"}
    ]
