"""BIN nets with weights as if trained, their twins with BN, and their exports."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from benchmarks.nets import NORMALIZATIONS, Net
from keras_bin import rho_weights
from keras_bin.export import export_onnx, export_saved_model, fold
from keras_bin.runtimes import ANY, ONNX_RUNTIME, OPENVINO
from testing.weights import randomize

TWIN = "BN by Keras"
PLAIN = "BIN by Keras"
ONES = "all ones"
VERIFIED_IMAGES = 3  # the fewest that a verification accepts; 16 large images would take minutes


class Nets(NamedTuple):
    """Nets whose weights are equal, apart from rho.

    Attributes:
        bn: with BatchNormalization.
        ones: with BIN whose gates are all 1, which computes what `bn` does.
        mixed: with BIN, by the name of its gates, see `GATES`.
    """

    bn: keras.Model
    ones: keras.Model
    mixed: dict[str, keras.Model]


def paper_gates(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Draws gates: 72 % are 1, 10 % are 0, and the others are uniform between.

    Source: Nam & Kim 2018, figure 2.
    """
    kinds = rng.choice(3, channels, p=(0.1, 0.72, 0.18))
    return np.where(kinds == 2, rng.uniform(size=channels), kinds)


def free_gates(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Draws gates as a freely trained ResNet-20 has them: from 0.3 to 0.7, but 5 % at 1."""
    return np.where(rng.random(channels) < 0.05, 1, rng.uniform(0.3, 0.7, channels))


def _in_all(draw: Callable) -> Callable:
    return lambda rng, sizes: [draw(rng, size) for size in sizes]


def _in_front(rng: np.random.Generator, sizes: Sequence[int]) -> list[np.ndarray]:
    return [rng.uniform(0.3, 0.7, sizes[0]), *map(np.ones, sizes[1:])]


# What draws the gates of all layers, given how many each has, by name.
GATES = {
    "paper": _in_all(paper_gates),
    "free": _in_all(free_gates),
    "front": _in_front,
}


def make_nets(net: Net, gates: Sequence[str]) -> Nets:
    """Builds the nets, with normalization weights and biases away from their initial values.

    Args:
        net: the net.
        gates: names in `GATES`.
    """
    keras.utils.set_random_seed(0)
    bn, ones = (net.model(*NORMALIZATIONS[name]) for name in ("BN", "BIN"))
    randomize(ones, rho=1.0)
    for twin, layer in zip(bn.layers, ones.layers, strict=True):
        twin.set_weights([weight for weight in layer.weights if weight.name != "rho"])
    mixed = {}
    for name in gates:
        model = mixed[name] = net.model(*NORMALIZATIONS["BIN"])
        model.set_weights(ones.get_weights())
        rhos = rho_weights(model)
        drawn = GATES[name](np.random.default_rng(0), [rho.shape[0] for rho in rhos])
        for rho, values in zip(rhos, drawn, strict=True):
            rho.assign(values)
    return Nets(bn, ones, mixed)


def write_onnx(nets: Nets, images: np.ndarray, folder: Path) -> dict[str, Path]:
    """Exports the nets to ONNX, by Keras, and by keras_bin for each runtime and by ReduceMean.

    Args:
        nets: the nets.
        images: at least `VERIFIED_IMAGES`.
        folder: where to write.

    Returns:
        The file of each export; the runtime makes no difference to that of `ones`.
    """
    exports = {ONES: (nets.ones, {})}
    for gates, model in nets.mixed.items():
        for runtime in (ANY, ONNX_RUNTIME, OPENVINO):
            exports[ours(gates, runtime)] = (model, {"runtime": runtime})
    gates, model = next(iter(nets.mixed.items()))
    exports[ours(gates, "reduce_mean")] = (model, {"lowering": "reduce_mean"})
    files = _keras_exports(nets, images, folder, "onnx", ".onnx")
    for name, (model, settings) in exports.items():
        path = folder / f"{name}.onnx"
        samples = _samples(model, images)
        files[name] = export_onnx(model, path, **settings, samples=samples, verbose=False).path
    return files


def write_saved_models(nets: Nets, images: np.ndarray, folder: Path) -> dict[str, Path]:
    """Exports the nets to SavedModels, by Keras, and by keras_bin for any runtime and OpenVINO.

    Args:
        nets: the nets.
        images: at least `VERIFIED_IMAGES`.
        folder: where to write.

    Returns:
        The folder of each export.
    """
    folders = _keras_exports(nets, images, folder, "tf_saved_model", "")
    for name, (model, settings) in _by_arithmetic(nets).items():
        samples = _samples(model, images)
        folders[name] = export_saved_model(
            model, folder / name, **settings, samples=samples, verbose=False
        ).path
    return folders


def write_litert(nets: Nets, _images: np.ndarray, folder: Path) -> dict[str, Path]:
    """Folds the nets, for any runtime and OpenVINO, and exports them to LiteRT by Keras.

    Args:
        nets: the nets.
        folder: where to write.

    Returns:
        The file of each export.
    """
    files = {}
    for name, (model, settings) in _by_arithmetic(nets).items():
        files[name] = folder / f"{name}.tflite"
        fold(model, **settings).export(str(files[name]), format="litert", verbose=False)
    return files


def ours(gates: str, runtime: str) -> str:
    """Names an export of a net with the given gates for a runtime."""
    return f"{gates}, {runtime}"


def _by_arithmetic(nets):
    exports = {ONES: (nets.ones, {})}
    for gates, model in nets.mixed.items():
        for runtime in (ANY, OPENVINO):
            exports[ours(gates, runtime)] = (model, {"runtime": runtime})
    return exports


def _keras_exports(nets, images, folder, kind, suffix):
    paths = {name: folder / f"{name}{suffix}" for name in (TWIN, PLAIN)}
    models = (nets.bn, next(iter(nets.mixed.values())))
    for model, path in zip(models, paths.values(), strict=True):
        model(images[:1])  # Keras does not export a model to ONNX that was never called
        model.export(str(path), format=kind, verbose=False)
    return paths


def _samples(model, images):
    (inputs,) = model.inputs
    return {inputs.name: images[:VERIFIED_IMAGES]}
