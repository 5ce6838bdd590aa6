"""Names, shapes and dtypes of the inputs and outputs of a model and its artifacts."""

from collections.abc import Mapping
from typing import NamedTuple

import keras

from keras_bin.errors import ArgumentError
from keras_bin.networks.half_precision import HALF_DTYPES
from keras_bin.networks.tensor_names import Names, argument_name, renamed, unique


class TensorInfo(NamedTuple):
    """One input or output.

    Attributes:
        name: the key under which it is fed or read.
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


def model_signature(
    model: keras.Model, input_names: Names | None = None, output_names: Names | None = None
) -> Signature:
    """Returns the signature of the artifacts that a Functional model is exported to.

    Inputs and outputs in a dict are named by their keys, joined by `_` if nested. Other inputs
    have the names of their `keras.Input`, other outputs those of their layers, numbered if one
    layer has several. TensorFlow uses input names as argument names, so every character except
    ASCII letters, digits and `_` becomes `_`, as in Keras's own export. The batch axis is free,
    and half precision becomes float32.

    Args:
        model: the model.
        input_names: other names for the inputs; see `keras_bin.networks.tensor_names.renamed`.
        output_names: likewise for the outputs.

    Raises:
        TypeError: `input_names` or `output_names` is not a list or dict.
        ArgumentError: they do not fit the model, an output has an empty name, or an input and an
            output share a name.
    """
    inputs, outputs = named_tensors(model)
    own_inputs = unique([argument_name(info.name) for info in inputs])
    if isinstance(input_names, Mapping):  # by the names in the model, too, as `inspect` shows them
        exported = dict(zip((info.name for info in inputs), own_inputs, strict=True))
        input_names = {exported.get(name, name): new for name, new in input_names.items()}
    inputs = _with_names(inputs, renamed(own_inputs, input_names, "input"))
    own_outputs = [info.name for info in outputs]
    outputs = _with_names(outputs, renamed(own_outputs, output_names, "output"))
    if "" in (info.name for info in outputs):
        raise ArgumentError(
            "Names of outputs must not be empty; give each output of the dict a key, or pass "
            f"`output_names`. Received: {own_outputs}"
        )
    shared = {info.name for info in inputs} & {info.name for info in outputs}
    if shared:
        raise ArgumentError(
            "Inputs and outputs must have different names; rename the layer or the key, or pass "
            f"`input_names` or `output_names`. Received: {sorted(shared)} as names of both"
        )
    return Signature(tuple(map(_as_exported, inputs)), tuple(map(_as_exported, outputs)))


def named_tensors(model: keras.Model) -> Signature:
    """Names inputs and outputs as `model_signature` does, without changing or checking names."""
    return Signature(
        _named(model.input, [tensor.name for tensor in model.inputs]),
        _named(model.output, model.output_names),
    )


def _with_names(infos, names):
    return tuple(info._replace(name=name) for info, name in zip(infos, names, strict=True))


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
        for name, (_, tensor) in zip(unique(names), paths, strict=True)
    )
