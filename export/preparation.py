"""The work that all formats of an export share."""

import functools
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_bin.arrays import is_text
from keras_bin.networks.automatic_names import automatic_inputs, automatic_outputs
from keras_bin.networks.graph import check_model
from keras_bin.networks.tensor_names import Names
from keras_bin.runtimes import ANY, check_runtime
from keras_bin.stages import begin_stage

from .models.exported_model import ExportedModel
from .models.rho_tolerance import check_rho_tolerance
from .results.layer_report import LayerFold
from .results.report import ExportReport
from .results.verification import Verification
from .tracing.export_graph import ExportGraph
from .tracing.traced_model import TracedModel
from .verifying.expected import Expected, outputs_in_turn
from .verifying.reference import Reference
from .verifying.tolerance import check_tolerances


class Preparation:
    """A model to export, with everything that does not depend on the format.

    Each part is computed when it is first needed, then shared by all formats.

    Args:
        model: the model to export.
        rho_tolerance: see `fold`.
        samples: see `keras_bin.export.verify`.
        input_names: see `keras_bin.export.export_saved_model`.
        output_names: likewise.
        runtime: see `fold`.

    Raises:
        TypeError: `model` is not a Keras model; see also `ExportedModel`.
        ValueError: `model` is not built; see also `ExportedModel`.

    Attributes:
        exported: the model and the gates that it is exported with.
        runtime: the runtime that it is exported for.
    """

    def __init__(
        self,
        model: keras.Model,
        rho_tolerance: float = 0.0,
        samples: Mapping[str, np.ndarray] | None = None,
        input_names: Names | None = None,
        output_names: Names | None = None,
        runtime: str = ANY,
    ):
        self._begun = time.perf_counter()
        check_model(model)
        self.exported = ExportedModel(model, rho_tolerance, input_names, output_names)
        self._samples = samples
        self.runtime = runtime
        self._graphs: dict[bool, ExportGraph] = {}
        if names := _automatic_names(self.exported.model, input_names, output_names):
            warnings.warn(
                "Inputs and outputs without a name get one from Keras that depends on the layers "
                "made earlier in the process, so it may change with the next training and break "
                "clients; name the keras.Input and the last layer, or pass `input_names` and "
                "`output_names` (--input-names and --output-names in a shell), which may be the "
                f"current names. Received: model {model.name!r} with {' and '.join(names)}",
                stacklevel=3,
            )
        if self.exported.is_half:
            warnings.warn(
                f"Model {model.name!r} computes in half precision; it is exported in float32.",
                stacklevel=3,
            )

    @functools.cached_property
    def expected(self) -> Expected:
        """What an artifact must compute.

        Raises:
            ValueError: see `Expected`.
        """
        begin_stage("sample")
        return Expected(self.exported, self._samples)

    @functools.cached_property
    def rho(self) -> tuple:
        """A `RhoSummary` for each BIN layer, as it is exported."""
        return self.exported.gates.summaries()

    def graph(
        self, arithmetic: bool, weights: Sequence = (), keep_variables: bool = False
    ) -> ExportGraph:
        """Returns the graph to write, which is shared and must not be changed.

        Args:
            arithmetic: whether operators compute instance branches; if not, marks stand for them.
            weights: variables that stay inputs of the graph.
            keep_variables: whether all variables stay variables.

        Raises:
            ValueError: see `TracedModel`.
        """
        if weights or keep_variables:
            traced = self._trace(weights, keep_variables)
            begin_stage("fold")
            return self._export_graph(traced, arithmetic)
        traced = self._traced
        key = arithmetic and traced.is_marked
        if key not in self._graphs:
            begin_stage("fold")
            self._graphs[key] = self._export_graph(traced, arithmetic)
        return self._graphs[key]

    def _export_graph(self, traced, arithmetic):
        return ExportGraph(self.exported, traced, self.runtime if arithmetic else None)

    @functools.cached_property
    def _traced(self):
        return self._trace()

    def _trace(self, *arguments):
        begin_stage("trace")
        return TracedModel(self.exported, *arguments)

    @functools.cached_property
    def snapping_difference(self) -> float | None:
        """The largest change of an output that changed gates cause, or None if no gate changed.

        Text outputs are left out.

        Raises:
            ValueError: see `Reference.outputs`; here for the model with its gates as they are.
            ValuesError: likewise.
        """
        if not self.exported.gates.changed:
            return None
        reference = Reference(self.exported.with_rho_tolerance(None))
        largest = 0.0
        before = outputs_in_turn(reference, self.expected.batches)
        for own, changed in zip(before, self.expected.outputs, strict=True):
            for name, values in own.items():
                if is_text(values):
                    continue
                # float64 also for booleans, and for integers that would overflow
                difference = values.astype("float64") - changed[name]
                largest = max(largest, np.abs(difference).max(initial=0.0))
        return float(largest)

    def report(
        self,
        path: Path,
        layers: tuple[LayerFold, ...],
        found: Verification,
        snapping_difference: float | None,
        size: int,
        inner_transposes: int | None = None,
    ) -> ExportReport:
        """Sums up an export that was written to `path`, and starts the clock for the next one."""
        seconds, self._begun = time.perf_counter() - self._begun, time.perf_counter()
        return ExportReport(
            path=path,
            layers=layers,
            verification=found,
            rho=self.rho,
            snapping_difference=snapping_difference,
            inner_transposes=inner_transposes,
            seconds=seconds,
            size=size,
            cast_to_float32=self.exported.is_half,
        )


def _automatic_names(model, input_names, output_names):
    """Returns a phrase for the inputs and one for the outputs whose names Keras made up."""
    inputs = automatic_inputs(model, input_names)
    outputs = automatic_outputs(model, output_names)
    return [
        f"{side} {names}" for side, names in (("inputs", inputs), ("outputs", outputs)) if names
    ]


def check_settings(
    rho_tolerance: float, atol: float | None, rtol: float | None, runtime: str
) -> None:
    """Checks the arguments that every export takes, whatever its format.

    Raises:
        ValueError: one of them is out of range.
    """
    check_rho_tolerance(rho_tolerance)
    check_tolerances(atol, rtol)
    check_runtime(runtime)
