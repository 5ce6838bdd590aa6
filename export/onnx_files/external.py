"""Weights that stay outside an ONNX file, because a protobuf holds at most 2 GB."""

import collections
import re
import secrets
from pathlib import Path

import keras
import numpy as np

from ..files.publish import publish_file
from ..models.weight_size import bytes_of, fits_inside
from .proto import read_proto
from .size import external_locations

SMALLEST_OUTSIDE = 2**20


class ExternalWeights:
    """The large weights of a model, if all of its weights together are too large for one file.

    The traced function takes them as arguments, which become inputs of the ONNX model; `move_out`
    turns these into initializers, and `write` writes their values into a separate file.

    Args:
        model: the model.

    Attributes:
        weights: its weights of 1 MiB or more, or none if all fit.
    """

    def __init__(self, model: keras.Model):
        large = [weight for weight in model.weights if bytes_of(weight) >= SMALLEST_OUTSIDE]
        self.weights = [] if fits_inside(model) else large
        self._values: dict[str, np.ndarray] = {}

    def move_out(self, proto, values: list[np.ndarray]) -> None:
        """Turns the last inputs of a model, which stand for the weights, into initializers.

        Args:
            proto: the ONNX model.
            values: value of each weight; not that of the model if it has absorbed something.
        """
        inputs = list(proto.graph.input)
        first = len(inputs) - len(self.weights)
        readers = collections.defaultdict(list)
        for node in proto.graph.node:
            for name in node.input:
                readers[name].append(node)
        for value, array in zip(inputs[first:], values, strict=True):
            name = value.name
            if [node.op_type for node in readers[name]] == ["Transpose"]:
                (transpose,) = readers[name]
                array = np.transpose(array, transpose.attribute[0].ints)
                name = transpose.output[0]
                proto.graph.node.remove(transpose)
            self._values[name] = array
        del proto.graph.input[first:]

    def write(self, proto, path: Path) -> None:
        """Writes the values beside `path`, and records in the model where they are."""
        import onnx

        if not self._values:
            return
        data = path.with_name(f"{path.name}.{secrets.token_hex(4)}.data")
        with open(data, "xb") as file:
            for name, values in self._values.items():
                tensor = proto.graph.initializer.add(
                    name=name,
                    data_type=onnx.helper.np_dtype_to_tensor_dtype(values.dtype),
                    dims=values.shape,
                    data_location=onnx.TensorProto.EXTERNAL,
                )
                fields = {"location": data.name, "offset": file.tell(), "length": values.nbytes}
                for key, value in fields.items():
                    tensor.external_data.add(key=key, value=str(value))
                file.write(np.ascontiguousarray(values).data)


def publish_with_weights(written: Path, path: Path, overwrite: bool) -> None:
    """Gives an ONNX file its name in one step, after the file with its weights has its own.

    The weights file gets a new name every time, so a file that is replaced stays whole until then;
    its old weights are removed afterwards.

    Raises:
        FileExistsError: `path` appeared in the meantime, and `overwrite` is False.
        OSError: the disk is full, or fails.
    """
    new = [path.parent / name for name in _weights_of(written)]
    old = [path.parent / name for name in _weights_of(path)] if path.exists() else []
    try:
        for file in new:
            publish_file(written.parent / file.name, file, overwrite=False)
        publish_file(written, path, overwrite)
    except BaseException:
        for file in new:
            file.unlink(missing_ok=True)
        raise
    for file in old:
        file.unlink(missing_ok=True)


def _weights_of(path):
    """Returns the names of the files that hold weights of an ONNX file, as `write` names them."""
    try:
        proto = read_proto(path)
    except ValueError:
        return []
    ours = re.compile(re.escape(path.name) + r"\.[0-9a-f]{8}\.data")
    return sorted(name for name in set(external_locations(proto)) if ours.fullmatch(name))
