"""Describing an ONNX file without running it."""

import collections
import re
from pathlib import Path
from typing import Any, NamedTuple

from keras_bin.networks.signature import Signature, TensorInfo

from ..extras import require_onnx
from ..files.metadata import facts_in
from ..results.plain import plain
from .proto import read_proto
from .size import onnx_size

# NumPy's names of dtypes that ONNX names otherwise. ONNX's own table of them has no bfloat16 before
# 1.19.
_NAMES = {"float": "float32", "double": "float64", "undefined": "unknown"}


class OnnxTensor(NamedTuple):
    """One input or output of an ONNX file.

    Attributes:
        name: the key to feed or read it by.
        shape: sizes, the batch axis first; a name or None for a free size.
        dtype: name of the dtype, such as `"float32"`; `"sequence"`, `"map"` or `"optional"` if
            it is not a tensor, and `"unknown"` if the file states none.
    """

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


class OnnxFile(NamedTuple):
    """What an ONNX file contains.

    Attributes:
        path: the file.
        size: its size in bytes, including the files that hold its weights.
        producer: name and version of the program that wrote it.
        opsets: version of the operator set, by domain; ONNX's own domain is `""`.
        inputs: the inputs, without constants.
        outputs: the outputs.
        operators: how many operators of each kind there are, most frequent first; those in
            branches and in the bodies of loops count once.
        metadata: the file's `metadata_props`.
    """

    path: Path
    size: int
    producer: str
    opsets: dict[str, int]
    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]
    operators: dict[str, int]
    metadata: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold."""
        return {"kind": "onnx", **plain(self)}


def describe_onnx(path: Path) -> OnnxFile:
    """Describes an ONNX file.

    Raises:
        ImportError: a package of the `onnx` extra is missing.
        ValueError: the file is damaged or not an ONNX file, or a value in its metadata is not of
            the type that an export writes.
    """
    require_onnx()
    proto = read_proto(path)
    if not proto.graph.output:
        raise ValueError(
            "An ONNX file must hold a graph with outputs; check that it is one. "
            f"Received: {str(path)!r}, in which there is none"
        )
    constants = {tensor.name for tensor in proto.graph.initializer}
    counts = collections.Counter(_operators(proto.graph))
    metadata = {pair.key: pair.value for pair in proto.metadata_props}
    facts_in(metadata, path)  # raises an error if they are damaged
    return OnnxFile(
        path=path,
        size=onnx_size(path),
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        opsets={opset.domain: opset.version for opset in proto.opset_import},
        inputs=tuple(_tensor(x) for x in proto.graph.input if x.name not in constants),
        outputs=tuple(_tensor(x) for x in proto.graph.output),
        operators=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        metadata=metadata,
    )


def stated_signature(path: Path) -> Signature:
    """Returns the inputs and outputs of an ONNX file, with None for every free size.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is damaged, or not an ONNX file.
    """
    found = describe_onnx(path)
    return Signature(
        *(
            tuple(
                TensorInfo(
                    name, tuple(size if isinstance(size, int) else None for size in shape), dtype
                )
                for name, shape, dtype in getattr(found, side)
            )
            for side in Signature._fields
        )
    )


def _tensor(value):
    tensor = value.type.tensor_type
    return OnnxTensor(
        value.name,
        tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
            for dim in tensor.shape.dim
        ),
        _dtype(value.type),
    )


def _dtype(kind):
    import onnx

    if kind.WhichOneof("value") != "tensor_type":
        return str(kind.WhichOneof("value")).removesuffix("_type")
    number = kind.tensor_type.elem_type
    dtypes = onnx.TensorProto.DataType
    if number not in dtypes.values():  # one of a later version of ONNX
        return f"dtype {number}"
    name = dtypes.Name(number).lower()
    return _NAMES.get(name, re.sub(r"(\d)e", r"\1_e", name))


def _operators(graph):
    for node in graph.node:
        yield f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _operators(inner)
