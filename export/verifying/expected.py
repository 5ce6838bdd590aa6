"""What a model computes on a batch: in its own precision, and without rounding."""

import functools
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.export.errors import ValuesError
from keras_bin.export.folding.copying import inference_copy
from keras_bin.export.folding.graph import as_functional
from keras_bin.export.signature import Signature, run_model
from keras_bin.export.verifying.samples import Batch, rows


def expected_outputs(
    model: keras.Model, signature: Signature, batch: Batch
) -> dict[str, np.ndarray]:
    """Runs a Functional model on a batch; returns its outputs by name.

    Raises:
        ValueError: the model does not run on the batch.
        ValuesError: an output is not finite.
    """
    try:
        expected = _run(model, signature, batch)
    except Exception as error:
        shapes = {name: value.shape for name, value in batch.items()}
        raise ValueError(
            "The Keras model must run on the samples that an artifact is verified with; give "
            "inputs that it accepts as `samples`. "
            f"Received: samples of shape {shapes}, on which the model failed with: {error}"
        ) from error
    wrong = [
        f"{name!r}, batch of {rows(batch)}: {values.size - finite} of {values.size} values"
        for name, values in expected.items()
        if (finite := np.count_nonzero(np.isfinite(values.astype("float64")))) < values.size
    ]
    if wrong:
        raise ValuesError(
            "The Keras model's own outputs must be finite to be compared; give inputs on which "
            "they are as `samples`. Not finite are:",
            wrong,
        )
    return expected


class ExactOutput(NamedTuple):
    """One output without rounding, and what rounding does to it.

    Attributes:
        values: the output on one batch, float64.
        rounding: largest absolute difference of the model's output from that, over all
            batches.
        largest: largest absolute value of the model's output, over all batches.
    """

    values: np.ndarray
    rounding: float
    largest: float


class ExactOutputs:
    """The outputs of a float64 copy of a model, which is made when it is first needed.

    Args:
        model: a Functional model.
        signature: that of `model`.
        batches: all batches that the model is compared on.

    Attributes:
        unavailable: why there are no exact outputs; empty while none have failed.
    """

    def __init__(self, model: keras.Model, signature: Signature, batches: list[Batch]):
        self._model = model
        self._signature = signature
        self._batches = batches
        self._last = (None, {})
        self.unavailable = ""

    def of(self, batch: Batch, name: str) -> ExactOutput | None:
        """Returns one output for one of the batches, or None if it cannot be computed."""
        roundings = self._roundings
        if self.unavailable:
            return None
        if self._last[0] is not batch:
            self._last = (batch, _run(self._copy, self._signature, batch))
        return ExactOutput(self._last[1][name].astype("float64"), *roundings[name])

    @functools.cached_property
    def _roundings(self):
        """Maps names to `(rounding, largest)`; empty, with a reason stated, if not known."""
        found = {info.name: np.zeros(2) for info in self._signature.outputs}
        for batch in self._batches:
            try:
                exact = _run(self._copy, self._signature, batch)
            except Exception as error:  # a layer may fail in any way in a precision not its own
                self.unavailable = f"the model does not run in float64: {error}"
                return {}
            for name, values in _run(self._model, self._signature, batch).items():
                values, precise = (x.astype("float64") for x in (values, exact[name]))
                if precise.shape != values.shape or not np.isfinite(precise).all():
                    self.unavailable = f"its output {name!r} is not the same in float64"
                    return {}
                largest = np.abs(precise - values).max(initial=0), np.abs(values).max(initial=0)
                found[name] = np.maximum(found[name], largest)
        return {name: tuple(map(float, pair)) for name, pair in found.items()}

    @functools.cached_property
    def _copy(self):
        return as_functional(inference_copy(self._model, dtype="float64"))


def _run(model, signature, batch):
    outputs = run_model(model, [batch[info.name] for info in signature.inputs])
    return {
        info.name: keras.ops.convert_to_numpy(output)
        for info, output in zip(signature.outputs, outputs, strict=True)
    }
