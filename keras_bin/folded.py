"""The inference form of a BIN layer: constants, and statistics of each sample."""

from typing import Any

import keras
from keras import ops
from keras.layers import InputSpec

from keras_bin.inference_form import current_form
from keras_bin.normalization.axes import check_axis, input_axes
from keras_bin.normalization.formula import apply_constants, check_epsilon
from keras_bin.normalization.precision import at_least_float32
from keras_bin.runtimes import ANY, check_runtime


@keras.saving.register_keras_serializable(package="keras_bin")
class FoldedBatchInstanceNormalization(keras.layers.Layer):
    """Inference form of `BatchInstanceNormalization`, made by `keras_bin.export.fold`.

    With `m`, `v` the mean and biased variance of a sample and channel:

        y = (x - m) * (scale + instance_scale / sqrt(v + epsilon)) + scale * (m - mean) + offset

    where `scale`, `instance_scale`, `mean` and `offset` are constants per channel. `mean`
    is kept separate from `offset` because `offset - scale * mean` loses digits in float32 if
    the mean is large. A layer with one branch has fewer constants:

        y = (x - m) * instance_scale / sqrt(v + epsilon) + offset       batch=False, all rho 0
        y = x * scale + offset                                          instance=False, all rho 1

    A folded `keras.layers.BatchNormalization` also has the last form.

    Args:
        axis: the channel axis, positive or negative, never the batch axis.
        epsilon: added to the variance of a sample, above 0.
        batch: whether any channel has rho above 0.
        instance: whether any channel has rho below 1.
        centered: whether `mean` is already subtracted from the inputs, for example by a
            convolution whose bias absorbed it; the layer then has no weight `mean`.
        runtime: the runtime that operators are chosen for; see `keras_bin.export.fold`.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Call arguments:
        inputs: tensor of rank 3 or more (2 without an instance branch), of any size except for
            a fixed number of channels.
        training: accepted so that the layer can replace a BIN layer, but ignored: the layer
            always runs in inference mode.
        mask: as for `BatchInstanceNormalization`; elements where it is False are left out of
            the statistics.

    Raises:
        ValueError: an argument is out of its range; at build, the input has no spatial axis
            for the instance branch, `axis` is the batch axis, or the number of channels is
            unknown.

    Example:
    >>> import keras, keras_bin
    >>> layer = keras_bin.FoldedBatchInstanceNormalization(instance=False)
    >>> tuple(layer(keras.ops.ones((2, 4, 4, 3))).shape)
    (2, 4, 4, 3)

    Source: Nam & Kim 2018, section 3, with the statistics of the batch branch fixed.
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-3,
        batch: bool = True,
        instance: bool = True,
        centered: bool = False,
        runtime: str = ANY,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_axis(axis)
        check_epsilon(epsilon)
        check_runtime(runtime)
        if not batch and not instance:
            raise ValueError(
                "`batch` or `instance` must be True; a layer without a branch computes nothing. "
                f"Received: batch={batch!r}, instance={instance!r}"
            )
        self.axis = int(axis)
        self.epsilon = float(epsilon)
        self.batch = batch
        self.instance = instance
        self.centered = centered
        self.runtime = runtime
        self.supports_masking = True
        self.scale: keras.Variable | None = None
        self.offset: keras.Variable | None = None
        self.instance_scale: keras.Variable | None = None
        self.mean: keras.Variable | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the constants for inputs of `input_shape`, batch axis included."""
        self._axes = input_axes(input_shape, self.axis, spatial=self.instance)
        if self.batch:
            self.scale = self._add_constant("scale", "ones")
        self.offset = self._add_constant("offset", "zeros")
        if self.instance:
            initializer = "zeros" if self.batch else "ones"
            self.instance_scale = self._add_constant("instance_scale", initializer)
            if not self.centered:
                self.mean = self._add_constant("mean", "zeros")
        self.input_spec = InputSpec(
            ndim=self._axes.rank, axes={self._axes.channel: self._axes.channels}
        )

    def _add_constant(self, name: str, initializer: str) -> keras.Variable:
        return self.add_weight(
            shape=(self._axes.channels,),
            name=name,
            initializer=initializer,
            trainable=False,
            autocast=False,
        )

    def call(self, inputs: Any, training: bool | None = None, mask: Any | None = None) -> Any:
        """Normalizes `inputs`; the result has their shape and the layer's compute dtype."""
        x = at_least_float32(inputs)
        outputs = (current_form() or _compute)(self, x, mask)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "batch": self.batch,
            "instance": self.instance,
            "centered": self.centered,
            "runtime": self.runtime,
        }


def _compute(layer: FoldedBatchInstanceNormalization, x: Any, mask: Any | None) -> Any:
    constants = (layer.scale, layer.offset, layer.instance_scale, layer.mean)
    return apply_constants(x, constants, layer._axes, layer.epsilon, mask, layer.runtime)
