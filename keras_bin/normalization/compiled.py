"""Functions that XLA compiles inside a TensorFlow graph that it does not compile as a whole."""

from collections.abc import Callable
from typing import Any

import keras

_HOLE = object()  # where a structure has a tensor


def can_compile(x: Any) -> bool:
    """Tells whether to compile a function of `x`.

    Not if a size of `x` is unknown: XLA compiles for about a second whenever it meets a new shape.
    Where there are other devices than processors, Keras lets XLA compile whole models, unless users
    do not want that. TensorFlow is built without XLA for some systems.
    """
    import tensorflow as tf

    devices = {device.device_type for device in tf.config.get_visible_devices()}
    return None not in x.shape and devices == {"CPU"} and tf.test.is_built_with_xla()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Lets XLA compile a function that is called in a TensorFlow graph.

    Each call is traced and compiled on its own.

    Args:
        function: takes and returns nested structures of tensors and other values.
    """
    import tensorflow as tf

    def call(*arguments: Any) -> Any:
        others: Any = None

        # A `tf.function` would turn the numbers among its results into tensors.
        @tf.function(autograph=False, jit_compile=True)
        def compute(*arguments: Any) -> list[Any]:
            nonlocal others
            results = function(*arguments)
            others = keras.tree.map_structure(
                lambda leaf: _HOLE if tf.is_tensor(leaf) else leaf, results
            )
            return [leaf for leaf in keras.tree.flatten(results) if tf.is_tensor(leaf)]

        tensors = iter(compute(*arguments))
        return keras.tree.map_structure(
            lambda leaf: next(tensors) if leaf is _HOLE else leaf, others
        )

    return call
