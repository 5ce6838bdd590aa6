"""The constraints of the gate rho: between 0 and 1, or settled at one value."""

import numbers
from typing import Any

import keras
from keras import ops

from keras_bin.keras_internals import CONSTRAINTS_BY_NAME


@keras.saving.register_keras_serializable(package="keras_bin")
class UnitInterval(keras.constraints.Constraint):
    """Clips weights to the closed interval [0, 1].

    Formula: `w = min(max(w, 0), 1)`, element by element. Keras applies it after every
    optimizer step, so a gate that an update pushes outside returns to the nearer end.
    NaN stays NaN, so diverged training is not hidden. `keras.constraints.get` accepts its names,
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
        w = ops.convert_to_tensor(w)
        # On PyTorch, Keras 3.15 clips single values of bfloat16 in float32.
        return ops.cast(ops.clip(w, 0.0, 1.0), w.dtype)


BATCH, INSTANCE = 1.0, 0.0  # where rho selects one of the two normalizations


@keras.saving.register_keras_serializable(package="keras_bin")
class SettledRho(keras.constraints.Constraint):
    """Sets every weight to one value, after each step of the optimizer.

    It is the `rho_constraint` of a layer whose gates are settled: they keep this value under every
    optimizer, and the layer's config and the `.keras` file record it. They learn again in a model
    that is built with another constraint. The constraint does not act before the first step, so
    give such a layer the same value as `rho_initializer`.

    Args:
        value: value of the gates: 1 is batch normalization, 0 is instance normalization, and a
            value in between mixes the two in the same proportion in all channels.

    Raises:
        ValueError: `value` is not in [0, 1].

    Example:
    >>> import keras, keras_bin
    >>> layer = keras_bin.BatchInstanceNormalization(rho_constraint=keras_bin.SettledRho(1))
    >>> layer.rho_constraint.get_config()
    {'value': 1.0}
    """

    def __init__(self, value: float):
        if not (isinstance(value, numbers.Real) and 0 <= float(value) <= 1):
            raise ValueError(
                "`value` must be in [0, 1]: 1 is batch normalization, 0 is instance normalization. "
                f"Received: value={value!r}"
            )
        self.value: float = float(value)

    def __call__(self, w: Any) -> Any:
        """Returns a tensor like `w`, filled with `value`."""
        return ops.full_like(ops.convert_to_tensor(w), self.value)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's argument."""
        return {"value": self.value}


CONSTRAINTS_BY_NAME.update(
    dict.fromkeys(("unit_interval", "UnitInterval", "keras_bin>UnitInterval"), UnitInterval)
)
