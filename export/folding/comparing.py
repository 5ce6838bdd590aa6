"""Comparing a folded model with its original."""

import keras
import numpy as np

from keras_bin.keras_internals import all_layers, layers_held, layers_inside

from ..models.exported_gates import ExportedGates
from ..models.graph import as_functional
from ..models.half_precision import is_half_precision
from ..models.inference import run_model
from ..models.signature import named_tensors
from ..results.errors import ValuesError
from ..sampling.batches import sample_batches
from ..sampling.scaling import is_float
from ..sampling.trial import Batch

# Shares of the largest value of an output; float32 rounding is below a hundredth of the first.
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.03
SMALLEST = 1e-6
# A net that amplifies the rounding of its inputs also amplifies that of its weights, which folding
# rounds anew in each layer. The limits are shares again: beyond them, errors could hide.
ROUNDING_FACTOR = 10
LARGEST_ROUNDING, LARGEST_HALF_ROUNDING = 0.01, 0.1
# Share of the elements of an integer output, such as the class of each pixel.
INTEGERS = 0.01

Outputs = dict[str, np.ndarray]


def check_folded(model: keras.Model, folded: keras.Model, rho_tolerance: float = 0.0) -> None:
    """Checks on one batch that a folded model computes what the original computes.

    A float may differ by `TOLERANCE` of the largest value of its output, or by what rounding
    the inputs changes in it; a few integers may differ. Neither model changes. Nothing is checked
    if the original runs on no generated inputs, or if its outputs are random or not finite.

    Args:
        model: the original; its gates are clipped and moved for the comparison.
        folded: the folded model.
        rho_tolerance: as for `keras_bin.export.fold`.

    Raises:
        ValuesError: an output differs, or `folded` uses a weight of `model`.
    """
    original = _Original(model, rho_tolerance)
    batch, expected = original.first_outputs()
    if batch is None:
        return
    got = original.run_folded(folded, batch)
    if not original.differences(got, expected) or original.is_random(batch, expected):
        return
    wrong = original.differences(got, expected, original.rounding(batch, expected))
    if wrong:
        raise ValuesError(
            "A folded model must compute in inference mode what the model itself computes; a "
            "custom layer that sets `training=True` for a layer inside it, or that calls one "
            "through a function or a global name, breaks that. Change the layer, or export "
            "the model with export_saved_model or export_onnx, which copy no layer. "
            f"Received: model {model.name!r}, whose copy {original.uses(folded, batch)}differs in:",
            wrong,
        )


class _Original:
    """The model that was folded, with its gates clipped and moved."""

    def __init__(self, model, rho_tolerance):
        self._model = as_functional(model)
        self._signature = named_tensors(self._model)
        self._half = is_half_precision(self._model)
        self._gates = ExportedGates(self._model, rho_tolerance).values

    def first_outputs(self) -> tuple[Batch | None, Outputs]:
        """Returns the first batch on which the outputs are known and finite, and the outputs."""
        for batch in self._batches():
            outputs = self._outputs(batch)
            if outputs and all(np.isfinite(_float64(y)).all() for y in outputs.values()):
                return batch, outputs
        return None, {}

    def _batches(self):
        try:
            small, larger = sample_batches(self._signature)[:2]
        except ValueError:  # no text can be generated
            return []
        sizes = {info.name: info.shape[0] for info in self._signature.inputs}
        return [
            {
                name: np.resize(values, (sizes[name] or len(values), *values.shape[1:]))
                for name, values in batch.items()
            }
            for batch in (larger, small)
        ]

    def _outputs(self, batch, other_state=()):
        """Returns the numeric outputs by name, or {} if they are unknown."""
        unbuilt = [layer for layer in all_layers(self._model) if not layer.built]
        try:
            outputs = self._run(self._model, batch, [*self._gates, *other_state])
        except Exception:  # the model may need other values
            return {}
        # A layer that this run has built has new weights.
        return {} if any(layer.built for layer in unbuilt) else outputs

    def is_random(self, batch: Batch, expected: Outputs) -> bool:
        """Tells whether the outputs change when the model runs again, from other seeds."""
        weights = {id(weight) for weight in self._model.weights}
        seeds = [
            (variable, keras.ops.convert_to_numpy(variable) + 1)
            for variable in self._model.variables
            if id(variable) not in weights and "int" in variable.dtype
        ]
        return bool(self.differences(self._outputs(batch, seeds), expected))

    def rounding(self, batch: Batch, expected: Outputs) -> dict[str, float]:
        """Returns by how much each output may differ, given what rounding the inputs changes."""
        epsilon = 2.0**-9 if self._half else 2.0**-22
        largest = LARGEST_HALF_ROUNDING if self._half else LARGEST_ROUNDING
        rng = np.random.default_rng(0)
        nudged = {
            name: (x * (1 + rng.choice([-epsilon, epsilon], x.shape))).astype(x.dtype)
            if is_float(x.dtype.name)
            else x
            for name, x in batch.items()
        }
        return {
            name: min(
                ROUNDING_FACTOR * np.abs(_float64(y) - _float64(expected[name])).max(initial=0),
                largest * _largest(expected[name]),
            )
            for name, y in self._outputs(nudged).items()
        }

    def uses(self, folded: keras.Model, batch: Batch) -> str:
        """Names the layers of the original whose weights the folded model reads."""
        whole = self.run_folded(folded, batch, [])
        layers = [
            layer.path
            for layer in layers_inside(self._model)
            if layer.weights
            and not layers_held(layer)
            and self.differences(self.run_folded(folded, batch, layer.weights), whole)
        ]
        return f"uses the weights of {layers} and " if layers else ""

    def run_folded(self, folded: keras.Model, batch: Batch, without=None) -> Outputs:
        """Runs the folded model while some weights of the original, by default all, are NaN."""
        replaced = [
            (variable, keras.ops.full(variable.shape, float("nan"), variable.dtype))
            for variable in (self._model.variables if without is None else without)
            if "float" in variable.dtype
        ]
        names = [info.name for info in self._signature.inputs]
        inputs = {
            name: batch[name].astype(tensor.dtype)
            for name, tensor in zip(names, folded.inputs, strict=True)
        }
        return self._run(folded, inputs, replaced)

    def _run(self, model, batch, state):
        """Runs a model with other values of some variables, and changes none of them."""
        with keras.StatelessScope(state_mapping=state):
            outputs = run_model(model, [batch[info.name] for info in self._signature.inputs])
        infos = self._signature.outputs
        return {
            info.name: keras.ops.convert_to_numpy(output)
            for info, output in zip(infos, outputs, strict=True)
            if info.dtype != "string"
        }

    def differences(self, got: Outputs, expected: Outputs, rounding=None) -> list[str]:
        """Describes the outputs that differ, and by how much."""
        share = HALF_TOLERANCE if self._half else TOLERANCE
        found = []
        for name, want in expected.items():
            have = got.get(name)
            if have is None or have.shape != want.shape:
                shape = None if have is None else have.shape
                found.append(f"{name!r}: expected shape {want.shape}, got {shape}")
                continue
            have = _float64(have)
            difference = np.where(np.isfinite(have), np.abs(have - _float64(want)), np.inf)
            worst, largest = difference.max(initial=0), _largest(want)
            wrong = worst > max(share * largest + SMALLEST, (rounding or {}).get(name, 0))
            if not is_float(want.dtype.name):
                wrong = np.count_nonzero(difference) > INTEGERS * difference.size
            if wrong:
                found.append(f"{name!r}: by up to {worst:.3g}, of values up to {largest:.3g}")
        return found


def _float64(values):
    return values.astype("float64")


def _largest(values):
    return np.abs(_float64(values)).max(initial=0)
