"""What normalization layers compute while a model is traced for export."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import layers

from keras_bin.inference_form import current_form, inference_form
from keras_bin.keras_internals import all_layers
from keras_bin.networks.normalizations import is_foldable
from keras_bin.normalization.axes import Axes, input_axes
from keras_bin.normalization.formula import apply_constants

from ..folding.constants import Constants
from ..folding.layer_constants import layer_constants

# Part of operator names, by which calls are found in the graph.
CALL = "keras_bin_call_"
MARK_OPERATOR = "CheckNumerics"  # it returns its input and carries a text


class LayerCall(NamedTuple):
    """One call of a normalization layer in a traced model.

    Attributes:
        layer: the layer.
        constants: its weights, folded.
        axes: the axes of its input.
        x: the `tf.TensorSpec` of its input.
        mark: part of the names of the operators that an affine map became, or the text of the
            mark that stands for an instance branch.
    """

    layer: keras.layers.Layer
    constants: Constants
    axes: Axes
    x: Any
    mark: str


class LayerCalls:
    """Traces normalization layers as constants, and keeps a list of their calls.

    Args:
        rho_tolerance: see `fold`.

    Attributes:
        calls: the calls of a trace, in the order of computation.
    """

    def __init__(self, rho_tolerance: float = 0.0):
        self._rho_tolerance = rho_tolerance
        self._constants: dict[int, Constants] = {}
        self.calls: list[LayerCall] = []

    @contextlib.contextmanager
    def traced(self, model: keras.Model) -> Iterator[None]:
        """Makes a model's normalization layers trace as constants inside the `with` block."""
        self.calls = []
        batch_normalizations = [
            layer
            for layer in all_layers(model)
            if isinstance(layer, layers.BatchNormalization) and is_foldable(layer)
        ]
        with contextlib.ExitStack() as stack:
            stack.enter_context(inference_form(self._form))
            for layer in batch_normalizations:
                stack.enter_context(self._replaced_call(layer))
            yield

    @contextlib.contextmanager
    def _replaced_call(self, layer):
        """Makes one BatchNormalization trace as constants, whatever calls it."""

        def call(inputs, training=None, mask=None):
            if current_form() is None or (training and layer.trainable):  # another thread's call
                return type(layer).call(layer, inputs, training=training, mask=mask)
            x = keras.ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
            return keras.ops.cast(self._form(layer, x, mask), layer.compute_dtype)

        object.__setattr__(layer, "call", call)
        try:
            yield
        finally:
            object.__delattr__(layer, "call")

    def _form(self, layer, x, mask):
        import tensorflow as tf

        if id(layer) not in self._constants:
            self._constants[id(layer)] = layer_constants(layer, self._rho_tolerance)
        constants = self._constants[id(layer)]
        axes = input_axes(x.shape, layer.axis, spatial=not constants.affine)
        spec = tf.TensorSpec(x.shape, x.dtype)
        call = LayerCall(layer, constants, axes, spec, f"{CALL}{len(self.calls)}_")
        self.calls.append(call)
        if constants.affine:
            return _affine(x, call)
        if mask is not None:
            return apply_constants(x, constants, axes, layer.epsilon, mask)
        return _marked(x, call)


def _affine(x, call):
    import tensorflow as tf

    scale, offset = (
        call.axes.per_channel(values, x.dtype)
        for values in (call.constants.scale, call.constants.offset)
    )
    return tf.add(tf.multiply(x, scale, f"{call.mark}scale"), offset, f"{call.mark}offset")


def _marked(x, call):
    """Puts a mark, a `MARK_OPERATOR`, where the statistics of a sample are needed."""
    import tensorflow as tf

    return tf.raw_ops.CheckNumerics(tensor=x, message=call.mark)
