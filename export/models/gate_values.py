"""The gates of a model as they are exported."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.gates import RhoSummary, bin_layers, rho_summary
from keras_bin.layer import BatchInstanceNormalization

from .rho_tolerance import snap


class GateChange(NamedTuple):
    """What an export does to the gates of a layer.

    Attributes:
        clipped: number of channels whose rho was outside of [0, 1].
        snapped: number of channels whose rho was moved to 0 or 1 by `rho_tolerance`.
    """

    clipped: int = 0
    snapped: int = 0


def gate_change(layer: keras.layers.Layer, rho_tolerance: float | None = 0.0) -> GateChange:
    """Counts the gates of a layer that an export changes; a layer without gates has none.

    Args:
        layer: a built layer.
        rho_tolerance: see `fold`; None leaves every rho as it is, outside of [0, 1] too.
    """
    if not isinstance(layer, BatchInstanceNormalization) or rho_tolerance is None:
        return GateChange()
    before = keras.ops.convert_to_numpy(layer.rho)
    outside = (before < 0) | (before > 1)
    moved = ~outside & (snap(before, rho_tolerance) != before)
    return GateChange(int(np.count_nonzero(outside)), int(np.count_nonzero(moved)))


def finite_rho(layer: BatchInstanceNormalization) -> np.ndarray:
    """Returns the gates of a built layer.

    Raises:
        ValueError: one is not finite.
    """
    rho = keras.ops.convert_to_numpy(layer.rho)
    if not np.isfinite(rho).all():
        raise ValueError(
            "`rho` must be finite; its training has diverged, or it was set from outside, "
            f"so load an earlier state. Received: {layer.path}/rho={rho}"
        )
    return rho


class GateValues:
    """Every rho of a model, clipped to [0, 1] and moved to the ends by a tolerance.

    Args:
        model: a model.
        rho_tolerance: see `gate_change`.

    Raises:
        ValueError: a rho is not finite.
    """

    def __init__(self, model: keras.Model, rho_tolerance: float | None = 0.0):
        self._model = model
        self._values = []
        self._changes = {}
        for layer in bin_layers(model):
            if layer.rho is None:  # held by another layer, and never called
                continue
            before = finite_rho(layer)
            self._changes[id(layer)] = gate_change(layer, rho_tolerance)
            after = before if rho_tolerance is None else snap(before, rho_tolerance)
            self._values.append((layer.rho, after.astype(before.dtype)))

    @property
    def changed(self) -> bool:
        """Whether any gate is another than in the model."""
        return any(map(any, self._changes.values()))

    def change(self, layer: keras.layers.Layer) -> GateChange:
        """Returns what becomes of the gates of a layer."""
        return self._changes.get(id(layer), GateChange())

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Lets the model compute with these gates inside a `with` block; they come back after it.

        Other variables stay assignable: a `keras.StatelessScope` would keep what calls assign.
        """
        before = [(rho, keras.ops.convert_to_numpy(rho)) for rho, _ in self._values]
        try:
            for rho, values in self._values if self.changed else ():
                rho.assign(values)
            yield
        finally:
            for rho, values in before if self.changed else ():
                rho.assign(values)

    def summaries(self) -> tuple[RhoSummary, ...]:
        """Sums up the gates of each layer as they are exported."""
        with self.in_force():
            return tuple(rho_summary(self._model))
