"""How rho takes a step `scale` times as long as the optimizer alone would give it.

Two ways, the same thing under plain SGD:

- *Gradient*: multiply rho's gradient by `scale`. Right where the step is linear in the
  gradient: SGD, with or without momentum, without clipping.
- *Update*: let the optimizer step and lengthen what it did,
  `rho = clip(start + scale * (rho - start))`. Right wherever the step is linear in the
  learning rate, which Adam and its kin are although they divide the gradient's own size out.

ScheduleFreeAdamW keeps a second iterate of each weight and averages rho from it, so there the
iterate's step is lengthened, and its share in rho with it. Ftrl is refused: it computes
weights anew from accumulators, in proportion neither to a gradient nor to the learning rate.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_bin.keras_internals import (
    calls_of,
    exclude_too,
    moving_average,
    schedule_free_iterate,
    updates,
)


class _Start(NamedTuple):
    """What a step starts from.

    Attributes:
        rho: value of rho.
        average: the optimizer's moving average of rho, or None.
        iterate: ScheduleFreeAdamW's own iterate of rho, or None.
        iterations: number of updates done.
        calls: number of steps done; several make one update under gradient accumulation.
    """

    rho: Any
    average: Any
    iterate: Any
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
    """Refuses the optimizer under which rho's steps cannot be scaled.

    Raises:
        ValueError: `scale` is not 1, and the optimizer is Ftrl or holds one.
    """
    if scale != 1 and any(
        isinstance(leaf, keras.optimizers.Ftrl) for leaf in leaf_optimizers(optimizer)
    ):
        raise ValueError(
            "rho's steps cannot be scaled under Ftrl: it computes weights anew from its "
            "accumulators at every step, so a scaled step is undone by the next. Use another "
            "optimizer, or rho_gradient_scale=1.0. "
            f"Received: optimizer={optimizer.name}, rho_gradient_scale={scale!r}"
        )


class RhoUpdate:
    """Scales rho's steps under one optimizer, and keeps rho out of its weight decay.

    Args:
        optimizer: the model's optimizer, built.
        rhos: the trainable rho variables.
        scale: factor of the steps, above 0.
        scales_gradients: whether the train step can multiply gradients; where it cannot,
            updates are scaled under every optimizer.

    Raises:
        ValueError: see `check_optimizer`.
    """

    def __init__(self, optimizer, rhos, scale: float, scales_gradients: bool):
        if rhos:
            check_optimizer(optimizer, scale)
        self._optimizer = optimizer
        self._rhos = rhos
        self._scale = scale
        self._scales_gradients = scales_gradients
        self._exclude_from_weight_decay()

    def updates(self, rhos) -> bool:
        """Tells whether these are the rhos that are updated."""
        return [id(rho) for rho in rhos] == [id(rho) for rho in self._rhos]

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
        self._exclude_from_weight_decay()  # again: the user's own exclusions replace it
        return [self._start(rho, self._owner(rho)) for rho in self._rhos]

    def _start(self, rho, owner):
        iterate = schedule_free_iterate(owner, rho)
        return _Start(
            rho=ops.copy(rho),
            average=ops.copy(moving_average(owner, rho)) if owner.use_ema else None,
            iterate=None if iterate is None else ops.copy(iterate),
            iterations=ops.copy(owner.iterations),
            calls=ops.copy(calls_of(owner)),
        )

    def finish(self, starts: list[_Start]) -> None:
        """Lengthens the steps that were taken; call it after the optimizer has run."""
        for rho, start in zip(self._rhos, starts, strict=True):
            owner = self._owner(rho)
            factor = 1.0 if self._by_gradient(owner) else self._scale
            if owner.use_ema:
                self._finish_averaged(owner, rho, start, factor)
            elif factor != 1:
                rho.assign(_lengthened(owner, rho, start, rho.value, factor))

    def _finish_averaged(self, owner, rho, start, factor):
        """Lengthens a step and lets the optimizer's average of rho follow the result.

        Keras averages before it applies constraints and before this step is lengthened. So
        the average is taken again, from the value that rho ends up with, which also keeps
        it in [0, 1].
        """
        average = moving_average(owner, rho)
        ran = ops.not_equal(calls_of(owner), start.calls)  # loss scaling may skip a step
        kept = owner.ema_momentum * ops.cast(start.iterations != 0, rho.dtype)
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
        new_rho = _lengthened(owner, rho, start, stepped, factor)
        new_average = kept * start.average + (1 - kept) * new_rho
        average.assign(ops.where(ran, new_average, start.average))
        rho.assign(ops.where(overwritten, new_average, new_rho))

    def _exclude_from_weight_decay(self):
        for leaf in leaf_optimizers(self._optimizer) if self._rhos else ():
            exclude_too(leaf, self._rhos)

    def _owner(self, rho):
        """Returns the optimizer that updates `rho`."""
        leaves = list(leaf_optimizers(self._optimizer))
        if len(leaves) == 1:
            return leaves[0]
        return next(leaf for leaf in leaves if updates(leaf, rho))

    def _by_gradient(self, optimizer) -> bool:
        clips = optimizer.clipnorm or optimizer.clipvalue or optimizer.global_clipnorm
        # A subclass may do anything to a gradient, so SGD itself.
        return self._scales_gradients and type(optimizer) is keras.optimizers.SGD and not clips


def _lengthened(optimizer, rho, start, stepped, factor):
    """Returns the rho of a step `factor` times as long as the one from `start` to `stepped`.

    ScheduleFreeAdamW's own iterate of rho is set to the end of its lengthened step.
    """
    clip = rho.constraint or (lambda value: value)
    iterate = schedule_free_iterate(optimizer, rho)
    if iterate is None or factor == 1:
        return clip(start.rho + factor * (stepped - start.rho))
    taken = ops.copy(iterate)
    iterate.assign(clip(start.iterate + factor * (taken - start.iterate)))
    # Keras 3.15 computes `rho = (1 - share) * rho + share * iterate` on TensorFlow and PyTorch,
    # where it reads the old iterate only after it has changed it. On JAX, where it does not,
    # the share is larger after the first step, and rho follows its iterate a little later.
    share = 1 / ops.cast(start.iterations + 1, rho.dtype)
    return clip(stepped + share * (iterate - taken))
