"""Whether sums of 8-bit products overflow on this processor, and weights of 7 bits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .running import Run

_CHANNELS = 16
_SUM = 255 * 127 * _CHANNELS
_TEXT = f"""<ir_version: 8, opset_import: ["": 13]>
largest (float[1, {_CHANNELS}, 8, 8] x) => (float[1, 16, 8, 8] y) {{
    q = QuantizeLinear(x, one, zero)
    a = DequantizeLinear(q, one, zero)
    b = DequantizeLinear(weights, one, middle)
    c = Conv(a, b)
    r = QuantizeLinear(c, scale, zero)
    y = DequantizeLinear(r, scale, zero)
}}"""


def overflows(load: Callable[[Path], Run], folder: Path) -> bool:
    """Returns whether a convolution of the largest values is too small.

    x86 processors without VNNI instructions add two products of 8 bits in 16 bits, and keep the
    largest number that fits.

    Args:
        load: takes a file, and returns a function that runs it on a batch.
        folder: folder for the file of that convolution.
    """
    import onnx

    constants = {
        "one": np.float32(1),
        "zero": np.uint8(0),
        "middle": np.int8(0),
        "scale": np.float32(_SUM / 200),
        "weights": np.full((16, _CHANNELS, 1, 1), 127, "int8"),
    }
    model = onnx.parser.parse_model(_TEXT)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    path = folder / "largest.onnx"
    onnx.save(model, path)
    sums = load(path)({"x": np.full((1, _CHANNELS, 8, 8), 255, "float32")})["y"]
    return bool(np.min(sums) < 0.9 * _SUM)


def halve_weights(graph) -> None:
    """Halves the int8 weights of which some need 8 bits, and doubles their scales.

    Args:
        graph: the graph of an `onnx.ModelProto` in which every scale belongs to one tensor.
    """
    from onnx.numpy_helper import from_array, to_array

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        weights, scale = (constants[name] for name in node.input[:2])
        values = to_array(weights)
        if values.dtype == np.int8 and np.any(np.abs(values.astype("int16")) > 64):
            weights.CopyFrom(from_array(np.rint(values / 2).astype("int8"), weights.name))
            scale.CopyFrom(from_array(2 * to_array(scale), scale.name))
