"""Warnings about training in which rho cannot learn."""

import itertools
import warnings
import weakref
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_bin.arrays import array
from keras_bin.gates.finding import bin_layers, is_settled, trainable_rhos
from keras_bin.keras_internals import calls_of, tracked_samples, updates
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.training.rho_update import leaf_optimizers, optimizer_of

# Models whose gates have moved, or for which a warning has said that they do not.
_seen_moving: weakref.WeakSet[keras.Model] = weakref.WeakSet()
_warned_of_one_sample: weakref.WeakSet[keras.Model] = weakref.WeakSet()


class _Start(NamedTuple):
    """The state before an epoch.

    Attributes:
        layers: the layers whose gates are trained.
        rhos: their gates.
        means: their moving means.
        optimizer: an optimizer that is called at every step.
        calls: how often it was called.
        updates: how often it has updated weights.
    """

    layers: list[BatchInstanceNormalization]
    rhos: list[NDArray[Any]]
    means: list[NDArray[Any]]
    optimizer: keras.optimizers.Optimizer
    calls: int
    updates: int


# Optimizers that divide steps by a root of `1 - beta_2` or multiply them by it.
_NEED_BETA_2 = tuple(
    getattr(keras.optimizers, name)
    for name in ("Adam", "Nadam", "Lamb", "Muon", "ScheduleFreeAdamW")
    if hasattr(keras.optimizers, name)
)


class RhoWatch(keras.callbacks.Callback):
    """Warns, once per model, if rho cannot learn.

    Before training: if the optimizer's `beta_2` rounds to 1 in the precision of rho. After an
    epoch: if rho has not moved, or if the batches are one sample each.

    It checks only before and after epochs, so steps take no longer. It does not warn if rho is
    frozen, has a learning rate of 0, or was not updated (gradient accumulation, loss scaling); nor
    about batches that are divided among replicas, or whose statistics the layers do not use.
    """

    _start: _Start | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks the optimizer before training."""
        model = self.model
        lost = None if model in _seen_moving else _lost_beta_2(model)
        if lost is not None:
            _seen_moving.add(model)  # one warning is enough
            warnings.warn(lost, stacklevel=2)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the state before an epoch."""
        model = self.model
        trained = {id(rho) for rho in trainable_rhos(model)}
        layers = [layer for layer in bin_layers(model) if id(layer.rho) in trained]
        optimizer = next(leaf_optimizers(model.optimizer), None)
        self._start = None
        if layers and optimizer is not None:
            self._start = _Start(
                layers,
                [array(layer.rho) for layer in layers],
                [array(layer.moving_mean) for layer in layers],
                optimizer,
                _number(calls_of(optimizer)),
                _number(optimizer.iterations),
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks the gates before validation counts its own samples."""
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the gates after an epoch without validation."""
        self._look()

    def _look(self) -> None:
        model, start = self.model, self._start
        self._start = None
        if start is None or _number(start.optimizer.iterations) == start.updates:
            return
        steps = _number(calls_of(start.optimizer)) - start.calls
        one_sample = 0 < _number(tracked_samples(model)) <= steps
        if one_sample and model not in _warned_of_one_sample:
            if _changed([layer.moving_mean for layer in start.layers], start.means):
                _warned_of_one_sample.add(model)
                _seen_moving.add(model)  # one warning is enough
                warnings.warn(_one_sample(model), stacklevel=2)
        # A callback may have settled them in this epoch, at the values that they had.
        if model not in _seen_moving and not any(map(is_settled, start.layers)):
            rhos = [layer.rho for layer in start.layers]
            rate = _learning_rate(rhos, model.optimizer)
            if _changed(rhos, start.rhos):
                _seen_moving.add(model)
            elif rate:
                _seen_moving.add(model)
                # A `MultiOptimizer` may know only now which of its optimizers updates rho.
                said = _lost_beta_2(model) or _no_movement(model, start.rhos, rate)
                warnings.warn(said, stacklevel=2)


def _changed(variables: list[keras.Variable], values: list[NDArray[Any]]) -> bool:
    pairs = zip(variables, values, strict=True)
    return any(not np.array_equal(array(variable), value) for variable, value in pairs)


def _number(scalar: Any) -> int:
    return int(array(scalar))  # `int` does not take the variables of replicas


def _learning_rate(rhos: list[keras.Variable], optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the largest learning rate of a rho, 0 if the optimizer trains none of them."""
    owners = [optimizer_of(rho, optimizer) for rho in rhos]
    rates = [float(array(owner.learning_rate)) for owner in owners if owner is not None]
    return max(rates, default=0.0)


def _lost_beta_2(model: keras.Model) -> str | None:
    leaves = list(leaf_optimizers(model.optimizer))
    for leaf, rho in itertools.product(leaves, trainable_rhos(model)):
        if isinstance(leaf, _NEED_BETA_2) and (len(leaves) == 1 or updates(leaf, rho)):
            beta_2 = leaf.beta_2 if hasattr(leaf, "beta_2") else leaf.adam_beta_2  # Muon's name
            if ops.cast(ops.cast(beta_2, rho.dtype), "float32") == 1:
                return (
                    f"{type(leaf).__name__} cannot train weights of {rho.dtype}, including rho: "
                    f"beta_2={beta_2} rounds to 1 there, which makes steps 0 or NaN. Keep the "
                    f"weights in float32 (the policy 'mixed_{rho.dtype}'), or choose a smaller "
                    f"beta_2. Received: model={model.name!r}, gates of {rho.dtype}"
                )
    return None


def _one_sample(model: keras.Model) -> str:
    return (
        "rho cannot learn from batches of one sample: their batch and instance statistics are "
        "equal, and only rounding moves rho under Adam and its relatives. Use batches of two or "
        "more, or freeze it (`rho.trainable = False` for each of keras_bin.rho_weights(model), "
        f"before `compile`). Received: model={model.name!r}"
    )


def _no_movement(model: keras.Model, rhos: list[NDArray[Any]], rate: float) -> str:
    gates = np.concatenate(rhos)
    at_ends = " Gates at 0 and 1 also stay there while training pushes them outward."
    return (
        "rho has not moved in an epoch: none of the model's gates has changed. Raise the learning "
        "rate or `rho_gradient_scale`, keep the weights in float32 (steps below half a unit of a "
        "gate's precision are lost), and check that the loss depends on the BIN layers; or freeze "
        "rho (`rho.trainable = False` for each of keras_bin.rho_weights(model), before "
        f"`compile`).{at_ends if np.isin(gates, (0, 1)).all() else ''} Received: "
        f"model={model.name!r}, learning rate {rate:g}, {gates.size} gates of {gates.dtype}"
    )
