"""The arguments of batch renormalization, which configs of batch normalization contain."""

from typing import Any

# As in Keras 3.15, with the values that mean plain batch normalization.
_PLAIN = {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}


def without_renorm(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Returns keyword arguments without those of batch renormalization.

    Raises:
        ValueError: one of them has a different value than in plain batch normalization.
    """
    for name, plain in _PLAIN.items():
        if kwargs.get(name, plain) != plain:
            raise ValueError(
                "BatchInstanceNormalization has no batch renormalization: it accepts the `renorm` "
                f"arguments of BatchNormalization only at their defaults. Leave `{name}` out, or "
                f"keep keras.layers.BatchNormalization here. Received: {name}={kwargs[name]!r}"
            )
    return {name: value for name, value in kwargs.items() if name not in _PLAIN}
