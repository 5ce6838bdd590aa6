"""What a BIN layer becomes for inference: constants, and statistics of the input itself."""

import keras
from keras import ops
from keras.layers import InputSpec

from keras_bin.axes import check_axis, input_axes
from keras_bin.statistics import blend, check_epsilon, instance_moments


@keras.saving.register_keras_serializable(package="keras_bin")
class FoldedBatchInstanceNormalization(keras.layers.Layer):
    """Inference form of `BatchInstanceNormalization`, made by `keras_bin.export.fold`.

    With `instance=True`, and `m`, `v` the mean and biased variance of a sample and channel:

        y = (x - m) * (scale + instance_scale / sqrt(v + epsilon)) + scale * (m - mean) + offset

    where `scale`, `instance_scale`, `mean` and `offset` are constants per channel. `mean`
    stays apart from `offset` because `offset - scale * mean` loses digits in float32 where
    the mean is large. With `instance=False` (every rho is 1) the layer is the affine map

        y = x * scale + offset

    Args:
        axis: the channel axis, positive or negative, never the batch axis.
        epsilon: added to the variance of a sample, above 0.
        instance: whether any channel has rho below 1.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Call arguments:
        inputs: tensor of rank 3 or more, of any size but a fixed number of channels.
        mask: as for `BatchInstanceNormalization`; statistics skip where it is False.

    Raises:
        ValueError: an argument is out of its range; at build, the input has no spatial axis,
            `axis` is the batch axis, or the number of channels is unknown.

    Example:
    >>> import keras, keras_bin
    >>> layer = keras_bin.FoldedBatchInstanceNormalization(instance=False)
    >>> tuple(layer(keras.ops.ones((2, 4, 4, 3))).shape)
    (2, 4, 4, 3)

    Source: Nam & Kim 2018, section 3, with the statistics of the batch branch fixed.
    """

    def __init__(self, axis: int = -1, epsilon: float = 1e-3, instance: bool = True, **kwargs):
        super().__init__(**kwargs)
        check_axis(axis)
        check_epsilon(epsilon)
        self.axis = int(axis)
        self.epsilon = float(epsilon)
        self.instance = instance
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        """Creates the constants for inputs of `input_shape`, batch axis included."""
        self._axes = input_axes(input_shape, self.axis)
        self.scale = self._add_constant("scale", "ones")
        self.offset = self._add_constant("offset", "zeros")
        if self.instance:
            self.instance_scale = self._add_constant("instance_scale", "zeros")
            self.mean = self._add_constant("mean", "zeros")
        self.input_spec = InputSpec(
            ndim=self._axes.rank, axes={self._axes.channel: self._axes.channels}
        )

    def _add_constant(self, name, initializer):
        return self.add_weight(
            shape=(self._axes.channels,),
            name=name,
            initializer=initializer,
            trainable=False,
            autocast=False,
        )

    def call(self, inputs, mask=None):
        """Normalizes `inputs`; the result has their shape and the layer's compute dtype."""
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        scale = self._channel_values(self.scale, dtype)
        offset = self._channel_values(self.offset, dtype)
        if self.instance:
            instance = instance_moments(x, self._axes.spatial, self._axes.valid(mask, x))
            outputs = blend(
                instance,
                instance.offset_from(self._channel_values(self.mean, dtype)),
                scale,
                self._channel_values(self.instance_scale, dtype),
                offset,
                self.epsilon,
            )
        else:
            outputs = x * scale + offset
        return ops.cast(outputs, self.compute_dtype)

    def _channel_values(self, weight, dtype):
        return self._axes.per_channel(ops.cast(weight, dtype))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "instance": self.instance,
        }
