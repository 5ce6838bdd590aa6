"""How the backends learn the gradient of a forward pass.

The functions here call `forward`, which returns a tuple of tensors and a `ForwardPass`, with
`inputs`, return that tuple, and let the backend differentiate it by the module `gradient`.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_bin.normalization.compiled import compiled
from keras_bin.normalization.gradient import gradients
from keras_bin.normalization.graph_gradient import with_gradient


def differentiated(forward: Callable[..., Any], inputs: list[Any]) -> Any:
    """Serves JAX, PyTorch, and TensorFlow outside of `in_graph`."""
    if keras.backend.backend() == "torch":
        from keras_bin.normalization import torch_gradient

        return torch_gradient.with_gradient(forward, gradients, inputs)
    return ops.custom_gradient(_with_gradient(forward, gradients))(*inputs)


def recorded(forward: Callable[..., Any], inputs: list[Any]) -> Any:
    """Leaves the gradient to what PyTorch records: operators that it can also export."""
    outputs, _ = forward(*inputs)
    return outputs


def in_graph(forward: Callable[..., Any], inputs: list[Any]) -> Any:
    """Serves TensorFlow's graphs; see `keras_bin.normalization.graph_gradient`."""
    return with_gradient(_with_gradient(forward, gradients), inputs)


def in_graph_compiled(forward: Callable[..., Any], inputs: list[Any]) -> Any:
    """Does the same; XLA compiles the forward pass, and the gradient."""
    return with_gradient(_with_gradient(compiled(forward), compiled(gradients)), inputs)


def _with_gradient(forward: Callable[..., Any], gradients: Callable[..., Any]) -> Any:
    """Returns what `custom_gradient` of Keras and of TensorFlow take."""

    def function(*inputs: Any) -> Any:
        outputs, results = forward(*inputs)

        def gradient(*upstream: Any) -> Any:
            # TensorFlow passes one argument for each output, JAX one tuple of them.
            return gradients(inputs[0], results, *keras.tree.flatten(upstream))

        return outputs, gradient

    return function
