"""Models of a few kinds, their artifacts, and what those must compute."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_bin.export import export_onnx, export_saved_model, fold
from testing.weights import randomize
from tests.export.kinds import KINDS
from tests.export.serving import OUTPUT_NAMES
from tests.export.values import arrays, predict

# Where a model does not name them, rho is 0 and 1 in two channels and between in the others.
CASES = {
    "mixed rho": KINDS["functional"],
    "rho 0": lambda: randomize(KINDS["sequential_inside_functional"](), rho=0),
    "rho 1": lambda: randomize(KINDS["functional"](), rho=1),
    "dicts": KINDS["dicts"],
    "free sizes": KINDS["free_sizes"],
    "channels first": KINDS["channels_first"],
    "rank 3": KINDS["rank_3"],
}
BATCHES = (1, 3, 16)
SIZES = (10, 14)  # of axes that a model leaves free


class Format(NamedTuple):
    """A kind of artifact.

    Attributes:
        write: function of a model and a folder that returns the path it has written.
        keras: the first version of Keras that can write it.
    """

    write: Callable[[keras.Model, Path], Path]
    keras: tuple[int, int] = (3, 9)


def _exported_by_keras(suffix, name):
    def write(model, folder):
        path = folder / f"model{suffix}"
        fold(model).export(str(path), format=name, verbose=False)
        return path

    return write


FORMATS = {
    "SavedModel": Format(lambda model, folder: export_saved_model(model, folder / "base").path),
    "ONNX": Format(lambda model, folder: export_onnx(model, folder / "model.onnx").path),
    "LiteRT": Format(_exported_by_keras(".tflite", "litert"), (3, 13)),
    "OpenVINO IR": Format(_exported_by_keras(".xml", "openvino"), (3, 11)),
}


def unwritable(artifact: str) -> str | None:
    """Returns why the Keras or Python at hand cannot write an artifact, or None."""
    needed = FORMATS[artifact].keras
    if tuple(map(int, keras.__version__.split(".")[:2])) < needed:
        return f"{artifact} is written by Keras from {needed[0]}.{needed[1]} on"
    if artifact == "OpenVINO IR" and sys.version_info >= (3, 13):
        # openvino/frontend/tensorflow/utils.py, as of 2026.4.1.
        return "OpenVINO's converter deletes a name made by exec, which Python 3.13 does not keep"
    return None


class Exported:
    """The model of one case, as artifacts that are written when they are asked for.

    Args:
        case: a key of `CASES`.
        folder: where to write; it is made.

    Attributes:
        inputs: maps names to shapes, None where a size is free.
        outputs: names, in the order in which Keras flattens the model's outputs.
        batches: dicts of arrays, of every batch size and of every size that is free.
        expected: the Keras model's outputs for each of `batches`, by name.
    """

    def __init__(self, case: str, folder: Path):
        folder.mkdir()
        keras.utils.set_random_seed(0)
        self._folder, self._paths = folder, {}
        self._model = model = CASES[case]()
        self.inputs = {tensor.name: tuple(tensor.shape) for tensor in model.inputs}
        self.outputs = OUTPUT_NAMES.get(case, model.output_names)
        free = any(None in shape[1:] for shape in self.inputs.values())
        values = [
            arrays(model, batch, size, seed=batch)
            for size in (SIZES if free else SIZES[:1])
            for batch in BATCHES
        ]
        self.batches = [dict(zip(self.inputs, each, strict=True)) for each in values]
        self.expected = [
            dict(zip(self.outputs, predict(model, each), strict=True)) for each in values
        ]

    def path(self, artifact: str) -> Path:
        """Returns where the artifact lies, a key of `FORMATS`; the first call writes it."""
        if artifact not in self._paths:
            self._paths[artifact] = FORMATS[artifact].write(self._model, self._folder)
        return self._paths[artifact]


def assert_outputs_equal(results: list[dict], expected: list[dict]) -> None:
    """Checks outputs of all batches: names, dtypes, shapes and values."""
    assert len(results) == len(expected)
    for got, want in zip(results, expected, strict=True):
        assert got.keys() == want.keys()
        for name, values in want.items():
            assert got[name].dtype == values.dtype
            assert got[name].shape == values.shape
            # With this rtol the runtimes need an atol of 1.4e-6, for outputs up to 9: float32
            # rounding in another order. Three times that, as processors differ in how they add.
            np.testing.assert_allclose(
                got[name], values, rtol=1e-6, atol=4e-6, err_msg=f"{name}, batch {len(values)}"
            )


def largest_difference(results: list[dict], expected: list[dict]) -> float:
    """Returns the largest absolute difference of any output."""
    return max(
        float(np.abs(got[name] - values).max())
        for got, want in zip(results, expected, strict=True)
        for name, values in want.items()
    )
