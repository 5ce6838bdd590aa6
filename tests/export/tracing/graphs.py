"""Traced graphs of small models, and what they compute."""

import collections

import keras
import numpy as np
import tensorflow as tf

from keras_bin.export.tracing.constant_evaluation import evaluate_constants
from keras_bin.export.tracing.freezing import frozen
from keras_bin.export.tracing.linear_operators import Absorber
from keras_bin.networks.graph import as_functional
from keras_bin.networks.inference import serving_function
from keras_bin.networks.signature import model_signature


def stacked(*stack, shape=(8, 9, 3)):
    """A model of layers that follow each other, with random weights."""
    x = inputs = keras.Input(shape, name="image")
    for layer in stack:
        x = layer(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "variance" in weight.name:
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif weight.dtype.startswith("float"):
            weight.assign(rng.normal(0.2, 0.7, weight.shape))
    return model


def traced(model, keep_variables=False):
    """Freezes a model as it is; returns the graph and its signature."""
    model = as_functional(model)
    signature = model_signature(model)
    names = [info.name for info in signature.outputs]
    return frozen(serving_function(model, signature), names, keep_variables), signature


def absorbed(model):
    """Freezes a model and lets linear operators absorb; returns the graph and the outcomes."""
    graph, _ = traced(model)
    evaluate_constants(graph)
    absorber = Absorber(graph)
    outcomes = absorber.absorb_all()
    absorber.finish()
    return graph, outcomes


def run(graph, *values):
    """Runs a graph on arrays; returns its outputs by name."""
    specs = [
        tf.TensorSpec((None, *value.shape[1:]), graph.dtype(tensor))
        for value, tensor in zip(values, graph.inputs, strict=True)
    ]
    outputs = graph.function(specs)(*map(tf.constant, values))
    return {name: value.numpy() for name, value in outputs.items()}


def kinds(graph):
    """Counts the operators of a graph, without constants and what only hands on."""
    counts = collections.Counter(node.op for node in graph.definition.node)
    return {op: n for op, n in counts.items() if op not in ("Const", "Identity", "Placeholder")}


def image(*shape, seed=0):
    """Pictures that are not centred at zero."""
    return np.random.default_rng(seed).normal(1.5, 2, shape).astype("float32")
