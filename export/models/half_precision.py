"""Half precision: whether a model computes in it, and the same in another precision."""

import contextlib

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


def in_single_precision(config):
    """Returns a config in which each dtype or policy of half precision is float32.

    Args:
        config: what `get_config` returns, or a part of it.
    """
    if isinstance(config, dict):
        return {key: in_single_precision(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(map(in_single_precision, config))
    return "float32" if isinstance(config, str) and config in _HALF_POLICIES else config


@contextlib.contextmanager
def global_policy(dtype: str):
    """Sets the global dtype policy, for the layers that layers make in their constructors."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
