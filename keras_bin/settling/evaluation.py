"""Evaluating a model as it trains: with the statistics of each batch."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_bin.arrays import array
from keras_bin.networks.state import restored
from keras_bin.recalibration.batch_statistics import measured, record
from keras_bin.recalibration.pooled_statistics import normalization_layers

Evaluate = Callable[[], dict[str, float]]


@contextlib.contextmanager
def evaluation(model: keras.Model, data: Any, batch_size: int | None = None) -> Iterator[Evaluate]:
    """Yields a function that evaluates a model whose normalization layers use batch statistics.

    So the moving statistics need not match what changes in the meantime, such as rho. Otherwise,
    the model runs in inference mode. After the `with` block, weights and states are as before.

    Args:
        model: a compiled model.
        data: `(x, y)` or `(x, y, sample_weight)`, or anything that `keras.Model.evaluate` accepts
            as `x` and that can be read more than once.
        batch_size: samples per batch, for arrays.

    Raises:
        TypeError: `model` is not a `keras.Model`.
        ValueError: see `normalization_layers`.
    """
    layers = normalization_layers(model)
    passed = {**passed_as(data), "batch_size": batch_size}
    step, test_function = model.test_step, model.test_function
    own_step = vars(model).get("test_step")
    recorded = False

    def test_step(*arguments: Any) -> Any:
        nonlocal recorded
        recorded = True
        return record(layers, lambda: step(*arguments))[0]

    def evaluate() -> dict[str, float]:
        results = model.evaluate(**passed, verbose=0, return_dict=True)
        if not recorded:
            raise ValueError(
                "`evaluate` must call the model's `test_step`, or nothing can be measured; do not "
                "override it or `make_test_function`, and leave NNX mode (KERAS_NNX_ENABLED) off. "
                f"Received: model={model.name!r}"
            )
        return {name: float(value) for name, value in results.items()}

    with restored(model), _metrics_restored(model), measured(layers):
        # This bypasses Keras's own `__setattr__`, which tracks what is set.
        object.__setattr__(model, "test_step", test_step)
        model.test_function = None
        try:
            yield evaluate
        finally:
            object.__delattr__(model, "test_step")
            if own_step is not None:
                object.__setattr__(model, "test_step", own_step)
            model.test_function = test_function


@contextlib.contextmanager
def _metrics_restored(model: keras.Model) -> Iterator[None]:
    """Restores the model's own metrics, including its loss tracker."""
    variables = [variable for metric in model.metrics for variable in metric.variables]
    before = [array(variable) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def passed_as(data: Any) -> dict[str, Any]:
    """Returns data as arguments of `fit` and `evaluate`."""
    parts = data if isinstance(data, tuple) else (data,)
    return dict(zip(("x", "y", "sample_weight")[: len(parts)], parts, strict=True))


def inputs_of(data: Any) -> Any:
    """Returns the part of evaluation data that `keras.Model.predict` takes."""
    return data[0] if isinstance(data, tuple) else data
