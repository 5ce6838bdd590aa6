"""How rho takes a step `scale` times as long as the optimizer alone would give it.

Two ways, the same thing under plain SGD:

- *Gradient*: multiply rho's gradient by `scale`. Right where the step is linear in the
  gradient: SGD, with or without momentum, without clipping.
- *Update*: let the optimizer step and lengthen what it did,
  `rho = clip(start + scale * (rho - start))`. Right wherever the step is linear in the
  learning rate, which Adam and its kin are although they divide the gradient's own size out.

Some optimizers are neither, because they keep a copy of the weight and step from there:
they undo a lengthened step, and are refused.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

_STEPS_FROM_A_COPY = {
    "Ftrl": "it computes weights anew from its accumulators at every step",
    "ScheduleFreeAdamW": "it interpolates between iterates of its own",
}


class _Start(NamedTuple):
    """What a step starts from."""

    rho: Any
    average: Any
    iterations: Any
    calls: Any


def leaf_optimizers(optimizer) -> Iterator[keras.optimizers.Optimizer]:
    """Yields the optimizers that update weights, from inside loss-scaling and multi ones."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        yield from leaf_optimizers(optimizer.inner_optimizer)
    elif hasattr(optimizer, "optimizers"):  # keras.optimizers.MultiOptimizer, Keras >= 3.15
        for inner in optimizer.optimizers:
            yield from leaf_optimizers(inner)
    else:
        yield optimizer


def check_optimizer(optimizer, scale: float) -> None:
    """Refuses optimizers under which rho's steps cannot be scaled.

    Raises:
        ValueError: `scale` is not 1 and the optimizer keeps its own copy of the weights.
    """
    if scale == 1:
        return
    for leaf in leaf_optimizers(optimizer):
        for name, reason in _STEPS_FROM_A_COPY.items():
            if isinstance(leaf, getattr(keras.optimizers, name, ())):
                raise ValueError(
                    f"rho's steps cannot be scaled under {name}: {reason}, so a scaled step is "
                    "undone by the next. Use another optimizer, or rho_gradient_scale=1.0. "
                    f"Received: optimizer={type(leaf).__name__}, rho_gradient_scale={scale!r}"
                )


class RhoUpdate:
    """Scales rho's steps under one optimizer, and keeps rho out of its weight decay.

    Args:
        optimizer: the model's optimizer.
        rhos: the trainable rho variables.
        scale: factor of the steps, above 0.
        scales_gradients: whether the train step can multiply gradients; where it cannot,
            updates are scaled under every optimizer.

    Raises:
        ValueError: see `check_optimizer`.
    """

    def __init__(self, optimizer, rhos, scale: float, scales_gradients: bool):
        check_optimizer(optimizer, scale)
        self._optimizer = optimizer
        self._rhos = rhos
        self._scale = scale
        self._scales_gradients = scales_gradients
        for leaf in leaf_optimizers(optimizer):
            _exclude_from_weight_decay(leaf, rhos)

    def scale_gradients(self, gradients, variables):
        """Multiplies the gradients of the rhos whose optimizer is linear in them."""
        factors = {
            id(rho): self._scale for rho in self._rhos if self._by_gradient(self._owner(rho))
        }
        return [
            gradient * factors[id(variable)]
            if gradient is not None and id(variable) in factors
            else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    def start(self) -> list[_Start]:
        """Records where the step starts; call it before the optimizer runs."""
        starts = []
        for rho in self._rhos:
            owner = self._owner(rho)
            average = ops.copy(_average(owner, rho)) if owner.use_ema else None
            starts.append(
                _Start(
                    ops.copy(rho),
                    average,
                    ops.copy(owner.iterations),
                    ops.copy(owner._iterations),
                )
            )
        return starts

    def finish(self, starts: list[_Start]) -> None:
        """Lengthens the steps that were taken; call it after the optimizer has run."""
        for rho, start in zip(self._rhos, starts, strict=True):
            owner = self._owner(rho)
            factor = 1.0 if self._by_gradient(owner) else self._scale
            if owner.use_ema:
                self._finish_averaged(owner, rho, start, factor)
            elif factor != 1:
                rho.assign(_lengthened(rho, start.rho, rho.value, factor))

    def _finish_averaged(self, owner, rho, start, factor):
        """Lengthens a step and lets the optimizer's average of rho follow the result.

        Keras averages before it applies constraints and before this step is lengthened. So
        the average is taken again, from the value that rho ends up with, which also keeps
        it in [0, 1].
        """
        average = _average(owner, rho)
        ran = ops.not_equal(owner._iterations, start.calls)  # loss scaling may skip a step
        kept = ops.cast(owner.ema_momentum, rho.dtype) * ops.cast(start.iterations != 0, rho.dtype)
        stepped = rho.value
        overwritten = False
        if owner.ema_overwrite_frequency:
            overwritten = ops.logical_and(
                ran, (start.iterations + 1) % owner.ema_overwrite_frequency == 0
            )
            # The average stands where rho's own step was: take the step back out of it.
            taken_in = ops.maximum(1 - kept, keras.backend.epsilon())
            own = (average - kept * start.average) / taken_in
            stepped = ops.where(overwritten, own, stepped)
        new_rho = _lengthened(rho, start.rho, stepped, factor)
        new_average = kept * start.average + (1 - kept) * new_rho
        average.assign(ops.where(ran, new_average, start.average))
        rho.assign(ops.where(overwritten, new_average, new_rho))

    def _owner(self, rho):
        """Returns the optimizer that updates `rho`."""
        leaves = list(leaf_optimizers(self._optimizer))
        if len(leaves) == 1:
            return leaves[0]
        return next(
            leaf for leaf in leaves if leaf._var_key(rho) in leaf._trainable_variables_indices
        )

    def _by_gradient(self, optimizer) -> bool:
        clips = optimizer.clipnorm or optimizer.clipvalue or optimizer.global_clipnorm
        linear = type(optimizer).update_step is keras.optimizers.SGD.update_step
        return self._scales_gradients and linear and not clips


def _average(optimizer, rho):
    index = optimizer._get_variable_index(rho)
    return optimizer._model_variables_moving_average[index]


def _lengthened(rho, start, stepped, factor):
    value = start + factor * (stepped - start)
    return value if rho.constraint is None else rho.constraint(value)


def _exclude_from_weight_decay(optimizer, rhos) -> None:
    """Excludes the rhos, besides what the user has excluded already.

    `exclude_from_weight_decay` replaces what an earlier call excluded, and has no public
    reader, hence the two private names.
    """
    if not rhos:
        return
    excluded = getattr(optimizer, "_exclude_from_weight_decay", set())
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    optimizer.exclude_from_weight_decay(
        var_list=rhos, var_names=None if pattern is None else [pattern.pattern]
    )
    optimizer._exclude_from_weight_decay |= excluded
