"""What files say of the arguments of `compile`, on whatever backend they were written."""

from typing import Any

from keras_bin.keras_internals import OPTIMIZERS_OF_TORCH


def on_any_backend(config: Any) -> Any:
    """Replaces optimizers that are PyTorch's alone by those that Keras has on every backend.

    On PyTorch, Keras 3.15 saves `keras.optimizers.Adam` and others as classes of its own, which
    fail at the first step on any other backend.

    Args:
        config: a config, or part of one; it is not changed.
    """
    if isinstance(config, dict):
        config = {name: on_any_backend(value) for name, value in config.items()}
        if str(config.get("module")).startswith(OPTIMIZERS_OF_TORCH):
            config.update(module="keras.optimizers", registered_name=None)
        return config
    return [on_any_backend(each) for each in config] if isinstance(config, list) else config
