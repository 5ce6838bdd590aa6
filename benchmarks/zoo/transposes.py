"""Counts in ONNX files the operators that show whether a conversion went well."""

from pathlib import Path

from keras_bin.export.onnx_files.layout.inner_transposes import inner_transposes


def count_operators(path: Path) -> dict[str, int]:
    """Counts convolutions, and the transposes inside that are not the model's own.

    A Keras net has its channels last and ONNX wants them first; the file should change that at its
    inputs and outputs only.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    return {"convolutions": len(convolutions), "inner_transposes": inner_transposes(model)}
