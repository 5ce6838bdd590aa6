"""Which axes of an input are the channel and the spatial ones, and how masks cover them."""

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

from keras import ops

from keras_bin.normalization.small_tensors import reshape


class Axes(NamedTuple):
    """The axes of an input of known rank.

    Attributes:
        rank: number of axes, batch included.
        channel: index of the channel axis, in [1, rank).
        channels: size of that axis.
    """

    rank: int
    channel: int
    channels: int

    @property
    def spatial(self) -> tuple[int, ...]:
        """All axes but batch and channel."""
        return tuple(i for i in range(1, self.rank) if i != self.channel)

    @property
    def channel_shape(self) -> tuple[int, ...]:
        """The shape in which values of the channels broadcast against the input."""
        return tuple(self.channels if i == self.channel else 1 for i in range(self.rank))

    def per_channel(self, values: Any, dtype: str) -> Any:
        """Casts and reshapes values of the channels so that they broadcast against the input.

        Args:
            values: variable, array or tensor of shape `(channels,)`, or a number for all channels.
            dtype: the dtype of the result.
        """
        if isinstance(values, numbers.Number):
            values = ops.full((self.channels,), values)
        return reshape(ops.cast(values, dtype), self.channel_shape)

    def valid(self, mask: Any | None, x: Any) -> Any | None:
        """Broadcasts a mask with one axis fewer than `x` to the shape of `x`, or returns None.

        Raises:
            ValueError: the mask has a different rank.
        """
        if mask is None:
            return None
        if len(mask.shape) != self.rank - 1:
            raise ValueError(
                "`mask` must have one axis fewer than the inputs (it covers all but the last "
                "axis); reduce or expand it. "
                f"Received: mask.shape={tuple(mask.shape)}, inputs.shape={tuple(x.shape)}"
            )
        return ops.broadcast_to(ops.cast(ops.expand_dims(mask, -1), "bool"), ops.shape(x))


def check_axis(axis: Any) -> None:
    """Checks that `axis` is an integer; whether it fits the inputs is checked at build.

    Raises:
        ValueError: it is something else, such as a list or a float.
    """
    if not isinstance(axis, numbers.Integral):
        raise ValueError(
            f"`axis` must be the integer index of the channel axis. Received: axis={axis!r}"
        )


def input_axes(shape: Sequence[int | None], axis: int, spatial: bool = True) -> Axes:
    """Resolves `axis` against an input shape.

    Args:
        shape: input shape with the batch axis; None stands for an unknown size.
        axis: index of the channel axis, positive or negative.
        spatial: whether a spatial axis is needed.

    Raises:
        ValueError: there is no spatial axis, `axis` is the batch axis or out of range, or
            the number of channels is unknown.
    """
    shape = tuple(shape)
    rank = len(shape)
    if spatial and rank < 3:
        raise ValueError(
            "Batch-instance normalization needs at least one spatial axis to take instance "
            "statistics over: inputs must have rank 3 or more, (batch, spatial..., channels). "
            "Use keras.layers.BatchNormalization on vectors. "
            f"Received: input_shape={shape}"
        )
    if not -rank <= axis < rank or axis % rank == 0:
        raise ValueError(
            f"`axis` must be the channel axis, from 1 to {rank - 1} or from {1 - rank} to -1 for "
            f"inputs of rank {rank}; the batch axis cannot be normalized per channel. "
            f"Received: axis={axis}, input_shape={shape}"
        )
    channel = axis % rank
    channels = shape[channel]
    if channels is None:
        raise ValueError(
            "The number of channels must be known when the layer is built; give it in "
            f"keras.Input. Received: input_shape={shape}, axis={axis}"
        )
    return Axes(rank, channel, channels)
