"""Steps of rho that are `rho_gradient_scale` times as long as the optimizer's.

There are three ways, equal under plain SGD; `factor` is `rho_gradient_scale`:

- *Gradient*: multiply rho's gradient by `factor`. Right where the step is linear in the
  gradient: SGD, with or without momentum, without clipping.
- *Update*: let the optimizer step, then lengthen its step,
  `rho = clip(start + factor * (rho - start))`. Right wherever the step is linear in the
  learning rate. That includes Adam and its relatives, which normalize the gradient's size.
- *Rate*: multiply the learning rate with which the optimizer updates rho. For rho in half
  precision, whose unscaled step is mostly rounded to nothing before it could be lengthened, and
  only for Keras optimizers, which are known to use the rate they are given.

ScheduleFreeAdamW keeps a second iterate of each weight and averages rho from it, so the
iterate's step is lengthened, and its share in rho with it. Ftrl is refused: it recomputes
weights from accumulators, and a step is proportional neither to the gradient nor to the
learning rate.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import keras
from keras import ops

from keras_bin.keras_internals import (
    calls_of,
    decay_of_nothing,
    exclude_too,
    moving_average,
    schedule_free_iterate,
    updates,
)
from keras_bin.networks.half_precision import HALF_DTYPES
from keras_bin.rho_constraint import scaled_steps
from keras_bin.training.own_rate import own_rate, takes_own_rates

_Result = TypeVar("_Result")


class _Start(NamedTuple):
    """The state before a step.

    Attributes:
        rho: value of rho.
        average: the optimizer's moving average of rho, or None.
        iterate: ScheduleFreeAdamW's second iterate of rho, or None.
        iterations: number of updates so far.
        calls: number of calls so far; under gradient accumulation, several make one update.
    """

    rho: Any
    average: Any
    iterate: Any
    iterations: Any
    calls: Any


def leaf_optimizers(
    optimizer: keras.optimizers.Optimizer,
) -> Iterator[keras.optimizers.Optimizer]:
    """Yields the optimizers that update weights, including those inside other optimizers."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        yield from leaf_optimizers(optimizer.inner_optimizer)
    elif hasattr(optimizer, "optimizers"):  # keras.optimizers.MultiOptimizer, Keras >= 3.15
        for inner in optimizer.optimizers:
            yield from leaf_optimizers(inner)
    else:
        yield optimizer


def check_optimizer(optimizer: keras.optimizers.Optimizer, rho_gradient_scale: float) -> None:
    """Rejects an optimizer under which rho's steps cannot be scaled.

    Raises:
        ValueError: `rho_gradient_scale` is not 1, and the optimizer is Ftrl or contains one.
    """
    if rho_gradient_scale != 1 and any(
        isinstance(leaf, keras.optimizers.Ftrl) for leaf in leaf_optimizers(optimizer)
    ):
        raise ValueError(
            "rho's steps cannot be scaled under Ftrl: it recomputes weights from its "
            "accumulators at every step, so a scaled step is undone by the next. Use another "
            "optimizer, or rho_gradient_scale=1.0. "
            f"Received: optimizer={optimizer.name}, rho_gradient_scale={rho_gradient_scale!r}"
        )


def optimizer_of(
    rho: keras.Variable, optimizer: keras.optimizers.Optimizer
) -> keras.optimizers.Optimizer | None:
    """Returns the optimizer inside `optimizer` that updates `rho`.

    The result is None if none was built with `rho`, for example because it was frozen at the time.
    """
    return next((leaf for leaf in leaf_optimizers(optimizer) if updates(leaf, rho)), None)


class RhoUpdate:
    """Scales one step of rhos under an optimizer, and keeps them out of its weight decay.

    Args:
        optimizer: the optimizer, built.
        rhos: the rho variables to train. Those that the optimizer was not built with are left
            alone, as Keras refuses to train them.
        rho_gradient_scale: factor of the steps, above 0.

    Raises:
        ValueError: see `check_optimizer`.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        rhos: list[keras.Variable],
        rho_gradient_scale: float,
    ):
        if rhos:
            check_optimizer(optimizer, rho_gradient_scale)
        owners = [(rho, optimizer_of(rho, optimizer)) for rho in rhos]
        self._owned = [(rho, owner) for rho, owner in owners if owner is not None]
        self._owners = list({id(owner): owner for _, owner in self._owned}.values())
        for owner in self._owners:
            exclude_too(owner, [rho for rho, each in self._owned if each is owner])
        self._factor = rho_gradient_scale

    def scale_gradients(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable]
    ) -> list[Any]:
        """Multiplies the gradients of the rhos whose optimizer is linear in them."""
        scaled = {id(rho) for rho, owner in self._owned if self._by_gradient(owner)}
        return [
            gradient * self._factor if gradient is not None and id(variable) in scaled else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Lengthens the step that the optimizer takes in a `with` block."""
        starts = self._starts()
        with self._prepared():
            yield
            self._finish(starts)

    def stateless_step(
        self,
        variables: Sequence[keras.Variable],
        values: Sequence[Any],
        take: Callable[[], tuple[_Result, Sequence[Any]]],
    ) -> tuple[_Result, list[Any]]:
        """Lengthens the step of a function that takes values and returns new ones.

        Args:
            variables: the optimizer's variables and those that it updates.
            values: their values before the step.
            take: takes the step, and returns a result of any kind and the values after it.

        Returns:
            The result, and the values after the lengthened step.
        """
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            starts = self._starts()
        with self._prepared():
            result, after = take()
            mapping = list(zip(variables, after, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                self._finish(starts)
        return result, [scope.get_current_value(variable) for variable in variables]

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        """Prepares rhos and their optimizers for a step that is taken in a `with` block."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(scaled_steps([rho for rho, _ in self._owned]))
            for owner in self._owners:
                stack.enter_context(decay_of_nothing(owner))
                rhos = [rho for rho, each in self._owned if each is owner]
                if by_rate := [rho for rho in rhos if self._by_rate(rho, owner)]:
                    stack.enter_context(own_rate(owner, by_rate, self._factor))
            yield

    def _starts(self) -> list[_Start]:
        return [self._start(rho, owner) for rho, owner in self._owned]

    def _start(self, rho: keras.Variable, owner: keras.optimizers.Optimizer) -> _Start:
        iterate = schedule_free_iterate(owner, rho)
        return _Start(
            rho=ops.copy(rho),
            average=ops.copy(moving_average(owner, rho)) if owner.use_ema else None,
            iterate=None if iterate is None else ops.copy(iterate),
            iterations=ops.copy(owner.iterations),
            calls=ops.copy(calls_of(owner)),
        )

    def _finish(self, starts: list[_Start]) -> None:
        for (rho, owner), start in zip(self._owned, starts, strict=True):
            scaled = self._by_gradient(owner) or self._by_rate(rho, owner)
            factor = 1.0 if scaled else self._factor
            if owner.use_ema:
                self._finish_averaged(owner, rho, start, factor)
            elif factor != 1:
                rho.assign(_lengthened(owner, rho, start, rho.value, factor))

    def _finish_averaged(
        self,
        owner: keras.optimizers.Optimizer,
        rho: keras.Variable,
        start: _Start,
        factor: float,
    ) -> None:
        """Lengthens a step and updates the optimizer's average of rho with the result.

        Keras averages before it applies constraints and before the step is lengthened. So the
        average is computed again from the final rho, which also keeps it in [0, 1].
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
            # The average has replaced rho; recover from it what rho was after its step.
            added = ops.maximum(1 - kept, keras.backend.epsilon())
            recovered = (average - kept * start.average) / added
            stepped = ops.where(overwritten, recovered, stepped)
        new_rho = _lengthened(owner, rho, start, stepped, factor)
        new_average = kept * start.average + (1 - kept) * new_rho
        average.assign(ops.where(ran, new_average, start.average))
        rho.assign(ops.where(overwritten, new_average, new_rho))

    def _by_gradient(self, optimizer: keras.optimizers.Optimizer) -> bool:
        clips = optimizer.clipnorm or optimizer.clipvalue or optimizer.global_clipnorm
        # Only SGD itself: a subclass may change gradients in any way. Only on TensorFlow: elsewhere
        # Keras's own train steps take the gradients.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        return on_tensorflow and type(optimizer) is keras.optimizers.SGD and not clips

    def _by_rate(self, rho: keras.Variable, optimizer: keras.optimizers.Optimizer) -> bool:
        half = keras.backend.standardize_dtype(rho.dtype) in HALF_DTYPES
        return half and takes_own_rates(optimizer) and not self._by_gradient(optimizer)


def _lengthened(
    optimizer: keras.optimizers.Optimizer,
    rho: keras.Variable,
    start: _Start,
    stepped: Any,
    factor: float,
) -> Any:
    """Returns the rho of a step `factor` times as long as the one from `start` to `stepped`.

    ScheduleFreeAdamW's second iterate of rho is set to the end of its lengthened step.
    """
    clip = rho.constraint or (lambda value: value)
    iterate = schedule_free_iterate(optimizer, rho)
    if iterate is None or factor == 1:
        return clip(start.rho + factor * (stepped - start.rho))
    stepped_iterate = ops.copy(iterate)
    iterate.assign(clip(start.iterate + factor * (stepped_iterate - start.iterate)))
    # Keras 3.15 computes `rho = (1 - share) * rho + share * iterate` on TensorFlow and PyTorch,
    # where it reads the old iterate only after it has changed it. On JAX, where it does not,
    # the share is larger after the first step, and rho follows its iterate a little later.
    share = 1 / ops.cast(start.iterations + 1, rho.dtype)
    return clip(stepped + share * (iterate - stepped_iterate))
