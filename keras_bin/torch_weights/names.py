"""Which entries of a PyTorch state dict belong to which layer of a Keras model, by names."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

import keras

from keras_bin.keras_internals import layers_held
from keras_bin.layer import BatchInstanceNormalization
from keras_bin.messages import listed


class Place(NamedTuple):
    """A BIN or batch normalization layer, and where it is in a model.

    Attributes:
        layer: the layer.
        trails: names of the layers around it and its own, joined by `/`, without the model's;
            one for each holder of a shared layer.
    """

    layer: keras.layers.Layer
    trails: list[str]

    @property
    def path(self) -> str:
        """The layer's path, or its name before it is built."""
        return str(self.layer.path or self.layer.name)


def places(model: keras.layers.Layer) -> list[Place]:
    """Returns the places of the BIN and batch normalization layers of a model or layer, in order.

    If `model` is such a layer itself, its trail is its name.
    """
    found: dict[int, Place] = {}
    for layer, trail in [(model, model.name), *_trails(model, "")]:
        if isinstance(layer, (BatchInstanceNormalization, keras.layers.BatchNormalization)):
            found.setdefault(id(layer), Place(layer, [])).trails.append(trail)
    return list(found.values())


def _trails(holder: keras.layers.Layer, before: str) -> Iterator[tuple[keras.layers.Layer, str]]:
    for layer in layers_held(holder):
        trail = f"{before}{layer.name}"
        yield layer, trail
        yield from _trails(layer, f"{trail}/")


def by_layer(
    option: Mapping[str, Any] | Callable[[keras.layers.Layer], Any],
    argument: str,
    places: Collection[Place],
) -> dict[int, Any]:
    """Returns the values of an option that is given by layer, by the layers' ids.

    Args:
        option: a function of the layer, or a dict by the layer's name, path or trail.
        argument: name of the option, for messages.
        places: the layers.

    Raises:
        ValueError: a key of the dict is the name of no layer, or of several.
    """
    if not isinstance(option, Mapping):
        return {id(place.layer): option(place.layer) for place in places}
    values = {}
    for key, value in option.items():
        named = [each for each in places if key in (each.path, each.layer.name, *each.trails)]
        if len(named) != 1:
            raise ValueError(
                f"Keys of `{argument}` must name one BIN or batch normalization layer each, by its "
                f"path or its name; a function of the layer tells layers of the same name apart. "
                f"Received: {argument}={{{key!r}: ...}}, which names {len(named)} of "
                f"{listed([each.path for each in places])}"
            )
        values[id(named[0].layer)] = value
    return values


def match(
    places: list[Place], prefixes: Collection[str], given: Mapping[int, str | None]
) -> dict[int, str]:
    """Returns the prefix of each layer that has one, by the layers' ids.

    Args:
        places: the layers.
        prefixes: all prefixes of the state dict.
        given: prefixes that the user gave, by ids; None leaves a layer alone.

    Raises:
        ValueError: a given prefix is not in the state dict, or two layers have the same one.
    """
    known: dict[tuple[str, ...], list[str]] = {}
    for prefix in prefixes:
        known.setdefault(_words(prefix), []).append(prefix)
    matched: dict[str, Place] = {}
    for place in places:
        if id(place.layer) in given:
            wanted = given[id(place.layer)]
            found = [] if wanted is None else _given_prefix(wanted, prefixes, known)
        else:
            found = _prefixes_by_name(place, known)
        if len(found) > 1 or (found and found[0] in matched):
            rivals = [matched[each].path for each in found if each in matched]
            raise ValueError(
                "Each layer must match one prefix, and each prefix one layer; tell them apart with "
                f"`names`. Received: layer {place.path!r} for {listed(found)}"
                + (f", which {listed(rivals)} takes" if rivals else "")
            )
        matched.update(dict.fromkeys(found, place))
    return {id(place.layer): prefix for prefix, place in matched.items()}


def _given_prefix(
    wanted: str, prefixes: Collection[str], known: Mapping[tuple[str, ...], list[str]]
) -> list[str]:
    found = [wanted] if wanted in prefixes else known.get(_words(str(wanted)), [])
    if not found:
        raise ValueError(
            "`names` must give prefixes of normalizations in the state dict, without a leading "
            f"`module.`. Received: {wanted!r}, with {listed(prefixes)} in the state dict"
        )
    return found


def _prefixes_by_name(place: Place, known: Mapping[tuple[str, ...], list[str]]) -> list[str]:
    for trail in place.trails:
        if _words(trail) in known:
            return known[_words(trail)]
    name = _words(place.layer.name)
    ending = [words for words in known if words[-len(name) :] == name]
    return known[name] if ending == [name] else []


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.split(r"[./_]", name))
