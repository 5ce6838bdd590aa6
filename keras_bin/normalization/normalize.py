"""Batch-instance normalization of a tensor, with the gradient from the module `gradient`."""

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_bin.normalization.axes import Axes
from keras_bin.normalization.compiled import can_compile
from keras_bin.normalization.differentiation import (
    differentiated,
    in_graph,
    in_graph_compiled,
    recorded,
)
from keras_bin.normalization.formula import blend, branch_scales
from keras_bin.normalization.gradient import ForwardPass
from keras_bin.normalization.moments import BatchMoments, batch_moments, instance_moments
from keras_bin.normalization.small_tensors import reshape


def normalize(
    x: Any,
    weights: Sequence[Any],
    axes: Axes,
    epsilon: float,
    *,
    moving: Sequence[Any] | None = None,
    valid: Any | None = None,
    replica_sum: Callable[[Any], Any] | None = None,
    jit_compile: bool = True,
) -> list[Any]:
    """Normalizes `x` with the statistics of the batch in training, otherwise with given ones.

    Args:
        x: float tensor, at least float32.
        weights: `(gamma, beta, rho)`, variables or tensors of shape `(channels,)`; gamma and
            beta may be None.
        axes: the `keras_bin.normalization.axes.Axes` of `x`.
        epsilon: float above 0, added to the variances.
        moving: `(mean, variance)` of the batch branch in inference, in the form of `weights`;
            None in training.
        valid: boolean tensor of the shape of `x`, False where an element must not count in
            the statistics, or None if all count.
        replica_sum: sums a tensor over the replicas of a distributed step, or None.
        jit_compile: whether XLA may compile this part of a TensorFlow graph, in training.

    Returns:
        `[y, mean, variance]`: the normalized tensor, and the statistics of the batch branch, each
        of shape `(channels,)`. In training, also the number of elements behind them: a scalar, or
        under a mask a tensor of shape `(channels,)`.

    Source: Nam & Kim 2018, section 3.
    """
    if replica_sum is None and _in_tensorflow_graph():
        import tensorflow as tf

        def read(variable: Any | None) -> Any:
            return None if variable is None else tf.convert_to_tensor(variable)

        # The function serves several layers, so it takes values, not the variables of one.
        weights, moving = keras.tree.map_structure(read, (weights, moving))
        # Inference is exported, and exports contain TensorFlow's own operators only.
        compiles = jit_compile and moving is None and can_compile(x)
        shared = _shared_function(axes, epsilon, tuple(x.shape), compiles)
        results: list[Any] = shared(x, weights, moving, valid)
        return results

    # In inference, PyTorch gets operators that it can export.
    plain = keras.backend.backend() == "torch" and moving is not None
    differentiate = recorded if plain else differentiated
    return _normalize(axes, epsilon, differentiate, x, weights, moving, valid, replica_sum)


def _in_tensorflow_graph() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return bool(tf.inside_function())


# A function lives as long as any of the graphs that call it. Functions are keyed by shape, too, so
# that each is freed on its own: a graph that keeps one does not keep those for other shapes.
_functions: weakref.WeakValueDictionary[Any, Callable[..., Any]] = weakref.WeakValueDictionary()
_functions_of_graphs: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


def _shared_function(
    axes: Axes, epsilon: float, shape: tuple[int | None, ...], compiles: bool
) -> Callable[..., Any]:
    """Returns a function that TensorFlow traces once for all layers of equal shapes."""
    import tensorflow as tf

    key = axes, epsilon, shape, compiles
    shared = _functions.get(key)
    if shared is None:
        differentiate = in_graph_compiled if compiles else in_graph
        normalized = functools.partial(_normalize, axes, epsilon, differentiate)
        shared = _functions[key] = tf.function(normalized, autograph=False)
    graph = tf.compat.v1.get_default_graph()
    _functions_of_graphs.setdefault(graph, {})[key] = shared
    return shared


def _normalize(
    axes: Axes,
    epsilon: float,
    differentiate: Callable[[Callable[..., Any], list[Any]], Any],
    x: Any,
    weights: Sequence[Any],
    moving: Sequence[Any] | None,
    valid: Any | None,
    replica_sum: Callable[[Any], Any] | None = None,
) -> list[Any]:
    def forward(x: Any, gamma: Any, beta: Any, rho: Any, *given: Any) -> Any:
        instance = instance_moments(x, axes.spatial, valid)
        if given:
            mean, variance = given
            batch = BatchMoments(mean, variance, instance.mean_minus(mean), count=None)
        else:
            batch = batch_moments(instance, replica_sum)
        batch_scale, instance_scale = branch_scales(gamma, rho, batch.variance, epsilon)
        y = blend(
            instance,
            mean_difference=batch.mean_difference,
            batch_scale=batch_scale,
            instance_scale=instance_scale,
            beta=beta,
            epsilon=epsilon,
        )
        count = () if batch.count is None else (ops.cast(batch.count, x.dtype),)
        return (y, batch.mean, batch.variance, *count), ForwardPass(
            axes=axes,
            epsilon=epsilon,
            valid=valid,
            replica_sum=replica_sum,
            gamma=gamma,
            rho=rho,
            instance=instance._replace(shifted=None),
            batch=batch,
            batch_scale=batch_scale,
            instance_scale=instance_scale,
        )

    gamma, beta, rho = weights
    values = [1 if gamma is None else gamma, 0 if beta is None else beta, rho, *(moving or ())]
    inputs = [x, *(axes.per_channel(each, x.dtype) for each in values)]
    y, *statistics = differentiate(forward, inputs)
    return [y, *(reshape(each, (-1,)) if each.shape else each for each in statistics)]
