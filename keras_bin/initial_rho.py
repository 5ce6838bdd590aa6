"""Initial values of rho: initializers, numbers and arrays; a warning about clipped values."""

import numbers
import statistics
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_bin.arrays import array

# The largest share of an initializer's values outside [0, 1] that causes no warning.
_TOLERATED = 0.01
_TINY = 1e-30  # a width for distributions of one value

Values = float | Sequence[float] | NDArray[Any]


@keras.saving.register_keras_serializable(package="keras_bin")
class GateValues(keras.initializers.Initializer):
    """Starts each gate of a layer at its own value.

    Args:
        values: one number per channel.
    """

    def __init__(self, values: list[float]):
        self.values = values

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Returns the values.

        Raises:
            ValueError: their number is not the number of channels.
        """
        if tuple(shape) != (len(self.values),):
            raise ValueError(
                "An array as `rho_initializer` must hold one value per channel; give one number "
                "to start all gates at the same value. "
                f"Received: {len(self.values)} values for weights of shape {tuple(shape)}"
            )
        return ops.convert_to_tensor(self.values, dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the values."""
        return {"values": self.values}


def rho_initializer(given: Any) -> Callable[..., Any]:
    """Makes an initializer from the `rho_initializer` of a layer.

    Raises:
        ValueError: it is None, or a number or array with values outside [0, 1].
    """
    if isinstance(given, (numbers.Real, list, tuple, np.ndarray, np.generic)) or ops.is_tensor(
        given
    ):
        return _of_values(given)
    initializer = keras.initializers.get(given)
    if initializer is None:
        raise ValueError(
            "`rho_initializer` must be a Keras initializer, such as 'ones', or a number or array "
            "in [0, 1]. Received: rho_initializer=None"
        )
    # A dict comes from a config, so the user was warned when the layer was first made.
    if not isinstance(given, dict):
        _warn_of_clipped(given, initializer)
    return initializer


def clipped(initializer: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an initializer whose values are those of another one, clipped to [0, 1]."""

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return ops.clip(initializer(shape, dtype=dtype), 0.0, 1.0)

    return initialize


def _of_values(given: Any) -> keras.initializers.Initializer:
    try:
        values = (array(given) if ops.is_tensor(given) else np.asarray(given)).astype("float64")
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim > 1 or not values.size or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            "`rho_initializer` must be a number in [0, 1], an array of such numbers, one per "
            f"channel, or a Keras initializer. Received: rho_initializer={given!r}"
        )
    if values.ndim == 0:
        return keras.initializers.Constant(float(values))
    return GateValues(values.tolist())


def _warn_of_clipped(given: Any, initializer: Callable[..., Any]) -> None:
    at_zero, at_one = _clipped_shares(initializer)
    if at_zero + at_one > _TOLERATED:
        warnings.warn(
            "Values of `rho_initializer` outside [0, 1] are clipped: about "
            f"{at_zero:.0%} of the gates therefore start at 0, and {at_one:.0%} at 1. Use "
            "keras.initializers.RandomUniform(0, 1), or a number or array in [0, 1]. "
            f"Received: rho_initializer={given!r}",
            stacklevel=4,
        )


def _clipped_shares(initializer: Any) -> tuple[float, float]:
    """Returns the shares of an initializer's values below 0 and above 1, if they are known."""
    known = keras.initializers
    if isinstance(initializer, known.Constant):
        values = np.asarray(initializer.value)
        return float(np.mean(values < 0)), float(np.mean(values > 1))
    share_below = _share_below(initializer)
    if share_below is not None:
        return share_below(0.0), 1 - share_below(1.0)
    if isinstance(initializer, known.VarianceScaling):
        return 0.5, 0.0  # its values lie around 0
    return 0.0, 0.0


def _share_below(initializer: Any) -> Callable[[float], float] | None:
    """Returns the distribution function of a random initializer with known bounds or moments."""
    known = keras.initializers
    if isinstance(initializer, known.RandomUniform):
        low, high = initializer.minval, initializer.maxval
        width = max(high - low, _TINY)
        return lambda value: min(max((value - low) / width, 0.0), 1.0)
    if isinstance(initializer, (known.RandomNormal, known.TruncatedNormal)):
        normal = statistics.NormalDist(initializer.mean, max(initializer.stddev, _TINY))
        if isinstance(initializer, known.RandomNormal):
            return normal.cdf
        # Keras redraws values more than two standard deviations from the mean.
        low, high = (normal.cdf(normal.mean + deviations * normal.stdev) for deviations in (-2, 2))
        return lambda value: min(max((normal.cdf(value) - low) / (high - low), 0.0), 1.0)
    return None
