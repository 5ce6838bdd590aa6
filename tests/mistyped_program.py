"""Mistakes that a type checker finds in a user's program, each below what it says of it."""

import keras

import keras_bin.export
from keras_bin.export import ExportReport, export_onnx, fold, verify


def read(report: ExportReport, layer: keras_bin.BatchInstanceNormalization) -> None:
    # error: "ExportReport" has no attribute "pathh"; maybe "path"?
    print(report.pathh)
    # error: "LayerFold" has no attribute "becomes"
    print(report.layers[0].becomes)
    # error: Item "None" of "Any | None" has no attribute "shape"
    print(layer.gamma.shape)


def call(model: keras.Model) -> None:
    # error: Module has no attribute "fold_reports"; maybe "fold_report"?
    keras_bin.export.fold_reports(model)
    # error: Argument 2 to "export_onnx" has incompatible type "int"; expected
    export_onnx(model, 3)
    # error: Unexpected keyword argument "tolerance" for "fold"
    fold(model, tolerance=0.1)
    # error: Argument "atol" to "verify" has incompatible type "str"; expected "float | None"
    print(verify("net.onnx", model, atol="1e-4").passed)
    # error: Argument "rho_gradient_scale" to "BINModel" has incompatible type "str"
    keras_bin.BINModel(rho_gradient_scale="10")
    # error: "RhoSummary" has no attribute "minimun"
    print(keras_bin.rho_summary(model)[0].minimun)
