"""Comparing a folded model with the model that it was made from."""

import keras
import numpy as np

from keras_bin.export.errors import ValuesError
from keras_bin.export.folding.constants import snap
from keras_bin.export.folding.graph import as_functional
from keras_bin.export.folding.precision import HALF_DTYPES, is_half_precision
from keras_bin.export.signature import named_tensors, run_model
from keras_bin.export.verifying.samples import Batch, sample_batches
from keras_bin.gates import rho_weights

# Of the largest value of an output; the rounding of float32 nets is below a hundredth of it.
TOLERANCE = 1e-3
SMALLEST = 1e-6
# A net that magnifies the rounding of its inputs does so with its weights, which folding rounds
# anew in each layer. An error could hide in more than the largest share of an output.
ROUNDING_FACTOR = 10
LARGEST_ROUNDING, LARGEST_HALF_ROUNDING = 0.01, 0.1
# Of the elements of an output of integers, such as the class of each pixel.
INTEGERS = 0.01


def check_folded(model: keras.Model, folded: keras.Model, rho_tolerance: float = 0.0) -> None:
    """Checks that a folded model computes what the model itself computes, on one batch.

    A float may differ by `TOLERANCE` of the largest value of its output, or by what rounding
    the inputs changes in it; of integers a few may differ. Both models are left as they are.
    Nothing is checked where no inputs can be made up that the model runs on, or where its
    outputs are random or not finite.

    Args:
        model: what was folded; its gates count as clipped and moved.
        folded: what it became.
        rho_tolerance: as for `keras_bin.export.fold`.

    Raises:
        ValuesError: an output differs, or `folded` computes with a weight of `model`.
    """
    source = _Source(model, rho_tolerance)
    batch, expected = source.first_outputs()
    if batch is None:
        return
    got = _run_folded(source, folded, batch)
    if not _differences(got, expected):
        return
    if _differences(source.run(batch, other_seeds=True), expected):
        return
    rounding = source.rounding(batch, expected)
    wrong = _differences(got, expected, rounding)
    if wrong:
        raise ValuesError(
            "A folded model must compute what the model itself computes in inference mode. Where "
            "it does not, a layer of your own sets `training=True` for a layer inside it, or "
            "reaches another one through a function or a global; let it not, or export the model "
            "with export_saved_model or export_onnx, which copy no layer. "
            f"Received: model {model.name!r}; its copy differs in:",
            wrong,
        )


class _Source:
    """A model that is run as it is, but for its gates."""

    def __init__(self, model, rho_tolerance):
        self.model = as_functional(model)
        self.signature = named_tensors(self.model)
        self._half = is_half_precision(self.model)
        self._gates = [
            (rho, snap(keras.ops.convert_to_numpy(rho), rho_tolerance))
            for rho in rho_weights(self.model)
        ]

    def first_outputs(self):
        """Returns the first batch on which the outputs are known and finite, and the outputs."""
        for batch in self._batches():
            outputs = self.run(batch)
            if outputs and all(np.isfinite(_float64(y)).all() for y in outputs.values()):
                return batch, outputs
        return None, {}

    def _batches(self):
        try:
            small, larger = sample_batches(self.signature)[:2]
        except ValueError:  # text cannot be made up
            return []
        sizes = {info.name: info.shape[0] for info in self.signature.inputs}
        return [
            {
                name: np.resize(values, (sizes[name] or len(values), *values.shape[1:]))
                for name, values in batch.items()
            }
            for batch in (larger, small)
        ]

    def run(self, batch: Batch, other_seeds: bool = False) -> dict[str, np.ndarray]:
        """Returns the outputs by name, none where they are not known."""
        unbuilt = [layer for layer in self.model._flatten_layers() if not layer.built]
        state = [*self._gates, *(self._other_seeds() if other_seeds else ())]
        try:
            outputs = _run(self.model, self.signature, batch, state)
        except Exception:  # it may want other values than those that can be made up
            return {}
        # What is built only now has weights that nobody has seen.
        return {} if any(layer.built for layer in unbuilt) else outputs

    def _other_seeds(self):
        weights = {id(weight) for weight in self.model.weights}
        for variable in self.model.variables:
            if id(variable) not in weights and "int" in variable.dtype:
                yield variable, keras.ops.convert_to_numpy(variable) + 1

    def rounding(self, batch, expected):
        """Returns by how much each output may differ for what rounding does to the inputs."""
        epsilon = 2.0**-9 if self._half else 2.0**-22
        largest = LARGEST_HALF_ROUNDING if self._half else LARGEST_ROUNDING
        rng = np.random.default_rng(0)
        nudged = {
            name: (x * (1 + rng.choice([-epsilon, epsilon], x.shape))).astype(x.dtype)
            if _is_float(x)
            else x
            for name, x in batch.items()
        }
        return {
            name: min(
                ROUNDING_FACTOR * np.abs(_float64(y) - _float64(expected[name])).max(initial=0),
                largest * np.abs(_float64(expected[name])).max(initial=0),
            )
            for name, y in self.run(nudged).items()
        }


def _run_folded(source, folded, batch):
    """Runs the folded model while the weights of its source are not a number."""
    taken = [
        (variable, keras.ops.full(variable.shape, float("nan"), variable.dtype))
        for variable in source.model.variables
        if "float" in variable.dtype
    ]
    inputs = {
        info.name: batch[info.name].astype(tensor.dtype)
        for info, tensor in zip(source.signature.inputs, folded.inputs, strict=True)
    }
    return _run(folded, source.signature, inputs, taken)


def _run(model, signature, batch, state):
    """Runs a model with other values for some variables, and leaves all of them as they are."""
    with keras.StatelessScope(state_mapping=state):
        outputs = run_model(model, [batch[info.name] for info in signature.inputs])
        arrays = map(keras.ops.convert_to_numpy, outputs)
        return dict(zip([info.name for info in signature.outputs], arrays, strict=True))


def _differences(got, expected, rounding=None):
    """Says in which outputs, and by how much, two runs differ."""
    found = []
    for name, want in expected.items():
        have = got.get(name)
        if have is None or have.shape != want.shape:
            found.append(f"{name!r}: expected shape {want.shape}, got {getattr(have, 'shape', None)}")
            continue
        have, exact = _float64(have), _float64(want)
        difference = np.where(np.isfinite(have), np.abs(have - exact), np.inf)
        largest = np.abs(exact).max(initial=0)
        if _is_float(want):
            allowed = max(TOLERANCE * largest + SMALLEST, (rounding or {}).get(name, 0))
            wrong = difference.max(initial=0) > allowed
        else:
            wrong = np.count_nonzero(difference) > INTEGERS * difference.size
        if wrong:
            found.append(
                f"{name!r}, batch of {len(want)}: by {difference.max():.3g} at most, of values up "
                f"to {largest:.3g}"
            )
    return found


def _is_float(values):
    return values.dtype.kind == "f" or values.dtype.name in HALF_DTYPES


def _float64(values):
    return values.astype("float64")
