"""What a quantization did."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class QuantizationReport:
    """What was quantized, and how far the outputs moved.

    Attributes:
        path: the int8 file.
        runtime: the runtime that it is for, `"onnxruntime"` or `"openvino"`.
        quantized: number of convolutions, dense layers and matrix products in int8.
        linear: number of all of them.
        weight_bits: bits of the weights in int8, 8 or, so that sums of products do not overflow, 7.
        errors: for each output, the norm of the difference over the norm of the output in float,
            on the data; for integers, the share that differs.
        size: size of the file, in bytes.
        float_size: size of the file in float, in bytes.
        seconds: wall-clock time.

    Example:
    >>> from keras_bin.export import QuantizationReport
    >>> from pathlib import Path
    >>> print(QuantizationReport(Path("int8.onnx"), "openvino", 20, 22, 8, {"y": 0.02}, 5, 9, 1.5))
    int8.onnx: int8 for openvino, 20 of 22 linear operators, weights of 8 bits; relative error of
    the outputs: 'y' 0.02; 5 bytes, in float 9; 1.5 s
    """

    path: Path
    runtime: str
    quantized: int
    linear: int
    weight_bits: int
    errors: dict[str, float]
    size: int
    float_size: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold."""
        return {**vars(self), "path": str(self.path)}

    def __str__(self) -> str:
        errors = ", ".join(f"{name!r} {error:.2g}" for name, error in self.errors.items())
        return (
            f"{self.path}: int8 for {self.runtime}, {self.quantized} of {self.linear} linear "
            f"operators, weights of {self.weight_bits} bits; relative error of the outputs: "
            f"{errors}; {self.size:,} bytes, in float {self.float_size:,}; {self.seconds:.1f} s"
        )
