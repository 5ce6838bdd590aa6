"""The constraint that keeps the gate rho between 0 and 1."""

from typing import Any

import keras
from keras import ops

from keras_bin.keras_internals import CONSTRAINTS_BY_NAME


@keras.saving.register_keras_serializable(package="keras_bin")
class UnitInterval(keras.constraints.Constraint):
    """Clips weights to the closed interval [0, 1].

    Formula: `w = min(max(w, 0), 1)`, element by element. Keras applies it after every
    optimizer step, so a gate that an update pushes outside comes back to the nearer end.
    NaN stays NaN: a diverged training is not hidden. `keras.constraints.get` finds it by its names,
    `"unit_interval"`, `"UnitInterval"` and `"keras_bin>UnitInterval"`.

    Example:
    >>> import keras, keras_bin
    >>> clipped = keras_bin.UnitInterval()(keras.ops.array([-0.5, 0.25, 1.5]))
    >>> [float(value) for value in clipped]
    [0.0, 0.25, 1.0]

    Source: Nam & Kim 2018, section 3: rho is clipped to [0, 1] at every parameter update.
    """

    def __call__(self, w: Any) -> Any:
        """Returns `w` with each element clipped to [0, 1]; shape and dtype are kept."""
        return ops.clip(w, 0.0, 1.0)


CONSTRAINTS_BY_NAME.update(
    dict.fromkeys(("unit_interval", "UnitInterval", "keras_bin>UnitInterval"), UnitInterval)
)
