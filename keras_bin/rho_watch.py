"""Warnings of a training in which rho cannot learn."""

import warnings
import weakref
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from keras_bin.gates import trainable_rhos
from keras_bin.keras_internals import calls_of, tracked_samples
from keras_bin.rho_update import leaf_optimizers, optimizer_of

# Models whose gates have moved, or of which a warning has said that they do not.
_seen_moving: weakref.WeakSet[keras.Model] = weakref.WeakSet()
_warned_of_one_sample: weakref.WeakSet[keras.Model] = weakref.WeakSet()


class _Start(NamedTuple):
    """The state before an epoch.

    Attributes:
        rhos: the gates that are trained.
        values: their values, empty if the gates have moved in an earlier epoch.
        optimizer: an optimizer that is called at every step.
        calls: how often it was called.
        updates: how often it has updated weights.
    """

    rhos: list[keras.Variable]
    values: list[NDArray[Any]]
    optimizer: keras.optimizers.Optimizer
    calls: int
    updates: int


class RhoWatch(keras.callbacks.Callback):
    """Warns, once per model, if rho has not moved in an epoch, or if the batches are one sample.

    It looks before and after epochs only, so that steps cost nothing more, and at gates until they
    have moved once. It says nothing where rho is frozen, has a learning rate of 0, or was not
    updated (gradient accumulation, loss scaling), and where a batch is divided among replicas.
    """

    _start: _Start | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the state before an epoch."""
        model = self.model
        rhos = trainable_rhos(model)
        optimizer = next(leaf_optimizers(model.optimizer), None)
        self._start = None
        if rhos and optimizer is not None:
            self._start = _Start(
                rhos,
                [] if model in _seen_moving else [_value(rho) for rho in rhos],
                optimizer,
                int(calls_of(optimizer)),
                int(optimizer.iterations),
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Looks before a validation counts its own samples."""
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks after an epoch without validation."""
        self._look()

    def _look(self) -> None:
        model, start = self.model, self._start
        self._start = None
        if start is None or int(start.optimizer.iterations) == start.updates:
            return
        if model not in _warned_of_one_sample:
            steps = int(calls_of(start.optimizer)) - start.calls
            if 0 < tracked_samples(model) <= steps:
                _warned_of_one_sample.add(model)
                _seen_moving.add(model)  # one warning is enough
                warnings.warn(_one_sample(model), stacklevel=2)
        if model not in _seen_moving and start.values:
            pairs = zip(start.rhos, start.values, strict=True)
            moved = any(not np.array_equal(_value(rho), value) for rho, value in pairs)
            rates = {_learning_rate(rho, model.optimizer) for rho in start.rhos}
            if moved or any(rates):
                _seen_moving.add(model)
            if not moved and any(rates):
                warnings.warn(_no_movement(model, start.rhos, max(rates)), stacklevel=2)


def _value(rho: keras.Variable) -> NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(rho))  # a copy, also on PyTorch


def _learning_rate(rho: keras.Variable, optimizer: keras.optimizers.Optimizer) -> float:
    return float(keras.ops.convert_to_numpy(optimizer_of(rho, optimizer).learning_rate))


def _one_sample(model: keras.Model) -> str:
    return (
        "rho cannot learn from batches of one sample: batch and instance statistics are equal "
        "there, and what moves rho under Adam and its relatives is rounding. Use batches of two "
        "or more, or freeze it (`rho.trainable = False` for each of keras_bin.rho_weights(model), "
        f"before `compile`). Received: model={model.name!r}"
    )


def _no_movement(model: keras.Model, rhos: list[keras.Variable], rate: float) -> str:
    gates = np.concatenate([_value(rho) for rho in rhos])
    at_ends = " Gates at 0 and 1 also stay while training pushes them outwards."
    return (
        "rho has not moved in an epoch: none of the model's gates has changed. Raise the learning "
        "rate or `rho_gradient_scale`, keep the weights in float32 (steps below half a unit of a "
        "gate's precision are lost), and check that the loss depends on the BIN layers; or freeze "
        "rho (`rho.trainable = False` for each of keras_bin.rho_weights(model), before "
        f"`compile`).{at_ends if np.isin(gates, (0, 1)).all() else ''} Received: "
        f"model={model.name!r}, learning rate {rate:g}, {gates.size} gates of {rhos[0].dtype}"
    )
