"""Models that are a graph of layers, from their inputs to their outputs."""

from collections.abc import Iterator
from typing import Any

import keras

from keras_bin.keras_internals import MADE_BY_NEW, Call, Functional, calls_in_order


def is_graph(layer: Any) -> bool:
    """Tells whether `layer` is a built Functional or Sequential model that computes its graph."""
    return (
        isinstance(layer, (Functional, keras.Sequential))
        and type(layer).call in (Functional.call, keras.Sequential.call)
        and type(layer).__call__ in (Functional.__call__, keras.Sequential.__call__)
        and "call" not in vars(layer)
        and layer.built
    )


def methods_set_on(layer: keras.layers.Layer) -> list[str]:
    """Returns the methods that were set on a layer itself, in place of those of its class."""
    return [
        name
        for name in vars(layer).keys() - MADE_BY_NEW
        if callable(vars(layer)[name]) and callable(getattr(type(layer), name, None))
    ]


def as_functional(model: keras.Model) -> keras.Model:
    """Returns a plain, uncompiled Functional model over the same layers.

    A model that is not a graph becomes the only layer of one.

    Raises:
        ValueError: `model` is not a graph, and its inputs are unknown.
    """
    if not is_graph(model):
        return _around(model)
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def _around(model):
    try:
        inputs = _inputs(model)
        return keras.Model(inputs, model(inputs), name=model.name)
    except Exception as error:  # the model's own code runs here
        raise ValueError(
            "`model` must be Functional or Sequential, or a subclass that was built by calling it "
            "on one argument of float tensors; the inputs of other models are unknown. "
            "Build it as keras.Model(inputs, model(inputs)). "
            f"Received: {model.name!r} of type {type(model).__name__}; trying that failed with: "
            f"{error}"
        ) from error


def _inputs(model):
    """Makes inputs like those of `model`, with a free batch size."""
    if isinstance(model, keras.Sequential):
        return _input_like(model.inputs[0])
    if isinstance(model, Functional):
        return keras.tree.map_structure(_input_like, model.input)
    return _inputs_of_shapes(model.get_build_config()["input_shape"], model.input_dtype, "inputs")


def _inputs_of_shapes(shapes, dtype, name):
    """Makes an input for each shape in a structure, named after its place in it."""
    if isinstance(shapes, dict):
        return {key: _inputs_of_shapes(each, dtype, key) for key, each in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shapes):
        return keras.Input(shape=shapes[1:], dtype=dtype, name=name)
    return [_inputs_of_shapes(each, dtype, f"{name}_{i}") for i, each in enumerate(shapes)]


def _input_like(tensor):
    return keras.Input(shape=tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)


def graphs_of(model: keras.Model) -> list[keras.Model]:
    """Returns a model and the graphs of layers inside it, each once, outer ones first."""
    graphs = {id(model): model}
    for layer in model.layers:
        if is_graph(layer):
            graphs.update((id(graph), graph) for graph in graphs_of(layer))
    return list(graphs.values())


def check_model(model: Any) -> None:
    """Checks that `model` is a built Keras model.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a keras.Model; load a file with keras.saving.load_model first. "
            f"Received: {model!r} of type {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built; call it on data, or give it a keras.Input. "
            f"Received: unbuilt model {model.name!r}"
        )


def calls_of_graphs(graph: keras.Model) -> Iterator[Call]:
    """Yields the calls of a graph, in order, with those of nested graphs in their place."""
    for call in calls_in_order(as_functional(graph)):
        if is_graph(call.operation):
            yield from calls_of_graphs(call.operation)
        else:
            yield call


def layers_of_graphs(graph: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers that a graph and its nested graphs call, in the order of the calls."""
    for call in calls_of_graphs(graph):
        if isinstance(call.operation, keras.layers.Layer):
            yield call.operation
