"""Running a model to see which inputs it accepts and what its layers receive."""

import contextlib
from collections.abc import Sequence

import keras
import numpy as np

from keras_bin.keras_internals import all_layers
from keras_bin.networks.inference import run_model
from keras_bin.networks.signature import Signature

Batch = dict[str, np.ndarray]


class Trial:
    """A Functional model that is run on generated inputs; `restored` undoes what calls assign.

    Args:
        model: a Functional model.
        signature: the model's.
    """

    def __init__(self, model: keras.Model, signature: Signature):
        self.layers = list({id(layer): layer for layer in all_layers(model)}.values())
        self._model = model
        self._signature = signature

    def is_finite(self, batch: Batch) -> bool:
        """Tells whether the model runs on a batch, and every output has values, all finite."""
        try:
            outputs = [keras.ops.convert_to_numpy(output) for output in self._run(batch)]
            return all(x.size and np.isfinite(x.astype("float64")).all() for x in outputs)
        except Exception:  # a model may refuse inputs in any way
            return False

    def first_input(
        self, layers: Sequence[keras.layers.Layer], batch: Batch
    ) -> tuple[keras.layers.Layer, np.ndarray] | None:
        """Returns the layer among `layers` that is called first, and its input; None if none is.

        The model is run only as far as that layer.
        """

        def stop(layer, value):
            raise _CalledError(layer, value)

        try:
            self._watch(layers, batch, stop)
        except _CalledError as called:
            return called.args
        return None

    def inputs_of(
        self, layers: Sequence[keras.layers.Layer], batch: Batch
    ) -> list[tuple[keras.layers.Layer, np.ndarray]]:
        """Returns which of `layers` are called before the model ends or fails, and their inputs."""
        seen = []
        self._watch(layers, batch, lambda *call: seen.append(call))
        return seen

    def _watch(self, layers, batch, tell):
        with contextlib.ExitStack() as stack, contextlib.suppress(Exception):
            for layer in layers:
                stack.enter_context(_watched(layer, tell))
            self._run(batch)

    def _run(self, batch):
        return run_model(self._model, [batch[info.name] for info in self._signature.inputs])


class _CalledError(BaseException):
    """Ends a run. It is not an `Exception`, because Keras turns those into other exceptions."""


@contextlib.contextmanager
def _watched(layer, tell):
    """Calls `tell` with `layer` and its first argument whenever the layer is called."""
    own = vars(layer).get("call")
    call = layer.call

    def telling(*args, **kwargs):
        value = keras.ops.convert_to_numpy(next(iter((*args, *kwargs.values()))))
        tell(layer, np.array(value))
        return call(*args, **kwargs)

    # This bypasses Keras's own `__setattr__`, which tracks what is set.
    object.__setattr__(layer, "call", telling)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")
        if own is not None:
            object.__setattr__(layer, "call", own)
