"""The libraries that quantize: ONNX Runtime's own, and nncf for OpenVINO."""

import contextlib
import importlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_bin.runtimes import ONNX_RUNTIME, OPENVINO
from keras_bin.sampling.trial import Batch

from ..extras import require_nncf, require_onnx
from ..verifying.artifact import load_artifact
from .channels import equalize_channels
from .nodes import Nodes, integer_nodes


class Tool(NamedTuple):
    """How files are quantized for a runtime, and run there.

    Attributes:
        package: the name of the library that quantizes.
        require: raises an ImportError where it is missing.
        linear: takes a graph and its `Nodes`, and returns the names of those linear operators that
            become int8.
        quantize: takes the file in float, a folder for what it writes, its `Nodes`, batches to
            calibrate on, and whether weights have 7 bits; returns the `onnx.ModelProto`.
        load: takes a file, and returns what runs it on a batch.
    """

    package: str
    require: Callable[[], None]
    linear: Callable[[Any, Nodes], list[str]]
    quantize: Callable[[Path, Path, Nodes, Sequence[Batch], bool], Any]
    load: Callable[[Path], Callable[[Batch], Batch]]


def _by_onnx_runtime(source, folder, nodes, batches, reduce_range):
    """Gives weights a scale for each channel, and keeps activations unsigned.

    Those are what ONNX Runtime's int8 kernels for x86 processors take; on signed ones a net takes
    longer than in float. A result is int8, too, with one scale for all channels: where statistics
    are taken of it, channels are made equally large first.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_static

    proto = onnx.load(source)
    integer = integer_nodes(proto.graph, nodes)
    equalize_channels(proto, nodes.last.intersection(integer), batches)
    onnx.save(proto, source)
    shaped, target = folder / "shaped.onnx", folder / "quantized.onnx"
    quant_pre_process(source, shaped, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        shaped,
        target,
        _reader(batches),
        per_channel=True,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=integer,
    )
    return onnx.load(target)


def _reader(batches):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Hands out batches, as ONNX Runtime asks for them."""

        def __init__(self):
            self._rest = iter(batches)

        def get_next(self):
            return next(self._rest, None)

    return Reader()


def _of_onnx_runtime(graph, nodes):
    return [name for name in integer_nodes(graph, nodes) if name in nodes.linear]


def _in_onnx_runtime(path):
    return load_artifact(path).run


def _by_nncf(source, _folder, nodes, batches, reduce_range):
    """Takes the largest ranges of all samples, and corrects no biases.

    By default nncf takes the mean of each batch's range, which cuts off what is larger in one
    domain than in others. With these ranges, its corrections of biases add more error than they
    take away.
    """
    import onnx

    with _quiet():
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        return nncf.quantize(
            onnx.load(source),
            nncf.Dataset(batches),
            subset_size=len(batches),
            ignored_scope=nncf.IgnoredScope(names=sorted(nodes.statistics | nodes.between)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE if reduce_range else None,
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
                disable_bias_correction=True,
            ),
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what nncf prints and logs away from standard output."""
    logger = logging.getLogger("nncf")
    with contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module("nncf")  # sets up its logger
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _of_nncf(_graph, nodes):
    return list(nodes.linear)


def _in_openvino(path):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(batch):
        return {key.any_name: value.copy() for key, value in request.infer(batch).items()}

    return run


TOOLS = {
    ONNX_RUNTIME: Tool(
        "onnxruntime", require_onnx, _of_onnx_runtime, _by_onnx_runtime, _in_onnx_runtime
    ),
    OPENVINO: Tool("nncf", require_nncf, _of_nncf, _by_nncf, _in_openvino),
}
