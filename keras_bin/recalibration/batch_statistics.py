"""The statistics that reach the normalization layers of a model, batch by batch."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_bin.networks.normalizations import NORMALIZATIONS
from keras_bin.normalization.axes import Axes, input_axes
from keras_bin.normalization.moments import batch_moments, instance_moments
from keras_bin.normalization.precision import at_least_float32
from keras_bin.traces import current_graph

NOT_READABLE = (
    "The inputs of a normalization layer can be read only if the model calls it directly, not in a "
    "loop or compiled function inside the model: give RNN layers `unroll=True` and inputs of "
    "TimeDistributed a fixed number of steps; build the model without `tf.function` on its "
    "layers, and outside keras.RematScope."
)


class Statistics(NamedTuple):
    """Statistics of the inputs that a layer was called on, each of shape `(calls, channels)`.

    Attributes:
        mean: in input units.
        variance: biased, input units squared.
        count: number of elements behind them, a float; 0 if there was none.
    """

    mean: Any
    variance: Any
    count: Any


class _Recorder(NamedTuple):
    calls: dict[int, list[Statistics]]
    graph: Any


_recorder: contextvars.ContextVar[_Recorder | None] = contextvars.ContextVar(
    "recorder", default=None
)


@contextlib.contextmanager
def measured(layers: Sequence[keras.layers.Layer]) -> Iterator[None]:
    """Prepares normalization layers for `record` inside a `with` block."""
    kinds = [type(layer) for layer in layers]
    try:
        for layer, kind in zip(layers, kinds, strict=True):
            _set_class(layer, _measured_class(kind))
        yield
    finally:
        for layer, kind in zip(layers, kinds, strict=True):
            _set_class(layer, kind)


def record(
    layers: Sequence[keras.layers.Layer], function: Callable[[], Any]
) -> tuple[Any, list[Statistics | None]]:
    """Calls a function in which `measured` layers normalize with the statistics of the batch.

    These are the mean and variance of the layer's inputs, whether it is frozen or not. No variable
    of the layer changes. Calls from other threads are not affected.

    Returns:
        What the function returned, and for each layer the statistics of its calls, or None if
        there was no call.
    """
    calls: dict[int, list[Statistics]] = {id(layer): [] for layer in layers}
    token = _recorder.set(_Recorder(calls, current_graph()))
    try:
        result = function()
    finally:
        _recorder.reset(token)
    return result, [_joined(calls[id(layer)]) for layer in layers]


def _set_class(layer: keras.layers.Layer, kind: type) -> None:
    # This bypasses Keras's own `__setattr__`, which tracks what is set.
    object.__setattr__(layer, "__class__", kind)


def _measured_class(kind: Any) -> type:
    """Returns a subclass that measures its inputs, or what `call` of `kind` passes to `super()`."""
    base: Any = next(base for base in NORMALIZATIONS if issubclass(kind, base))

    class Measured(base):
        def call(self, inputs: Any, training: bool | None = None, mask: Any | None = None) -> Any:
            recorder = _recorder.get()
            if recorder is None:
                return super().call(inputs, training=training, mask=mask)
            return _call_with_batch_statistics(super().call, self, recorder, inputs, mask)

    Measured.__name__ = kind.__name__  # the name in Keras's errors
    return Measured if kind is base else type(kind.__name__, (kind, Measured), {})


def _call_with_batch_statistics(
    call: Callable[..., Any], layer: Any, recorder: _Recorder, inputs: Any, mask: Any | None
) -> Any:
    if current_graph() is not recorder.graph:
        raise ValueError(f"{NOT_READABLE} Received: layer={layer.path!r}")
    axes = input_axes(inputs.shape, layer.axis, spatial=False)
    statistics = _statistics(inputs, axes, mask)
    recorder.calls[id(layer)].append(statistics)
    # A scope hides the values of the scope around it, so this one holds all the layer reads.
    values = {id(variable): (variable, variable.value) for variable in layer.variables}
    moving = (layer.moving_mean, layer.moving_variance)
    for variable, value in zip(moving, statistics[:2], strict=True):
        values[id(variable)] = (variable, ops.cast(value[0], variable.dtype))
    with keras.StatelessScope(state_mapping=list(values.values())):
        return call(inputs, training=False, mask=mask)


def _statistics(inputs: Any, axes: Axes, mask: Any | None) -> Statistics:
    """Computes the statistics of a batch in at least float32."""
    x = at_least_float32(inputs)
    valid = axes.valid(mask, x)
    row = (1, axes.channels)
    if not axes.spatial:  # the batch axis takes the place of a spatial one
        x, valid = (None if each is None else ops.expand_dims(each, 0) for each in (x, valid))
        axes = Axes(3, 2, axes.channels)
    instance = instance_moments(x, axes.spatial, valid)
    batch = batch_moments(instance)
    count = ops.broadcast_to(ops.cast(batch.count, x.dtype), batch.mean.shape)
    return Statistics(*(ops.reshape(each, row) for each in (batch.mean, batch.variance, count)))


def _joined(calls: list[Statistics]) -> Statistics | None:
    if not calls:
        return None
    return Statistics(*(ops.concatenate(each) for each in zip(*calls, strict=True)))
