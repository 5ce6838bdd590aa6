"""The file in int8: what it says about itself, and how much of it is int8."""

import importlib.metadata
from collections.abc import Container

from ..files.metadata import QUANTIZATION, RUNTIME


def finish(proto, source, package: str, runtime: str) -> None:
    """Gives a quantized model the metadata of its source, and records what quantized it.

    Args:
        proto: the quantized model.
        source: the model in float.
        package: the library that quantized it.
        runtime: the runtime that it is for.
    """
    import onnx

    metadata = {pair.key: pair.value for pair in source.metadata_props}
    metadata[RUNTIME] = runtime
    metadata[QUANTIZATION] = f"int8 by {package} {importlib.metadata.version(package)}"
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, metadata)
    proto.producer_name, proto.producer_version = source.producer_name, source.producer_version


def count_quantized(graph, linear: Container[str]) -> int:
    """Returns how many of the linear operators have weights in int8."""
    integer = {
        name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output
    }
    return sum(node.name in linear and node.input[1] in integer for node in graph.node)
