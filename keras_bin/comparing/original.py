"""A model that was copied, and how to run it and its copies."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.arrays import array
from keras_bin.keras_internals import all_layers, layers_held, layers_inside
from keras_bin.networks.copying import holds_own_code
from keras_bin.networks.graph import as_functional
from keras_bin.networks.half_precision import is_half_precision
from keras_bin.networks.inference import run_model
from keras_bin.networks.signature import named_tensors
from keras_bin.sampling.batches import sample_batches
from keras_bin.sampling.scaling import is_float
from keras_bin.sampling.trial import Batch
from keras_bin.traces import functions_run_eagerly

SMALLEST, SMALLEST_DOUBLE = 1e-6, 1e-15
# A model that amplifies the rounding of its inputs also amplifies that of its weights, which a copy
# may round again in each layer. The limits are shares, too: beyond them, errors could hide.
ROUNDING_FACTOR = 10
LARGEST_ROUNDING, LARGEST_HALF_ROUNDING = 0.01, 0.1
# Share of the elements of an integer output, such as the class of each pixel.
INTEGERS = 0.01

Outputs = dict[str, np.ndarray]
Norms = Sequence[tuple[keras.layers.Layer, keras.layers.Layer]]


class Tolerance(NamedTuple):
    """How much the copy of a model may differ, as a share of the largest value of an output.

    Attributes:
        half: if any part of the model is in half precision.
        single: otherwise; float32 rounding is below 1e-5 in most models.
        double: if the whole model is in float64.
    """

    half: float
    single: float
    double: float


class Original:
    """A model that was copied, and how it and its copies run.

    Args:
        model: the original.
        tolerance: see `Tolerance`.
        state: variables and their values during the comparison.
        trained: see `compare`.
    """

    def __init__(self, model, tolerance, state, trained):
        self._model = as_functional(model)
        self._signature = named_tensors(self._model)
        self._half = is_half_precision(self._model)
        self._state = list(state)
        self._trained = trained
        # 1 and 3 rows; in training mode also 16, because the variances of a few rows may be near 0,
        # which amplifies rounding.
        self._sizes = 2 if trained is None else 3
        # Keras's own layers cannot reach the weights of the original from their copies.
        self._isolated = not holds_own_code(self._model)
        self._share = tolerance.half if self._half else tolerance.single
        self._epsilon, self._smallest = 2.0**-9 if self._half else 2.0**-22, SMALLEST
        if _is_double(self._model):
            self._share, self._epsilon, self._smallest = tolerance.double, 2.0**-50, SMALLEST_DOUBLE

    def first_outputs(self, suited: bool = False) -> tuple[Batch | None, Outputs]:
        """Returns the first batch on which the outputs are known and finite, and the outputs.

        Args:
            suited: whether to scale the inputs for the model, which is run several times for that.
        """
        for batch in self._batches(suited):
            outputs = self._outputs(batch)
            if outputs and all(np.isfinite(_float64(y)).all() for y in outputs.values()):
                return batch, outputs
        return None, {}

    def _batches(self, suited):
        model = self._model if suited else None
        try:
            batches = sample_batches(self._signature, model=model)[: self._sizes]
        except ValueError:  # no text can be generated
            return []
        sizes = {info.name: info.shape[0] for info in self._signature.inputs}
        return [
            {
                name: np.resize(values, (sizes[name] or len(values), *values.shape[1:]))
                for name, values in batch.items()
            }
            for batch in reversed(batches)
        ]

    def _outputs(self, batch, other_state=()):
        """Returns the numeric outputs by name, or {} if they are unknown."""
        unbuilt = [layer for layer in all_layers(self._model) if not layer.built]
        try:
            outputs = self._run(self._model, batch, [*self._state, *other_state])
        except Exception:  # the model may need other values
            return {}
        # A layer that this run has built has new weights.
        return {} if any(layer.built for layer in unbuilt) else outputs

    def is_random(self, batch: Batch, expected: Outputs) -> bool:
        """Tells whether the outputs change when the model runs again.

        In inference mode it runs with other seeds; in training mode the copy has the same ones.
        """
        if self._trained is not None:
            return bool(self.differences(self._outputs(batch), expected))
        weights = {id(weight) for weight in self._model.weights}
        seeds = [
            (variable, array(variable) + 1)
            for variable in self._model.variables
            if id(variable) not in weights and "int" in variable.dtype
        ]
        return bool(self.differences(self._outputs(batch, seeds), expected))

    def rounding(self, batch: Batch, expected: Outputs) -> dict[str, float]:
        """Returns how much each output may differ, given the effect of rounding the inputs."""
        largest = LARGEST_HALF_ROUNDING if self._half else LARGEST_ROUNDING
        rng = np.random.default_rng(0)
        nudged = {
            name: (x * (1 + self._epsilon * rng.choice([-1, 1], x.shape))).astype(x.dtype)
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

    def uses(self, copy: keras.Model, batch: Batch) -> list[str]:
        """Names the layers of the original whose weights the copy reads, if the copy runs."""
        try:
            whole = self.run_copy(copy, batch, [])
        except Exception:  # see `_compare_on`
            return []
        return [
            layer.path
            for layer in layers_inside(self._model)
            if layer.weights
            and not layers_held(layer)
            and self.differences(self.run_copy(copy, batch, layer.weights), whole)
        ]

    def run_copy(self, copy: keras.Model, batch: Batch, without=None) -> Outputs:
        """Runs the copy with some weights of the original at NaN, by default all it may reach."""
        if without is None:
            without = [] if self._isolated else self._model.variables
        floats = [variable for variable in without if "float" in variable.dtype]
        # One array for all variables of a shape, to save memory.
        kinds = {(tuple(variable.shape), variable.dtype) for variable in floats}
        nan = {kind: keras.ops.full(kind[0], float("nan"), kind[1]) for kind in kinds}
        replaced = [(each, nan[tuple(each.shape), each.dtype]) for each in floats]
        names = [info.name for info in self._signature.inputs]
        inputs = {
            name: batch[name].astype(tensor.dtype)
            for name, tensor in zip(names, copy.inputs, strict=True)
        }
        return self._run(copy, inputs, replaced)

    def _run(self, model, batch, state):
        """Runs a model with other values for some variables, without changing them."""
        inputs = [batch[info.name] for info in self._signature.inputs]
        eager = contextlib.nullcontext() if self._isolated else functions_run_eagerly()
        with eager, _same_draws(), keras.StatelessScope(state_mapping=state) as scope:
            outputs = run_model(model, inputs, training=self._trained is not None)
            statistics = self._moving_statistics(scope, is_copy=model is not self._model)
        infos = self._signature.outputs
        found = {
            info.name: keras.ops.convert_to_numpy(output)
            for info, output in zip(infos, outputs, strict=True)
            if info.dtype != "string"
        }
        return found | statistics

    def _moving_statistics(self, scope, is_copy):
        """Returns the moving statistics that a run in training mode leaves in a scope."""
        found = {}
        for pair in self._trained or ():
            for name in ("moving_mean", "moving_variance"):
                variable = getattr(pair[is_copy], name)
                value = scope.get_current_value(variable)
                found[f"{name} of {pair[0].path}"] = array(variable if value is None else value)
        return found

    def differences(self, got: Outputs, expected: Outputs, rounding=None) -> list[str]:
        """Describes the outputs that differ, and by how much."""
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
            allowed = max(self._share * largest + self._smallest, (rounding or {}).get(name, 0))
            wrong = worst > allowed
            if not is_float(want.dtype.name):
                wrong = np.count_nonzero(difference) > INTEGERS * difference.size
            if wrong:
                found.append(f"{name!r}: by up to {worst:.3g}, of values up to {largest:.3g}")
        return found


def _same_draws():
    """Makes dropout on PyTorch, which does not use Keras's seeds, draw the same in each run."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    return _seeded()


@contextlib.contextmanager
def _seeded():
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _is_double(model):
    """Tells whether inputs and layers with weights are all in float64, and compute in it."""
    if keras.backend.backend() != "tensorflow":
        return False  # Keras's own layers are in float32 there, whatever their dtype (Keras 3.15)
    dtypes = {tensor.dtype for tensor in model.inputs if is_float(tensor.dtype)}
    dtypes.update(layer.compute_dtype for layer in all_layers(model) if layer.weights)
    return dtypes == {"float64"}


def _float64(values):
    return values.astype("float64")


def _largest(values):
    return np.abs(_float64(values)).max(initial=0)
