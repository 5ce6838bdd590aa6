"""Names, shapes and dtypes of the inputs and outputs of a model and its artifacts."""

import itertools
import keyword
import re
from typing import NamedTuple

import keras

from keras_bin.networks.half_precision import HALF_DTYPES


class TensorInfo(NamedTuple):
    """One input or output.

    Attributes:
        name: the key to feed or read it by.
        shape: sizes, the batch axis first; None for a free size.
        dtype: name of the dtype, such as `"float32"`.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Signature(NamedTuple):
    """Inputs and outputs of a model, in the order in which Keras flattens them."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def model_signature(model: keras.Model) -> Signature:
    """Returns the signature of the artifacts that a Functional model is exported to.

    Inputs and outputs in a dict are named by their keys, joined by `_` if nested. Other inputs
    have the names of their `keras.Input`, other outputs those of their layers, numbered if one
    layer has several. TensorFlow makes the names of inputs arguments, so that every character but
    ASCII letters, digits and `_` becomes `_`, as in Keras's own export. The batch axis is free,
    and half precision becomes float32.

    Raises:
        ValueError: an output has an empty name, or an input and an output share a name.
    """
    inputs, outputs = named_tensors(model)
    if "" in (info.name for info in outputs):
        raise ValueError(
            "Names of outputs must not be empty; give each output of the dict a key. "
            f"Received: {[info.name for info in outputs]}"
        )
    names = _unique([_argument(info.name) for info in inputs])
    inputs = tuple(info._replace(name=name) for info, name in zip(inputs, names, strict=True))
    shared = {info.name for info in inputs} & {info.name for info in outputs}
    if shared:
        raise ValueError(
            "Inputs and outputs must have different names; rename the layer or the key. "
            f"Received: {sorted(shared)} as names of both"
        )
    return Signature(tuple(map(_as_exported, inputs)), tuple(map(_as_exported, outputs)))


def named_tensors(model: keras.Model) -> Signature:
    """Names inputs and outputs as `model_signature` does, but changes and checks no name."""
    return Signature(
        _named(model.input, [tensor.name for tensor in model.inputs]),
        _named(model.output, model.output_names),
    )


def _argument(name):
    """Returns a name that an argument can have."""
    name = re.sub("[^A-Za-z0-9_]", "_", name)
    starts_right = re.match("[A-Za-z]", name) and name != "self"
    return name if starts_right and not keyword.iskeyword(name) else f"input_{name}"


def _as_exported(info):
    dtype = "float32" if info.dtype in HALF_DTYPES else info.dtype
    return info._replace(shape=(None, *info.shape[1:]) if info.shape else (), dtype=dtype)


def _named(structure, default_names):
    paths = keras.tree.flatten_with_path(structure)
    names = [
        "_".join(map(str, path)) if isinstance(structure, dict) else name
        for (path, _), name in zip(paths, default_names, strict=True)
    ]
    return tuple(
        TensorInfo(name, tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype))
        for name, (_, tensor) in zip(_unique(names), paths, strict=True)
    )


def _unique(names):
    """Numbers repeated names, so that all differ."""
    unique = []
    for name in names:
        if name in unique:
            numbered = (f"{name}_{number}" for number in itertools.count(1))
            name = next(new for new in numbered if new not in {*names, *unique})
        unique.append(name)
    return unique
