"""Loading weights of PyTorch's normalization layers into BIN and batch normalization layers."""

import math
import numbers
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_bin.messages import listed
from keras_bin.torch_weights.entries import ChannelWeights, channel_weights, normalizations
from keras_bin.torch_weights.names import Place, by_layer, match, places

Names = Mapping[str, str | None] | Callable[[keras.layers.Layer], str | None]
Count = float | Mapping[str, float] | Callable[[keras.layers.Layer], float]

# What a layer computes with if it does not have the weight.
_NEUTRAL = {"gamma": 1.0, "beta": 0.0, "rho": 1.0}


class LoadedTorchWeights(NamedTuple):
    """What `load_torch_state_dict` did.

    Attributes:
        loaded: path of each layer that was loaded, with the prefix of the entries that it took.
        missing: paths of the BIN and batch normalization layers that stay as they were.
        unexpected: prefixes of the normalizations in the state dict that no layer took.

    Example:
    >>> import keras, keras_bin, numpy
    >>> layer = keras_bin.BatchInstanceNormalization(epsilon=1e-5, name="bin")
    >>> layer.build((None, 8, 8, 2))
    >>> state_dict = {"norm.running_mean": numpy.zeros(2), "norm.running_var": numpy.ones(2)}
    >>> keras_bin.load_torch_state_dict(layer, state_dict, count=1024)
    LoadedTorchWeights(loaded=[('bin', 'norm')], missing=[], unexpected=[])
    """

    loaded: list[tuple[str, str]]
    missing: list[str]
    unexpected: list[str]


def load_torch_state_dict(
    layer: keras.layers.Layer,
    state_dict: Mapping[str, Any],
    count: Count | None = None,
    names: Names | None = None,
    epsilon: float | None = 1e-5,
) -> LoadedTorchWeights:
    """Loads the normalization layers of a PyTorch state dict into the BIN layers of a Keras model.

    It reads the entries of the authors' implementation,

        weight -> gamma              running_mean -> moving_mean
        bias   -> beta               running_var * (count - 1) / count -> moving_variance
        gate   -> rho

    and those of other layers that compute the same as a BIN layer: batch normalization (rho = 1),
    MetaBIN's layers, whose branches have their own scales and offsets, and layers that pass some
    channels through batch and the rest through instance normalization. The model's
    `keras.layers.BatchNormalization` layers are loaded too. Other layers, and everything else in
    the state dict, are left alone. Either everything that matches is assigned, or an error is
    raised and nothing is.

    PyTorch's `running_var` averages unbiased variances, Keras's `moving_variance` biased ones. The
    correction is exact if every training batch had `count` elements per channel, except for what is
    left of the initial variance.

    A layer takes the entries whose prefix consists of the names of the layers around it and its
    own name: `bn1` inside `0` inside `layer1`, or a layer named `layer1_0_bn1`, takes
    `layer1.0.bn1.*`; `.`, `/` and `_` are treated as equal. If there are none, its own name is
    enough, provided that no longer prefix ends with it. If `layer` is itself a BIN or batch
    normalization layer, it takes the only normalization there is.

    Args:
        layer: a built model or layer.
        state_dict: maps names to tensors or arrays of shape `(channels,)`; also a checkpoint that
            holds them under "state_dict" or "model", or has `module.` before every key.
        count: elements per channel of a training batch at a layer, `batch * height * width` on
            the device that took the statistics, above 1. One number for all layers, or one per
            layer: a function of the layer, or a dict by the layer's name, path, or place
            (`layer1/0/bn1`). `math.inf` keeps the unbiased variances; None does too, and warns.
        names: prefixes of layers that are not found by name: a dict from a layer's name, path or
            place to a prefix, or a function that takes a layer and returns one. A prefix of None
            leaves the layer as it is.
        epsilon: `eps` of the PyTorch layers, which a state dict does not contain; the layers that
            are loaded must have the same. None skips this check.

    Returns:
        A `LoadedTorchWeights` with what was loaded, and what was not matched on either side.

    Raises:
        TypeError: `state_dict` does not map names to values.
        ValueError: nothing matches; a layer is not built or has another epsilon; two layers match
            the same entries; an entry does not fit, has a gate outside [0, 1], is not finite or
            belongs to another kind of normalization; a layer cannot compute the same (a gate below
            1 in a batch normalization, no gamma for a weight); `count` or `names` is wrong.

    Warns:
        UserWarning: variances stay unbiased because `count` is missing, or layers match no entries.

    Example:
    >>> import keras, keras_bin, numpy
    >>> layer = keras_bin.BatchInstanceNormalization(epsilon=1e-5, name="layer1_0_bn1")
    >>> model = keras.Sequential([keras.Input((8, 8, 2)), layer])
    >>> state_dict = {  # of torch.load("net.pth", map_location="cpu")
    ...     "layer1.0.bn1.gate": numpy.array([0.0, 0.75]),
    ...     "layer1.0.bn1.weight": numpy.array([1.0, 2.0]),
    ...     "layer1.0.bn1.bias": numpy.array([0.0, 0.5]),
    ...     "layer1.0.bn1.running_mean": numpy.array([0.1, 0.2]),
    ...     "layer1.0.bn1.running_var": numpy.array([1.0, 4.0]),
    ... }
    >>> keras_bin.load_torch_state_dict(model, state_dict, count=16 * 8 * 8).loaded
    [('sequential/layer1_0_bn1', 'layer1.0.bn1')]
    >>> keras.ops.convert_to_numpy(layer.rho).tolist()
    [0.0, 0.75]

    Source: https://github.com/hyseob/Batch-Instance-Normalization and
    https://github.com/bismex/MetaBIN, which use these entry names.
    """
    found = normalizations(state_dict)
    layers = places(layer)
    given = {} if names is None else by_layer(names, "names", layers)
    prefixes = _match(layer, layers, found, given)
    loaded = [(place, prefixes[id(place.layer)]) for place in layers if id(place.layer) in prefixes]
    _check_layers([place for place, _ in loaded], epsilon)
    counts = _counts(count, layers)

    assignments: list[tuple[keras.Variable, Any]] = []
    for place, prefix in loaded:
        weights = channel_weights(prefix, found[prefix], place.layer.moving_mean.shape[0])
        biased = weights.moving_variance * (1 - 1 / counts.get(id(place.layer), math.inf))
        assignments += _assignments(place, prefix, weights._replace(moving_variance=biased))
    for variable, values in assignments:
        variable.assign(values)

    missing = [place for place in layers if id(place.layer) not in prefixes]
    unexpected = [prefix for prefix in found if prefix not in prefixes.values()]
    if uncorrected := [place.path for place, _ in loaded if id(place.layer) not in counts]:
        warnings.warn(
            "Moving variances are now PyTorch's unbiased ones, as `count` is missing. They are too "
            "large by the factor count / (count - 1): 1.6 % at 64 elements per channel, 0.01 % at "
            "10,000. Give the elements per channel of a training batch, count=batch * height * "
            f"width, or count=math.inf to keep them. Received: no count for {listed(uncorrected)}",
            stacklevel=2,
        )
    if unmatched := [place.path for place in missing if id(place.layer) not in given]:
        warnings.warn(
            "Some layers match no entries and stay as they are; give their prefixes in `names`, or "
            "None to silence this warning. Received: no entries for "
            f"{listed(unmatched)}, and no layers for {listed(unexpected)}",
            stacklevel=2,
        )
    return LoadedTorchWeights(
        [(place.path, prefix) for place, prefix in loaded],
        [place.path for place in missing],
        unexpected,
    )


def _match(
    layer: keras.layers.Layer,
    layers: list[Place],
    found: Mapping[str, Any],
    given: dict[int, str | None],
) -> dict[int, str]:
    if not given and len(found) == 1 and [place.layer for place in layers] == [layer]:
        return {id(layer): next(iter(found))}
    prefixes = match(layers, found, given)
    if not prefixes:
        raise ValueError(
            "No layer matches a normalization of the state dict; name layers after PyTorch's "
            "modules, such as `layer1_0_bn1` for `layer1.0.bn1`, or give prefixes in `names`. "
            f"Received: layers {listed([place.path for place in layers])} and prefixes "
            f"{listed(found)}"
        )
    return prefixes


def _check_layers(layers: list[Place], epsilon: float | None) -> None:
    unbuilt = [place.path for place in layers if not place.layer.built]
    if unbuilt:
        raise ValueError(
            "Layers must be built before weights are loaded into them; call the model, or build "
            f"it with an input shape. Received: unbuilt {listed(unbuilt)}"
        )
    if epsilon is None:
        return
    other = [
        f"{place.path} with epsilon={place.layer.epsilon}"
        for place in layers
        if not math.isclose(place.layer.epsilon, epsilon, rel_tol=1e-6)
    ]
    if other:
        raise ValueError(
            "Layers must have the `eps` of PyTorch's, or they compute something different. Keras's "
            f"default is 1e-3, PyTorch's 1e-5: build them with epsilon={epsilon}, or pass the "
            f"`epsilon` that the PyTorch layers had. Received: epsilon={epsilon} and "
            f"{listed(other)}"
        )


def _counts(count: Count | None, layers: list[Place]) -> dict[int, float]:
    """Returns the counts that are known, by the layers' ids."""
    if isinstance(count, Mapping) or callable(count):
        counts = by_layer(count, "count", layers)
    else:
        counts = {id(place.layer): count for place in layers}
    counts = {layer: value for layer, value in counts.items() if value is not None}
    for value in counts.values():
        if not (isinstance(value, numbers.Real) and float(value) > 1):
            raise ValueError(
                "`count` must be above 1: the elements per channel of a training batch, batch * "
                f"height * width. Received: count={value!r}"
            )
    return counts


def _assignments(
    place: Place, prefix: str, weights: ChannelWeights
) -> list[tuple[keras.Variable, Any]]:
    """Returns a layer's variables with their new values, checked.

    Raises:
        ValueError: the layer lacks a variable that has an effect, or its dtype cannot hold a value.
    """
    assignments = []
    for name, values in weights._asdict().items():
        variable = getattr(place.layer, name, None)
        if variable is None:
            if (values != _NEUTRAL[name]).any():
                raise ValueError(
                    f"{place.path!r} has no {name}, so that of the entries must be "
                    f"{_NEUTRAL[name]:g} in every channel; build the layer with scale=True and "
                    "center=True, and as BatchInstanceNormalization for gates. Received: "
                    f"{prefix!r} with {name} from {values.min()} to {values.max()}"
                )
            continue
        with np.errstate(over="ignore"):
            tensor = ops.convert_to_tensor(values, variable.dtype)
        if not bool(ops.all(ops.isfinite(tensor))):
            raise ValueError(
                f"Values must be finite in the dtype of the layer; build it in float32. Received: "
                f"{prefix!r} with {name} up to {np.abs(values).max()} for {variable.dtype}"
            )
        assignments.append((variable, tensor))
    return assignments
