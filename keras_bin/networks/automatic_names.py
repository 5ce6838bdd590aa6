"""Names that Keras makes up where none is given; they depend on what the process made before."""

import re
from collections.abc import Iterable

import keras

from keras_bin.keras_internals import calls_in_order, to_snake_case
from keras_bin.networks.signature import named_tensors
from keras_bin.networks.tensor_names import Names

# In the process that made the input, and after loading from a file.
_OF_INPUTS = ("keras_tensor", "input_layer")


def automatic_inputs(model: keras.Model, given: Names | None = None) -> list[str]:
    """Returns the input names that Keras has made up.

    Args:
        model: a Functional model.
        given: names that the caller gives or replaces, which are left out; see
            `keras_bin.networks.tensor_names.renamed`.
    """
    if isinstance(model.input, dict):
        return []
    names = [info.name for info in named_tensors(model).inputs]
    made_up = [_is_made_up(tensor.name, _OF_INPUTS) for tensor in model.inputs]
    return _left(names, made_up, given)


def automatic_outputs(model: keras.Model, given: Names | None = None) -> list[str]:
    """Returns the output names that look as if Keras had made them up.

    They consist of the name of the layer's class, and possibly a number. A model does not record
    whether a name was given: that of `Dense(1, name="dense")` is among them.

    Args:
        model: a Functional model.
        given: as for `automatic_inputs`.
    """
    if isinstance(model.output, dict):
        return []
    names = [info.name for info in named_tensors(model).outputs]
    stems = {
        id(tensor): [to_snake_case(type(call.operation).__name__)]
        for call in calls_in_order(model)
        for tensor in call.outputs
    }
    made_up = [
        _is_made_up(name, stems.get(id(tensor), _OF_INPUTS))
        for name, tensor in zip(model.output_names, model.outputs, strict=True)
    ]
    return _left(names, made_up, given)


def _is_made_up(name: str, stems: Iterable[str]) -> bool:
    return any(re.fullmatch(rf"{stem}(_\d+)?", name) for stem in stems)


def _left(names: list[str], made_up: list[bool], given: Names | None) -> list[str]:
    """Returns the made-up names, without those that the caller gives or replaces."""
    if isinstance(given, (list, tuple)):
        return []
    pairs = zip(names, made_up, strict=True)
    return [name for name, is_made_up in pairs if is_made_up and name not in (given or {})]
