"""Models whose layers form a known graph, from their inputs to their outputs."""

import keras

from keras_bin.model import Functional


def is_graph(layer) -> bool:
    """Tells whether `layer` is a model that does what its graph of layers says.

    A subclass that overrides `call` does something else.
    """
    return (
        isinstance(layer, (Functional, keras.Sequential))
        and type(layer).call in (Functional.call, keras.Sequential.call)
        and layer.built
    )


def as_functional(model: keras.Model) -> keras.Model:
    """Returns a plain, uncompiled Functional model over the same layers."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def check_model(model) -> None:
    """Checks that `model` is one that can be copied layer by layer.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is subclassed or not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a keras.Model; load a file with keras.saving.load_model first. "
            f"Received: {model!r} of type {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built before it is folded; call it on data, or give it a "
            f"keras.Input. Received: unbuilt model {model.name!r}"
        )
    if not is_graph(model):
        raise ValueError(
            "`model` must be Functional or Sequential and keep their `call`; what a model of "
            "another kind does is not known from its layers. Build it as "
            "keras.Model(inputs, model.call(inputs)). "
            f"Received: {model.name!r} of type {type(model).__name__}"
        )
