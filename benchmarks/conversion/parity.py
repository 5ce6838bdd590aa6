"""How far a converted network is from its source."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np

from benchmarks.oracle import Arrays, call, difference
from keras_bin import BatchInstanceNormalization
from keras_bin.conversion.plan import layers_in_order
from keras_bin.keras_internals import own_parts
from keras_bin.networks.graph import as_functional

NORMALIZATIONS = (keras.layers.BatchNormalization, BatchInstanceNormalization)


def relative(got: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float | None:
    """Returns the largest difference over the largest right value, of the worst array.

    None if a value is not finite but the right one is, or if the right ones are all 0.

    Raises:
        ValueError: the number of arrays or a shape differs.
    """
    found = [difference([one], [right]) for one, right in _pairs(got, expected)]
    return worst(share(each.largest, each.size) for each in found)


def roundings(
    converted: Sequence[np.ndarray], source: Sequence[np.ndarray], exact: Sequence[np.ndarray]
) -> float | None:
    """Returns a difference in float32 in units of the source's own rounding, of the worst output.

    Args:
        converted: outputs of the converted network.
        source: those of its source.
        exact: those of the source in float64.
    """
    return worst(
        share(difference([one], [right]).largest, difference([right], [best]).largest)
        for (one, right), best in zip(_pairs(converted, source), exact, strict=True)
    )


def share(part: float | None, whole: float | None) -> float | None:
    """Returns `part / whole`; 0 if both are 0, None if there is no such number."""
    if part == 0 and whole is not None:
        return 0.0
    return part / whole if part is not None and whole else None


def worst(values: Iterable[float | None]) -> float | None:
    """Returns the largest value; None if one is None."""
    found = list(values)
    return None if None in found else max(found, default=0.0)


def normalizations(model: keras.Model, kinds: tuple[type, ...] = NORMALIZATIONS) -> list:
    """Returns the normalization layers that a model calls, at any depth, each once, in order."""
    layers = (layer for layer, _ in layers_in_order(as_functional(model)))
    return [layer for layer in layers if isinstance(layer, kinds) and layer.built]


def train(model: keras.Model, inputs: Sequence[np.ndarray]) -> dict[str, Arrays]:
    """Calls a model once as `fit` does; returns its outputs and its moving statistics."""
    keras.utils.set_random_seed(0)  # of the generator that all layers without one share
    outputs = keras.tree.flatten(call(model, inputs, training=True))
    statistics = [
        getattr(layer, name)
        for layer in normalizations(model)
        for name in ("moving_mean", "moving_variance")
    ]
    return {
        name: [keras.ops.convert_to_numpy(tensor) for tensor in tensors]
        for name, tensors in {"outputs": outputs, "statistics": statistics}.items()
    }


def seeds(model: keras.Model) -> list[np.ndarray]:
    """Returns the states of the generators in the layers that a model calls, in order."""
    return [keras.ops.convert_to_numpy(seed.state) for seed in _generators(model)]


def set_seeds(model: keras.Model, states: Sequence[np.ndarray]) -> None:
    """Sets these states; see `seeds`."""
    for seed, state in zip(_generators(model), states, strict=True):
        seed.state.assign(state)


def _generators(model):
    layers = (layer for layer, _ in layers_in_order(as_functional(model)))
    parts = dict.fromkeys(part for layer in layers for part in own_parts(layer))
    return [part for part in parts if isinstance(part, keras.random.SeedGenerator)]


def _pairs(got, expected):
    if len(got) != len(expected):
        raise ValueError(
            f"There must be as many arrays as are right, {len(expected)}. Received: {len(got)}"
        )
    return zip(got, expected, strict=True)
