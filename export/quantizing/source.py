"""The file in float to be quantized."""

import itertools
from pathlib import Path

from ..onnx_files.proto import read_proto
from ..onnx_files.size import external_locations

_OLDEST_OPSET = 13  # the first with a scale for each channel
_QUANTIZED = (
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
        ValueError: it is not an ONNX file, is quantized, has an older operator set, or its weights
            are in another file.
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
            "An ONNX file must hold its own weights to be quantized; files of 2 GB and more are "
            f"not supported. Received: {str(path)!r}, whose weights are in another file"
        )
    if any(node.op_type in _QUANTIZED for node in proto.graph.node):
        raise ValueError(
            "`artifact` must be in float; quantize the file that it was made from. "
            f"Received: {str(path)!r}, which is quantized"
        )
    _constants_to_initializers(proto.graph)
    _name_nodes(proto.graph)
    return proto


def _name_nodes(graph):
    """Names the nodes that have no name of their own, as tools identify nodes by name.

    nncf takes a name that starts with `{re}` for a regular expression.
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
    """Turns tensors of Constant nodes into initializers, where tools look for weights."""
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
