"""What tf2onnx is told about operators of TensorFlow that it converts wrongly or not at all."""

from collections.abc import Callable

from .operators import (
    elementwise,
    integers,
    repeating,
    resizing,
    selection,
    transposed_convolution,
)

_MODULES = (elementwise, integers, repeating, resizing, selection, transposed_convolution)


def handlers() -> dict[str, tuple[Callable, list]]:
    """Returns the handlers by the operators that they convert, as tf2onnx takes them."""
    merged = {}
    for module in _MODULES:
        merged.update(module.handlers())
    return merged
