"""Converts one network in a fresh process, and compares; run by `benchmarks.conversion`."""

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import keras

from benchmarks.conversion import parity
from benchmarks.conversion.costs import Clock, cpu_seconds, only_new_garbage, raised_peak
from benchmarks.conversion.gates import draw_gates
from benchmarks.conversion.nets import NETS
from benchmarks.conversion.twins import float64_twin, low_precision_layers
from benchmarks.oracle import Arrays, model_outputs, rounding
from benchmarks.zoo.export_net import IMAGES, Exports, build
from benchmarks.zoo.net import Net
from benchmarks.zoo.steps import take
from benchmarks.zoo.weights import batch
from keras_bin import (
    BatchInstanceNormalization,
    conversion_report,
    convert_batch_normalization,
    revert_to_batch_normalization,
    rho_weights,
)
from keras_bin.comparing import original
from keras_bin.comparing.compare import Comparison
from keras_bin.conversion import carrying_out

TRAINED_IMAGES = 4
EXACT, UNIT = 1e-12, 2.0**-52  # of float64
ROUNDS = 3
BN, BIN = (keras.layers.BatchNormalization,), (BatchInstanceNormalization,)


class Conversion:
    """What is done with a network; each step returns what it found.

    Args:
        net: the network.
        folder: where artifacts are written.
    """

    def __init__(self, net: Net, folder: Path):
        self._net, self._folder = net, folder
        self._exact: Arrays | None = None
        self._twins: Sequence[keras.Model] = ()

    def steps(self, export: bool) -> dict[str, Callable[[], dict]]:
        """Returns all steps by name, in their order.

        Args:
            export: whether to include those with random gates.
        """
        compared = {
            "build": self.build,
            "convert": self.convert,
            "float64": self.float64,
            "training": self.training,
            "float32": self.float32,
            "time": self.time,
            "revert": self.revert,
        }
        exported = {
            "gates": self.gates,
            "fold": lambda: self._exports.fold(),
            "ONNX": lambda: self._exports.onnx(),
            "SavedModel": lambda: self._exports.saved_model(),
        }
        return {**compared, **exported} if export else compared

    def build(self) -> dict:
        """Builds it, with random weights if it has none of its own."""
        self._source = build(self._net)
        self._inputs = batch(self._source, self._net, IMAGES, seed=3)
        self._outputs = model_outputs(self._source, self._inputs)
        layers = len(parity.normalizations(self._source, BN))
        return {"parameters": self._source.count_params(), "normalizations": layers}

    def convert(self) -> dict:
        """Converts it, counts what became of its layers, and times the comparison."""
        _warm_up()
        with Clock(carrying_out, "compare") as comparison, Clock(original, "run_model") as passes:
            self._converted, peak = raised_peak(lambda: convert_batch_normalization(self._source))
        reasons = [each.reason for each in conversion_report(self._converted) if each.reason]
        return {
            "converted": len(parity.normalizations(self._converted, BIN)),
            "left": [[count, reason] for reason, count in Counter(reasons).items()],
            "peak": peak,
            "weights": sum(map(_bytes, self._converted.weights)),
            "passes": passes.calls,
            "of passes": comparison.seconds / passes.seconds if passes.calls else None,
        }

    def float64(self) -> dict:
        """Compares it in float64, in inference."""
        twin = float64_twin(self._net.build, self._source)
        self._exact = model_outputs(twin, self._inputs)
        self._twins = twin, convert_batch_normalization(twin)
        apart = parity.relative(model_outputs(self._twins[1], self._inputs), self._exact)
        found = {"low": len(low_precision_layers(twin)), "apart": apart}
        if apart is None or apart > EXACT:
            found["own"] = rounding(twin, self._inputs, UNIT)
        return found

    def training(self) -> dict:
        """Compares it in float64 after one call in training."""
        twins, self._twins = self._twins, ()  # memory is short
        if not twins:
            raise ValueError("There is no network in float64.")
        states = [parity.seeds(model) for model in twins]
        parity.set_seeds(twins[1], states[0])
        inputs = batch(twins[0], self._net, TRAINED_IMAGES, seed=5)
        expected, got = (parity.train(model, inputs) for model in twins)
        return {
            "seeds kept": str(states[0]) == str(states[1]),
            **{name: parity.relative(got[name], expected[name]) for name in expected},
        }

    def float32(self) -> dict:
        """Compares it in float32, in units of the source's own rounding, if that is known."""
        got = model_outputs(self._converted, self._inputs)
        found = {"apart": parity.relative(got, self._outputs)}
        if self._exact is not None:
            found["roundings"] = parity.roundings(got, self._outputs, self._exact)
        return found

    def time(self) -> dict:
        """Times conversion without its comparison and `clone_model`, in turns."""
        functions = {
            "convert": lambda: convert_batch_normalization(self._source),
            "clone": lambda: keras.models.clone_model(self._source),
        }
        ran = Comparison(ran=True)
        with mock.patch.object(carrying_out, "compare", return_value=ran), only_new_garbage():
            rounds = [
                {name: cpu_seconds(run) for name, run in functions.items()} for _ in range(ROUNDS)
            ]
        medians = {name: statistics.median(each[name] for each in rounds) for name in functions}
        return {"of clone": medians["convert"] / medians["clone"], "medians": medians}

    def revert(self) -> dict:
        """Reverts the converted network, and compares the result with the source."""
        reverted = revert_to_batch_normalization(self._converted)
        return {
            "reverted": len(parity.normalizations(reverted, BN)),
            "apart": parity.relative(model_outputs(reverted, self._inputs), self._outputs),
        }

    def gates(self) -> dict:
        """Draws gates."""
        draw_gates(self._converted)
        self._exports = Exports(self._net, self._converted, self._inputs, self._folder)
        return {"gates": sum(rho.shape[0] for rho in rho_weights(self._converted))}


def _warm_up():
    """Imports what the first conversion of a process imports."""
    layers = [keras.Input((4, 4, 3)), keras.layers.BatchNormalization()]
    convert_batch_normalization(keras.Sequential(layers))


def _bytes(weight):
    return keras.ops.convert_to_numpy(weight).nbytes


def main() -> None:
    """Converts and writes."""
    parser = argparse.ArgumentParser(description="Convert one network.")
    parser.add_argument("net", choices=NETS, help="which network")
    parser.add_argument("--no-export", action="store_true", help="stop before gates are drawn")
    parser.add_argument("--to", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        conversion = Conversion(NETS[options.net], Path(folder))
        take(conversion.steps(not options.no_export), ["build", "convert"], options.to)


if __name__ == "__main__":
    main()
