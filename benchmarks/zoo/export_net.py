"""Folds and exports one network in a fresh process; run by `benchmarks.zoo`.

Writes its findings to a file after each step, so that they remain when a later step takes too long
or ends the process.
"""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from benchmarks.oracle import (
    ALLOWED,
    allowed_relative,
    attempt,
    difference,
    load_onnx,
    load_saved_model,
    model_outputs,
    output_names,
    rounding,
    within,
)
from benchmarks.zoo.nets import NETS
from benchmarks.zoo.transposes import count_operators
from benchmarks.zoo.weights import batch, randomize
from keras_bin.export import export_onnx, export_saved_model, fold

IMAGES = 2
SAMPLES = 3  # the fewest that a verification takes


def steps(name: str, folder: Path) -> dict[str, Callable[[], dict]]:
    """Returns what is done with a network, by name, to be called in that order.

    Args:
        name: of the network.
        folder: where artifacts are written.
    """
    net = NETS[name]
    made = {}

    def build() -> dict:
        keras.utils.set_random_seed(0)
        model = net.build()
        if not net.trained:
            randomize(model, net)
        made["inputs"] = batch(model, net, IMAGES, seed=3)
        made["expected"] = model_outputs(model, made["inputs"])
        made["model"] = model
        return {"parameters": model.count_params()}

    def compared(run: Callable) -> dict:
        apart, allowed = difference(run(made["inputs"]), made["expected"]), ALLOWED
        if not within(apart.relative):
            allowed = allowed_relative(rounding(made["model"], made["inputs"]))
        return {"difference": dataclasses.asdict(apart), "allowed": allowed}

    def samples(model: keras.Model) -> dict[str, np.ndarray] | None:
        return net.samples and {model.inputs[0].name: net.samples(SAMPLES)}

    def folded() -> dict:
        model = fold(made["model"])
        return compared(lambda inputs: model_outputs(model, inputs))

    def onnx() -> dict:
        model = made["model"]
        report = export_onnx(model, folder / "model.onnx", samples=samples(model))
        counts = count_operators(report.path)
        return {**counts, **compared(load_onnx(report.path))}

    def saved_model() -> dict:
        model = made["model"]
        report = export_saved_model(model, folder / "model", samples=samples(model))
        return compared(load_saved_model(report.path, output_names(report)))

    return {"build": build, "fold": folded, "ONNX": onnx, "SavedModel": saved_model}


def main() -> None:
    """Exports and writes."""
    parser = argparse.ArgumentParser(description="Fold and export one network.")
    parser.add_argument("net", choices=NETS, help="which network")
    parser.add_argument("--to", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for key, step in steps(options.net, Path(folder)).items():
            tried = attempt(step)
            found[key] = {"seconds": tried.seconds, **(tried.found or {"error": tried.error})}
            options.to.write_text(json.dumps(found))
            if "error" in found["build"]:
                break


if __name__ == "__main__":
    main()
