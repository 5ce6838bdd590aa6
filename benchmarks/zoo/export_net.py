"""Folds and exports one network in a fresh process; run by `benchmarks.zoo`."""

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from benchmarks.oracle import (
    ALLOWED,
    allowed_relative,
    difference,
    load_onnx,
    load_saved_model,
    model_outputs,
    output_names,
    rounding,
    within,
)
from benchmarks.zoo.net import Net
from benchmarks.zoo.nets import NETS
from benchmarks.zoo.steps import take
from benchmarks.zoo.transposes import count_operators
from benchmarks.zoo.weights import batch, randomize
from keras_bin.export import export_onnx, export_saved_model, fold

IMAGES = 2
SAMPLES = 3  # the fewest that a verification accepts


def build(net: Net) -> keras.Model:
    """Builds a network, with random weights if it has none of its own."""
    keras.utils.set_random_seed(0)
    model = net.build()
    if not net.trained:
        randomize(model, net)
    return model


class Exports:
    """What a model is turned into, each compared with the model's own outputs.

    Args:
        net: what the model was built from.
        model: the model.
        inputs: those on which outputs are compared.
        folder: where artifacts are written.
    """

    def __init__(self, net: Net, model: keras.Model, inputs: Sequence[np.ndarray], folder: Path):
        self._model, self._inputs, self._folder = model, inputs, folder
        self._expected = model_outputs(model, inputs)
        self._samples = net.samples and {model.inputs[0].name: net.samples(SAMPLES)}

    def fold(self) -> dict:
        """Folds it."""
        model = fold(self._model)
        return self._compared(lambda inputs: model_outputs(model, inputs))

    def onnx(self) -> dict:
        """Exports it to ONNX."""
        path = self._folder / "model.onnx"
        report = export_onnx(self._model, path, samples=self._samples, verbose=False)
        return {**count_operators(report.path), **self._compared(load_onnx(report.path))}

    def saved_model(self) -> dict:
        """Exports it to a SavedModel."""
        report = export_saved_model(
            self._model, self._folder / "model", samples=self._samples, verbose=False
        )
        return self._compared(load_saved_model(report.path, output_names(report)))

    def _compared(self, run: Callable) -> dict:
        apart, allowed = difference(run(self._inputs), self._expected), ALLOWED
        if not within(apart.relative):
            allowed = allowed_relative(rounding(self._model, self._inputs))
        return {"difference": dataclasses.asdict(apart), "allowed": allowed}


def steps(net: Net, folder: Path) -> dict[str, Callable[[], dict]]:
    """Returns what is done with a network, by name and in order."""
    made = {}

    def built() -> dict:
        model = build(net)
        made["exports"] = Exports(net, model, batch(model, net, IMAGES, seed=3), folder)
        return {"parameters": model.count_params()}

    return {
        "build": built,
        "fold": lambda: made["exports"].fold(),
        "ONNX": lambda: made["exports"].onnx(),
        "SavedModel": lambda: made["exports"].saved_model(),
    }


def main() -> None:
    """Exports and writes."""
    parser = argparse.ArgumentParser(description="Fold and export one network.")
    parser.add_argument("net", choices=NETS, help="which network")
    parser.add_argument("--to", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        take(steps(NETS[options.net], Path(folder)), ["build"], options.to)


if __name__ == "__main__":
    main()
