"""Counts in ONNX files what tells whether a conversion went well."""

from pathlib import Path

from keras_bin.export.onnx_files.layout.transposes import inner_transposes


def count_operators(path: Path) -> dict[str, int]:
    """Counts convolutions, and the transposes inside that are not the model's own.

    A net of Keras has its channels last and ONNX wants them first; the file should change that
    where it begins and where it ends, and not in between.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    return {"convolutions": len(convolutions), "inner_transposes": inner_transposes(model)}
