"""All handlers that replace or extend tf2onnx's conversion of operators."""

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
    """Returns the handlers by operator, in the form that tf2onnx takes."""
    merged = {}
    for module in _MODULES:
        merged.update(module.handlers())
    return merged
