"""Half precision: whether a model computes in it, and the same in another precision."""

import contextlib

import keras

HALF_DTYPES = ("float16", "bfloat16")
_HALF_POLICIES = (*HALF_DTYPES, *(f"mixed_{dtype}" for dtype in HALF_DTYPES))


def is_half_precision(model: keras.Model) -> bool:
    """Tells whether an input, a layer or an output of `model` is float16 or bfloat16."""
    dtypes = {tensor.dtype for tensor in (*model.inputs, *model.outputs)}
    return bool(dtypes.intersection(HALF_DTYPES)) or any(
        layer.compute_dtype in HALF_DTYPES for layer in model._flatten_layers()
    )


def to_dtype(config, dtype: str):
    """Returns a config in which each dtype or policy of less precision than `dtype` is `dtype`.

    Args:
        config: what `get_config` returns, or a part of it.
        dtype: `"float32"` or `"float64"`.
    """
    if isinstance(config, dict):
        return {key: to_dtype(value, dtype) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(to_dtype(value, dtype) for value in config)
    lower = _HALF_POLICIES if dtype == "float32" else (*_HALF_POLICIES, "float32")
    return dtype if isinstance(config, str) and config in lower else config


@contextlib.contextmanager
def global_policy(dtype: str):
    """Sets the global dtype policy, for the layers that layers make in their constructors."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
