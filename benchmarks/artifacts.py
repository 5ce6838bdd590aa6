"""A BIN net with weights as after training, its twins, and their exports."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from benchmarks.nets import NORMALIZATIONS, Net
from keras_bin import rho_weights
from keras_bin.export import export_onnx, export_saved_model
from keras_bin.export.onnx_files.lowering import LOWERINGS
from testing.weights import randomize

TWIN = "BN, Keras"
PLAIN = "BIN, Keras"
OURS = "BIN, keras_bin"
ONES = "all-ones BIN, keras_bin"
VERIFIED_IMAGES = 3  # the fewest that a verification takes; 16 large images would take minutes


class Twins(NamedTuple):
    """Nets whose weights are equal, rho apart.

    Attributes:
        bn: with BatchNormalization.
        mixed: with BIN, and gates as the paper found them.
        ones: with BIN whose gates are all 1, which computes what `bn` does.
    """

    bn: keras.Model
    mixed: keras.Model
    ones: keras.Model


def paper_gates(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Draws gates: 72 % are 1, 10 % are 0, and the others are uniform between.

    Source: Nam & Kim 2018, figure 2.
    """
    kinds = rng.choice(3, channels, p=(0.1, 0.72, 0.18))
    return np.where(kinds == 2, rng.uniform(size=channels), kinds)


def make_twins(net: Net) -> Twins:
    """Builds the nets with all that normalizes, and all biases, away from where they start."""
    keras.utils.set_random_seed(0)
    bn, mixed, ones = (net.model(*NORMALIZATIONS[name]) for name in ("BN", "BIN", "BIN"))
    randomize(mixed, rho=1.0)
    ones.set_weights(mixed.get_weights())
    for twin, layer in zip(bn.layers, mixed.layers, strict=True):
        twin.set_weights([weight for weight in layer.weights if weight.name != "rho"])
    rng = np.random.default_rng(0)
    for rho in rho_weights(mixed):
        rho.assign(paper_gates(rng, rho.shape[0]))
    return Twins(bn, mixed, ones)


def write_onnx(twins: Twins, images: np.ndarray, folder: Path) -> dict[str, Path]:
    """Exports the nets to ONNX, by Keras and by keras_bin in either lowering.

    Args:
        twins: the nets.
        images: at least `VERIFIED_IMAGES`.
        folder: where to write.

    Returns:
        The file of each export; the lowering makes no difference to that of `ones`.
    """
    exports = {f"{OURS}, {lowering}": (twins.mixed, lowering) for lowering in LOWERINGS}
    exports[ONES] = (twins.ones, LOWERINGS[0])
    files = _keras_exports(twins, images, folder, "onnx", ".onnx")
    for name, (model, lowering) in exports.items():
        path = folder / f"{name}.onnx"
        samples = _samples(model, images)
        files[name] = export_onnx(
            model, path, lowering=lowering, samples=samples, verbose=False
        ).path
    return files


def write_saved_models(twins: Twins, images: np.ndarray, folder: Path) -> dict[str, Path]:
    """Exports the nets to SavedModels, by Keras and by keras_bin.

    Args:
        twins: the nets.
        images: at least `VERIFIED_IMAGES`.
        folder: where to write.

    Returns:
        The folder of each export.
    """
    folders = _keras_exports(twins, images, folder, "tf_saved_model", "")
    for name, model in ((OURS, twins.mixed), (ONES, twins.ones)):
        samples = _samples(model, images)
        folders[name] = export_saved_model(
            model, folder / name, samples=samples, verbose=False
        ).path
    return folders


def _keras_exports(twins, images, folder, kind, suffix):
    paths = {name: folder / f"{name}{suffix}" for name in (TWIN, PLAIN)}
    for model, path in zip((twins.bn, twins.mixed), paths.values(), strict=True):
        model(images[:1])  # Keras exports no model to ONNX that was never called
        model.export(str(path), format=kind, verbose=False)
    return paths


def _samples(model, images):
    (inputs,) = model.inputs
    return {inputs.name: images[:VERIFIED_IMAGES]}
