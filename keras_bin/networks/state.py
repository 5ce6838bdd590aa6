"""Restoring the state of a model."""

import contextlib
from collections.abc import Iterator

import keras

from keras_bin.keras_internals import all_layers, own_parts


def variables_of(model: keras.Model) -> list[keras.Variable]:
    """Returns weights, states of seed generators, and variables of the metrics of all layers.

    `keras.Model.metrics_variables` leaves out the metrics of models inside the model.
    """
    parts = (part for layer in all_layers(model) for part in own_parts(layer))
    metrics = (part for part in parts if isinstance(part, keras.Metric))
    return [*model.variables, *(variable for metric in metrics for variable in metric.variables)]


@contextlib.contextmanager
def restored(model: keras.Model) -> Iterator[None]:
    """Restores weights and states, such as seeds and metrics of layers, after a `with` block."""
    # TensorFlow assigns to new memory while an old value is held, so these are not overwritten.
    before = [(variable, keras.ops.copy(variable)) for variable in variables_of(model)]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
