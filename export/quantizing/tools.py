"""The libraries that quantize: ONNX Runtime's own tool, and nncf for OpenVINO."""

import contextlib
import importlib
import io
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_bin.runtimes import ONNX_RUNTIME, OPENVINO
from keras_bin.sampling.trial import Batch

from ..extras import require_nncf, require_onnx
from .channels import equalize_channels
from .nodes import Nodes, integer_nodes
from .overflow import halve_weights
from .running import Run, in_onnx_runtime, in_openvino


class Work(NamedTuple):
    """What is to be quantized.

    Attributes:
        source: the file in float.
        folder: folder for intermediate files.
        nodes: the nodes of its graph.
        integer: names of the nodes that are to be int8.
        batches: batches to calibrate on.
        reduce_range: whether weights have 7 bits.
    """

    source: Path
    folder: Path
    nodes: Nodes
    integer: Collection[str]
    batches: Sequence[Batch]
    reduce_range: bool


class Tool(NamedTuple):
    """How files are quantized for a runtime, and run there.

    Attributes:
        runtime: the name of the runtime.
        package: the name of the library that quantizes.
        require: raises an ImportError if a package is missing.
        integer: takes a graph and its `Nodes`, and returns the names of those that can be int8.
        quantize: returns the quantized `onnx.ModelProto`.
        load: takes a file, and returns a function that runs it on a batch.
    """

    runtime: str
    package: str
    require: Callable[[], None]
    integer: Callable[[Any, Nodes], list[str]]
    quantize: Callable[[Work], Any]
    load: Callable[[Path], Run]


def _by_onnx_runtime(work):
    """Gives weights a scale for each channel, and keeps activations unsigned.

    ONNX Runtime's int8 kernels for x86 processors take unsigned activations; with signed ones a
    network is slower than in float. A result is int8, too, with one scale for all channels, so
    before statistics the channels are made equally large first.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_static

    equal, shaped, target = (work.folder / f"{name}.onnx" for name in ("equal", "shaped", "int8"))
    proto = onnx.load(work.source)
    equalize_channels(proto, work.nodes.last.intersection(work.integer), work.batches)
    onnx.save(proto, equal)
    quant_pre_process(equal, shaped, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        shaped,
        target,
        _reader(work.batches),
        per_channel=True,
        reduce_range=work.reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=list(work.integer),
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


def _by_nncf(work):
    """Uses the largest ranges of all samples, and corrects no biases.

    By default, nncf uses the mean of each batch's range, which cuts off values that are larger in
    one domain than in others. With the largest ranges, its bias corrections add more error than
    they remove. Its fix for overflows leaves out grouped convolutions, which are halved here.
    """
    import onnx

    nodes = work.nodes
    in_float = nodes.statistics | nodes.between | set(nodes.linear).difference(work.integer)
    with _quiet():
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        proto = nncf.quantize(
            onnx.load(work.source),
            nncf.Dataset(work.batches),
            subset_size=len(work.batches),
            ignored_scope=nncf.IgnoredScope(names=sorted(in_float)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE if work.reduce_range else None,
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
                disable_bias_correction=True,
            ),
        )
    if work.reduce_range:
        halve_weights(proto.graph)
    return proto


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


TOOLS = {
    ONNX_RUNTIME: Tool(
        "ONNX Runtime",
        "onnxruntime",
        require_onnx,
        integer_nodes,
        _by_onnx_runtime,
        in_onnx_runtime,
    ),
    OPENVINO: Tool("OpenVINO", "nncf", require_nncf, _of_nncf, _by_nncf, in_openvino),
}
