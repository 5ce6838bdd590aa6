"""Warnings of a training in which rho cannot learn."""

import warnings
import weakref
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from keras_bin.arrays import array
from keras_bin.gates.finding import bin_layers, trainable_rhos
from keras_bin.keras_internals import calls_of, tracked_samples
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.rho_update import leaf_optimizers, optimizer_of

# Models whose gates have moved, or of which a warning has said that they have not.
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


class RhoWatch(keras.callbacks.Callback):
    """Warns, once per model, if rho has not moved in an epoch, or if the batches are one sample.

    It looks before and after epochs only, so that steps cost nothing more. It says nothing where
    rho is frozen, has a learning rate of 0, or was not updated (gradient accumulation, loss
    scaling); nor of batches that are divided among replicas, or of which the layers do not take
    statistics.
    """

    _start: _Start | None = None

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
        """Looks before a validation counts its own samples."""
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks after an epoch without validation."""
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
        if model not in _seen_moving:
            rhos = [layer.rho for layer in start.layers]
            rate = max(_learning_rate(rho, model.optimizer) for rho in rhos)
            if _changed(rhos, start.rhos):
                _seen_moving.add(model)
            elif rate:
                _seen_moving.add(model)
                warnings.warn(_no_movement(model, start.rhos, rate), stacklevel=2)


def _changed(variables: list[keras.Variable], values: list[NDArray[Any]]) -> bool:
    pairs = zip(variables, values, strict=True)
    return any(not np.array_equal(array(variable), value) for variable, value in pairs)


def _number(scalar: Any) -> int:
    return int(array(scalar))  # `int` does not take the variables of replicas


def _learning_rate(rho: keras.Variable, optimizer: keras.optimizers.Optimizer) -> float:
    return float(array(optimizer_of(rho, optimizer).learning_rate))


def _one_sample(model: keras.Model) -> str:
    return (
        "rho cannot learn from batches of one sample: batch and instance statistics are equal "
        "there, and what moves rho under Adam and its relatives is rounding. Use batches of two "
        "or more, or freeze it (`rho.trainable = False` for each of keras_bin.rho_weights(model), "
        f"before `compile`). Received: model={model.name!r}"
    )


def _no_movement(model: keras.Model, rhos: list[NDArray[Any]], rate: float) -> str:
    gates = np.concatenate(rhos)
    at_ends = " Gates at 0 and 1 also stay while training pushes them outwards."
    return (
        "rho has not moved in an epoch: none of the model's gates has changed. Raise the learning "
        "rate or `rho_gradient_scale`, keep the weights in float32 (steps below half a unit of a "
        "gate's precision are lost), and check that the loss depends on the BIN layers; or freeze "
        "rho (`rho.trainable = False` for each of keras_bin.rho_weights(model), before "
        f"`compile`).{at_ends if np.isin(gates, (0, 1)).all() else ''} Received: "
        f"model={model.name!r}, learning rate {rate:g}, {gates.size} gates of {gates.dtype}"
    )
