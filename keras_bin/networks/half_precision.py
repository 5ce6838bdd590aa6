"""Half precision: whether a model computes in it, and its configs in float32."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_bin.keras_internals import all_layers

HALF_DTYPES = ("float16", "bfloat16")
_HALF_POLICIES = (*HALF_DTYPES, *(f"mixed_{dtype}" for dtype in HALF_DTYPES))


def is_half_precision(model: keras.Model) -> bool:
    """Tells whether an input, a layer or an output of `model` is float16 or bfloat16."""
    dtypes = {tensor.dtype for tensor in (*model.inputs, *model.outputs)}
    return bool(dtypes.intersection(HALF_DTYPES)) or any(
        layer.compute_dtype in HALF_DTYPES for layer in all_layers(model)
    )


def in_single_precision(config: Any) -> Any:
    """Returns a config, or a part of one, with float32 for each half-precision dtype or policy."""
    if isinstance(config, dict):
        return {key: in_single_precision(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(map(in_single_precision, config))
    return "float32" if isinstance(config, str) and config in _HALF_POLICIES else config


@contextlib.contextmanager
def global_policy(dtype: str | keras.DTypePolicy) -> Iterator[None]:
    """Sets the global dtype policy in a `with` block, for layers that a constructor makes."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
