"""Running the model for the values that artifacts must have."""

import functools
from collections.abc import Callable, Mapping

import keras
import numpy as np

from keras_bin.arrays import is_text
from keras_bin.networks.inference import run_model, serving_function
from keras_bin.networks.state import restored
from keras_bin.sampling.batches import rows
from keras_bin.sampling.trial import Batch

from ..models.exported_model import ExportedModel
from ..results.errors import ValuesError
from ..tracing.channels_last import compute_channels_last
from ..tracing.freezing import frozen
from ..tracing.frozen_graph import FrozenGraph
from ..tracing.grouped import split_grouped_convolutions
from ..tracing.precision import in_float32, in_float64
from .half_agreement import check_half, half_unit
from .sensitivity import moved_by


class Reference:
    """Runs a model in inference mode, with the gates that are exported.

    A half-precision model is exported in float32. Its graph, traced and then computed in float32,
    gives the values, and these are compared with the model's own with a larger tolerance.

    Args:
        exported: the model.

    Raises:
        ValueError: a half-precision model cannot be traced.

    Attributes:
        exported: see above.
    """

    def __init__(self, exported: ExportedModel):
        self.exported = exported
        self._half_unit = half_unit(exported.model)
        self._single = self._graph_function(in_float32) if exported.is_half else None

    def outputs(self, batch: Batch) -> dict[str, np.ndarray]:
        """Runs the model on a batch; returns its outputs by name.

        Raises:
            ValueError: the model does not run on the batch, or computes something else in half
                precision than in float32, or something not finite.
            ValuesError: an output is not finite.
        """
        try:
            with restored(self.exported.model):
                own = self._run_model(batch) if self.exported.is_half else {}
            expected = self._run(batch)
        except Exception as error:
            shapes = {name: value.shape for name, value in batch.items()}
            raise ValueError(
                "The Keras model must run on the samples that an artifact is verified with; pass "
                "inputs that it accepts as `samples`. "
                f"Received: samples of shape {shapes}, on which the model failed with: {error}"
            ) from error
        if self.exported.is_half:
            moved = functools.cache(
                lambda: moved_by(
                    lambda batches: [self._run_single(each) for each in batches],
                    [batch],
                    [expected],
                    self._half_unit,
                )[0]
            )
            check_half(own, expected, rows(batch), self._half_unit, moved)
        wrong = [
            f"{name!r}, batch of {rows(batch)}: {values.size - finite} of {values.size} values"
            for name, values in expected.items()
            if not is_text(values)
            and (finite := np.count_nonzero(np.isfinite(values.astype("float64")))) < values.size
        ]
        if wrong:
            raise ValuesError(
                "The Keras model's own outputs must be finite to be compared; pass `samples` on "
                "which they are. Not finite are:",
                wrong,
            )
        return expected

    def _run(self, batch):
        if self.exported.is_half:
            return self._run_single(batch)
        return self._run_model(batch)

    def _run_single(self, batch):
        infos = self.exported.signature.inputs
        arrays = [np.asarray(batch[info.name], info.dtype) for info in infos]
        return _numpy(self._single(*arrays))

    def _run_model(self, batch):
        with self.exported.gates.in_force():
            outputs = run_model(self.exported.model, self._arguments(batch))
        names = [info.name for info in self.exported.signature.outputs]
        return _numpy(dict(zip(names, outputs, strict=True)))

    def _arguments(self, batch):
        return [batch[info.name] for info in self.exported.signature.inputs]

    def exact_function(self) -> Callable[[Batch], dict[str, np.ndarray]]:
        """Returns a function that maps the arrays of a batch to its outputs in float64.

        Raises:
            ValueError: the model cannot be traced.
        """
        function = self._graph_function(in_float64)

        def run(batch: Batch) -> dict[str, np.ndarray]:
            arguments = [
                value.astype("float64") if value.dtype.kind == "f" else value
                for value in self._arguments(batch)
            ]
            return _numpy(function(*arguments))

        return run

    def _graph_function(self, convert):
        """Returns the model's own graph, nothing folded, in another precision."""
        import tensorflow as tf

        graph = self._graph()
        convert(graph)
        compute_channels_last(graph)
        return graph.function(
            [
                tf.TensorSpec(info.shape, graph.dtype(tensor), name=info.name)
                for info, tensor in zip(self.exported.signature.inputs, graph.inputs, strict=True)
            ]
        )

    def _graph(self) -> FrozenGraph:
        function = serving_function(self.exported.model, self.exported.signature)
        with self.exported.gates.in_force():
            graph = frozen(function, [info.name for info in self.exported.signature.outputs])
        split_grouped_convolutions(graph)
        return graph


def _numpy(outputs: Mapping) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}
