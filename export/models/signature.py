"""Names, shapes and dtypes by which an artifact is fed and read."""

import contextlib
import itertools
import keyword
import re
from collections.abc import Sequence
from typing import NamedTuple

import keras

from .half_precision import HALF_DTYPES


class TensorInfo(NamedTuple):
    """One input or output.

    Attributes:
        name: the key it is fed or read by.
        shape: sizes, the batch axis first; None where a size is free.
        dtype: dtype name, such as `"float32"`.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Signature(NamedTuple):
    """Inputs and outputs of a model, in the order in which Keras flattens its structures."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def model_signature(model: keras.Model) -> Signature:
    """Reads the signature that an artifact of a Functional model has.

    Inputs and outputs that are given as dicts are named by their keys, joined by `_` where
    they are nested. Otherwise inputs have the names of their `keras.Input` and outputs those
    of the layers that make them, numbered where one layer makes several. In names of inputs, which
    TensorFlow makes arguments of the signature, all but ASCII letters, digits and `_` becomes
    `_`, as in Keras's own export. The batch axis is free, and half precision is float32.

    Raises:
        ValueError: the name of an output is empty, or an input and an output share a name.
    """
    inputs, outputs = named_tensors(model)
    if "" in (info.name for info in outputs):
        raise ValueError(
            "Names of outputs must not be empty; give each output of the dict a key. "
            f"Received: {[info.name for info in outputs]}"
        )
    names = _unique([_argument(info.name) for info in inputs])
    inputs = [info._replace(name=name) for info, name in zip(inputs, names, strict=True)]
    shared = {info.name for info in inputs} & {info.name for info in outputs}
    if shared:
        raise ValueError(
            "Inputs and outputs must have different names; rename the layer or the key. "
            f"Received: {sorted(shared)} as names of both"
        )
    return Signature(tuple(map(_as_exported, inputs)), tuple(map(_as_exported, outputs)))


def named_tensors(model: keras.Model) -> Signature:
    """Names inputs and outputs as `model_signature` does, and leaves the names unchecked."""
    return Signature(
        _named(model.input, [tensor.name for tensor in model.inputs]),
        _named(model.output, model.output_names),
    )


def serving_function(model: keras.Model, signature: Signature, weights: Sequence = ()):
    """Returns a `tf.function` from tensors, in the order of the inputs, to a dict of outputs.

    Args:
        model: a Functional model.
        signature: that of `model`.
        weights: variables of the model whose values the function takes as further arguments.
    """
    import tensorflow as tf

    specs = [
        tf.TensorSpec(info.shape, tensor.dtype, name=info.name)
        for info, tensor in zip(signature.inputs, model.inputs, strict=True)
    ]
    specs += [tf.TensorSpec(weight.shape, weight.dtype) for weight in weights]

    @tf.function(input_signature=specs, autograph=False)
    def serve(*tensors):
        inputs, values = tensors[: len(signature.inputs)], tensors[len(signature.inputs) :]
        with _values_of(weights, values):
            return dict(zip(_names(signature.outputs), run_model(model, inputs), strict=True))

    return serve


def _values_of(weights, values):
    if not weights:
        return contextlib.nullcontext()
    return keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True)))


def run_model(model: keras.Model, tensors) -> list:
    """Calls a model in inference mode on its flattened inputs; returns its flattened outputs."""
    inputs = keras.tree.pack_sequence_as(model.input, list(tensors))
    return keras.tree.flatten(model(inputs, training=False))


def _argument(name):
    """Returns a name that can be that of an argument."""
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
    """Numbers names that come again, with numbers that make no other name."""
    unique = []
    for name in names:
        if name in unique:
            numbered = (f"{name}_{number}" for number in itertools.count(1))
            name = next(new for new in numbered if new not in {*names, *unique})
        unique.append(name)
    return unique


def _names(infos):
    return [info.name for info in infos]
