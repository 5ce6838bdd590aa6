"""A program that a user could write: the tests check its types, and run it."""

from pathlib import Path

import keras
import numpy as np

import keras_bin
from keras_bin.export import (
    ExportReport,
    LayerFold,
    Verification,
    VerificationError,
    export_onnx,
    export_saved_model,
    fold,
    fold_report,
    prune,
    verify,
)


def build() -> keras_bin.BINModel:
    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs)
    x = keras_bin.BatchInstanceNormalization(rho_constraint=keras_bin.UnitInterval())(x)
    return keras_bin.BINModel(inputs, x, rho_gradient_scale=10.0)


def gates(layer: keras_bin.BatchInstanceNormalization) -> tuple[list[float], tuple[int, ...]]:
    values: list[float] = layer.rho.numpy().tolist()
    return values, tuple(layer.rho.shape)


def normalize(layer: keras_bin.BatchInstanceNormalization, images: np.ndarray) -> np.ndarray:
    outputs = layer(images, training=True)
    if layer.gamma is not None:
        outputs = outputs / layer.gamma
    return np.asarray(outputs)


def lowest_gate(model: keras.Model) -> float:
    summaries: list[keras_bin.RhoSummary] = keras_bin.rho_summary(model)
    return min(summary.minimum for summary in summaries)


def what_became(model: keras.Model) -> list[str]:
    layers: list[LayerFold] = fold_report(model, rho_tolerance=0.01)
    return [f"{layer.layer}: {layer.became}, {layer.reason}" for layer in layers]


def export(model: keras.Model, folder: Path) -> ExportReport:
    report = export_saved_model(model, folder / "net", version=1, atol=1e-4)
    assert report.layers_folded == 1
    removed: list[Path] = prune(folder / "net", keep=1)
    assert not removed
    return export_onnx(fold(model), str(folder / "net.onnx"), opset=17)


def check(report: ExportReport, model: keras.Model) -> Verification | None:
    samples = {"image": np.ones((3, 8, 8, 3), "float32")}
    try:
        return verify(report.path, model, samples)
    except VerificationError as error:
        print(*error.differences, sep="\n")
        return error.verification


def main(folder: Path) -> float:
    model = build()
    keras_bin.plot_rho(model, bins=10).savefig(folder / "rho.png")
    (layer,) = (
        each for each in model.layers if isinstance(each, keras_bin.BatchInstanceNormalization)
    )
    values, shape = gates(layer)
    assert (len(values),) == shape
    normalize(layer, np.ones((2, 6, 6, 4), "float32"))
    assert lowest_gate(model) == min(values)
    print(*what_became(model), sep="\n")
    found = check(export(model, folder), model)
    assert found is not None
    return max(output.max_abs for output in found.outputs)
