"""Test inputs and the model's outputs on them, computed once for all artifacts."""

import functools
from collections.abc import Mapping

import numpy as np

from keras_bin.networks.state import restored
from keras_bin.sampling.batches import sample_batches

from ..models.exported_model import ExportedModel
from .exact_outputs import ExactOutputs
from .reference import Reference


class Expected:
    """The inputs that artifacts of a model are compared on, and the model's outputs for them.

    The model runs when its outputs are first needed, once for all artifacts.

    Args:
        exported: the model.
        samples: see `keras_bin.export.verify`.

    Raises:
        ValueError: `samples` do not fit the model, or are needed but missing.

    Attributes:
        exported: see above.
        batches: the inputs; each batch maps names to arrays.
    """

    def __init__(self, exported: ExportedModel, samples: Mapping[str, np.ndarray] | None = None):
        self.exported = exported
        self.batches = sample_batches(exported.signature, samples, exported.model)

    @functools.cached_property
    def outputs(self) -> list[dict[str, np.ndarray]]:
        """The outputs of each batch by name; batches run in turn, as calls may change state.

        Raises:
            ValueError: see `Reference.outputs`.
            ValuesError: likewise.
        """
        return outputs_in_turn(self._reference, self.batches)

    @functools.cached_property
    def exact(self) -> ExactOutputs:
        """The outputs in float64."""
        return ExactOutputs(self._reference, self.batches, self.outputs)

    @functools.cached_property
    def _reference(self):
        return Reference(self.exported)


def outputs_in_turn(reference: Reference, batches: list) -> list[dict[str, np.ndarray]]:
    """Runs batches one after the other, and then restores the model's counts and seeds."""
    with restored(reference.exported.model):
        return [reference.outputs(batch) for batch in batches]
