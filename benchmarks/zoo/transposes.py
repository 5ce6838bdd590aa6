"""Counts in ONNX files what tells whether a conversion went well."""

from pathlib import Path


def count_operators(path: Path) -> dict[str, int]:
    """Counts convolutions, and the transposes that neither take an input nor give an output.

    A net of Keras has its channels last and ONNX wants them first; the file should change that
    where it begins and where it ends, and not in between.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    edges = {tensor.name for tensor in (*graph.input, *graph.output)}
    inner = [
        node
        for node in graph.node
        if node.op_type == "Transpose" and not edges & {*node.input, *node.output}
    ]
    convolutions = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    return {"convolutions": len(convolutions), "inner_transposes": len(inner)}
