"""A regularizer that pulls gates toward batch normalization, which costs nothing to serve."""

import math
from typing import Any

import keras
from keras import ops

from keras_bin.settling.checks import is_number


@keras.saving.register_keras_serializable(package="keras_bin")
class InstancePenalty(keras.regularizers.Regularizer):
    """Adds a cost for a layer's instance branch to the loss: `strength * sum(1 - rho)`.

    Its gradient is `-strength` for each gate, whatever the gate's value: a gate rises to 1 if
    lowering it would reduce the loss by less than `strength` per unit. `keras_bin.BINModel`
    multiplies rho's whole step, and so both parts of its gradient, by `rho_gradient_scale`: by
    default, gates move ten times as fast, and come to rest where they would without it.

    A layer has its serving cost as long as one of its gates is below 1, and a penalty rarely moves
    the last ones to 1; `keras_bin.SettleRho` does. The two can be used together.

    Args:
        strength: in units of the loss per gate, finite and 0 or more. To weight layers by their
            cost, multiply it by `cost / channels` of `keras_bin.rho_worth`; docs/settling.md shows
            how.

    Raises:
        ValueError: `strength` is out of its range.

    Example:
    >>> import keras, keras_bin
    >>> layer = keras_bin.BatchInstanceNormalization(
    ...     rho_initializer=0.25, rho_regularizer=keras_bin.InstancePenalty(0.01)
    ... )
    >>> _ = layer(keras.ops.ones((2, 4, 4, 3)))
    >>> round(float(layer.losses[0]), 6)
    0.0225
    """

    def __init__(self, strength: float):
        if not (is_number(strength) and 0 <= strength < math.inf):
            raise ValueError(
                "`strength` must be a finite number, 0 or more, in units of the loss. "
                f"Received: strength={strength!r}"
            )
        self.strength: float = float(strength)

    def __call__(self, x: Any) -> Any:
        """Returns the penalty of the gates `x`, a scalar."""
        return self.strength * ops.sum(1 - x)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's argument."""
        return {"strength": self.strength}
