"""Evaluating a model as it trains: with the statistics of each batch."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_bin.networks.state import restored
from keras_bin.recalibration.batch_statistics import measured, record
from keras_bin.recalibration.pooled_statistics import normalization_layers

Evaluate = Callable[[], dict[str, float]]


@contextlib.contextmanager
def evaluation(model: keras.Model, data: Any, batch_size: int | None = None) -> Iterator[Evaluate]:
    """Yields a function that evaluates a model, whose normalization layers use batch statistics.

    So the moving statistics need not follow what is changed meanwhile, such as rho. Otherwise the
    model runs in inference mode. After the `with` block, weights and states are as before.

    Args:
        model: a compiled model.
        data: `(x, y)` or `(x, y, sample_weight)`, or what `keras.Model.evaluate` takes as `x` and
            can be read more than once.
        batch_size: samples in a batch, for arrays.

    Raises:
        TypeError: `model` is not a `keras.Model`.
        ValueError: see `normalization_layers`.
    """
    layers = normalization_layers(model)
    arguments = data if isinstance(data, tuple) else (data,)
    names = ("x", "y", "sample_weight")[: len(arguments)]
    passed = {**dict(zip(names, arguments, strict=True)), "batch_size": batch_size}
    step, test_function = model.test_step, model.test_function

    def test_step(*arguments: Any) -> Any:
        return record(layers, lambda: step(*arguments))[0]

    def evaluate() -> dict[str, float]:
        results = model.evaluate(**passed, verbose=0, return_dict=True)
        return {name: float(value) for name, value in results.items()}

    with restored(model), measured(layers):
        # Past Keras's own `__setattr__`, which tracks what is set.
        object.__setattr__(model, "test_step", test_step)
        model.test_function = None
        try:
            yield evaluate
        finally:
            object.__delattr__(model, "test_step")
            model.test_function = test_function


def inputs_of(data: Any) -> Any:
    """Returns what `keras.Model.predict` takes, of data for an evaluation."""
    return data[0] if isinstance(data, tuple) else data
