"""The gates of a model as they are exported."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.gates.finding import bin_layers
from keras_bin.gates.summaries import RhoSummary, rho_summary
from keras_bin.layer import BatchInstanceNormalization

from ..results.layer_report import GateChange
from .rho_tolerance import snap


def gate_change(layer: keras.layers.Layer, rho_tolerance: float | None = 0.0) -> GateChange:
    """Counts the gates of a layer that an export changes; a layer without gates has none.

    Args:
        layer: a built layer.
        rho_tolerance: see `fold`; None leaves every rho as it is, even outside [0, 1].
    """
    if not isinstance(layer, BatchInstanceNormalization) or rho_tolerance is None:
        return GateChange()
    before = array(layer.rho)
    outside = (before < 0) | (before > 1)
    moved = ~outside & (snap(before, rho_tolerance) != before)
    return GateChange(int(np.count_nonzero(outside)), int(np.count_nonzero(moved)))


def exported_rho(
    layer: BatchInstanceNormalization, rho_tolerance: float | None = 0.0
) -> np.ndarray:
    """Returns the gates of a built layer, clipped to [0, 1] and moved to its ends.

    Args:
        layer: a built BIN layer.
        rho_tolerance: see `gate_change`.

    Raises:
        ValueError: a gate is not finite.
    """
    rho = array(layer.rho)
    if not np.isfinite(rho).all():
        raise ValueError(
            "`rho` must be finite; training has diverged, or something else has set it, "
            f"so load an earlier state. Received: {layer.path}/rho={rho}"
        )
    return rho if rho_tolerance is None else snap(rho, rho_tolerance).astype(rho.dtype)


class ExportedGates:
    """The gates of a model, clipped to [0, 1] and moved to its ends by a tolerance.

    Args:
        model: a model.
        rho_tolerance: see `gate_change`.

    Raises:
        ValueError: a gate is not finite.

    Attributes:
        values: each `rho` of a built BIN layer, and the gates that are exported for it.
    """

    def __init__(self, model: keras.Model, rho_tolerance: float | None = 0.0):
        self._model = model
        built = [layer for layer in bin_layers(model) if layer.rho is not None]
        self.values = [(layer.rho, exported_rho(layer, rho_tolerance)) for layer in built]
        self._changes = {id(layer): gate_change(layer, rho_tolerance) for layer in built}

    @property
    def changed(self) -> bool:
        """Whether the export changes any gate."""
        return any(map(any, self._changes.values()))

    def change(self, layer: keras.layers.Layer) -> GateChange:
        """Returns how many gates of a layer the export changes."""
        return self._changes.get(id(layer), GateChange())

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Gives the model these gates inside a `with` block, and restores its own afterwards.

        Other variables stay assignable; a `keras.StatelessScope` would hold assignments back.
        """
        before = [(rho, keras.ops.convert_to_numpy(rho)) for rho, _ in self.values]
        try:
            for rho, gates in self.values if self.changed else ():
                rho.assign(gates)
            yield
        finally:
            for rho, gates in before if self.changed else ():
                rho.assign(gates)

    def summaries(self) -> tuple[RhoSummary, ...]:
        """Sums up the gates of each layer as they are exported."""
        with self.in_force():
            return tuple(rho_summary(self._model))
