"""The file in float that is quantized, and what the one in int8 says about itself."""

import importlib.metadata
import itertools
from collections.abc import Container
from pathlib import Path

from ..files.metadata import QUANTIZATION
from ..onnx_files.proto import read_proto
from ..onnx_files.size import external_locations

_OLDEST_OPSET = 13  # of a scale for each channel
_INTEGER = (
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
)


def read_source(path: Path):
    """Returns the `onnx.ModelProto` of a file that can be quantized, each node with a name.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: it is no ONNX file, is quantized, has an older operator set, or its weights are
            in another file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"`artifact` must be an ONNX file; `export_onnx` writes one. Received: {str(path)!r}"
        )
    proto = read_proto(path)
    opset = max((each.version for each in proto.opset_import if each.domain == ""), default=0)
    if opset < _OLDEST_OPSET:
        raise ValueError(
            f"An ONNX file must have operator set {_OLDEST_OPSET} or above to be quantized; export "
            f"it again, with a higher `opset`. Received: {str(path)!r}, with {opset or 'none'}"
        )
    if any(external_locations(proto)):
        raise ValueError(
            "An ONNX file must hold its weights itself to be quantized; those of 2 GB and more are "
            f"not supported. Received: {str(path)!r}, whose weights are in another file"
        )
    if any(node.op_type in _INTEGER for node in proto.graph.node):
        raise ValueError(
            "`artifact` must be in float; quantize the file that it was made from. "
            f"Received: {str(path)!r}, which is quantized"
        )
    _constants_to_initializers(proto.graph)
    _name_nodes(proto.graph)
    return proto


def finish(proto, source, package: str, runtime: str) -> None:
    """Gives a quantized model the metadata of its source, and says what has quantized it.

    Args:
        proto: the quantized model.
        source: the model in float.
        package: the library that has quantized it.
        runtime: for which runtime it is.
    """
    import onnx

    metadata = {pair.key: pair.value for pair in source.metadata_props}
    metadata.update(runtime=runtime)
    metadata[QUANTIZATION] = f"int8 by {package} {importlib.metadata.version(package)}"
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, metadata)
    proto.producer_name, proto.producer_version = source.producer_name, source.producer_version


def quantized_nodes(graph, linear: Container[str]) -> list[str]:
    """Returns the names of those linear operators whose weights are int8."""
    integer = {
        name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output
    }
    return [node.name for node in graph.node if node.name in linear and node.input[1] in integer]


def _name_nodes(graph):
    """Names the nodes that have no name, or that of another, by which tools know them.

    A name that starts with `{re}` is a regular expression to nncf.
    """
    taken: set[str] = set()
    numbers = itertools.count(1)
    names = {node.name for node in graph.node}
    for node in graph.node:
        while not node.name or node.name in taken or node.name.startswith("{re}"):
            name = f"{node.op_type}_{next(numbers)}"
            node.name = "" if name in names else name
        taken.add(node.name)


def _constants_to_initializers(graph):
    """Turns tensors of Constant nodes into initializers, in which tools look for weights."""
    tensors = [
        (node, attribute.t)
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    ]
    for node, tensor in tensors:
        graph.initializer.add().CopyFrom(tensor)
        graph.initializer[-1].name = node.output[0]
        graph.node.remove(node)
