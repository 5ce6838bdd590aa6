"""load_torch_state_dict: which entries go to which layer."""

import math

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin.gates.finding import bin_layers


def bin_layer(name):
    return keras_bin.BatchInstanceNormalization(epsilon=1e-5, name=name)


def state(*prefixes):
    """Returns batch normalizations whose offset is their number, from 1."""
    return {
        f"{prefix}.{name}": np.full(3, value)
        for number, prefix in enumerate(prefixes, 1)
        for name, value in {"bias": number, "running_mean": 0.0, "running_var": 1.0}.items()
    }


def load(model, state_dict, names=None):
    return keras_bin.load_torch_state_dict(model, state_dict, count=math.inf, names=names)


def betas(*layers):
    return [float(np.array(layer.beta)[0]) for layer in layers]


def flat(*names, name="net"):
    return keras.Sequential([keras.Input((6, 5, 3)), *map(bin_layer, names)], name=name)


def nested():
    return keras.Sequential([flat("bn1", name="0"), flat("bn1", name="1")], name="layer1")


class Block(keras.layers.Layer):
    def __init__(self, name):
        super().__init__(name=name)
        self.norms = [bin_layer("bn1"), bin_layer("bn2")]

    def call(self, inputs):
        return self.norms[1](self.norms[0](inputs))


def custom():
    inputs = keras.Input((6, 5, 3))
    return keras.Model(inputs, Block("layer1")(inputs))


def outer(model):
    inputs = keras.Input((6, 5, 3))
    return keras.Model(inputs, model(inputs))


@pytest.mark.parametrize(
    ("make", "prefixes", "loaded"),
    [
        (lambda: flat("bn1", "layer1_0_bn1"), ["bn1", "layer1.0.bn1"], ["bn1", "layer1.0.bn1"]),
        pytest.param(
            lambda: flat("layer1.0.bn1", "bn1"),
            ["bn1", "layer1.0.bn1"],
            ["layer1.0.bn1", "bn1"],
            marks=pytest.mark.lacking("torch", reason="PyTorch takes no dots in names"),
        ),
        (
            lambda: outer(nested()),
            ["layer1.1.bn1", "layer1.0.bn1"],
            ["layer1.0.bn1", "layer1.1.bn1"],
        ),
        (custom, ["bn1", "layer1.bn1", "layer1.bn2"], ["layer1.bn1", "layer1.bn2"]),
        (custom, ["bn1", "bn2"], ["bn1", "bn2"]),
        (lambda: outer(flat("layer1_bn1", "a")), ["a", "layer1.bn1"], ["layer1.bn1", "a"]),
        (lambda: flat("a_BN", "a_norm"), ["a.BN", "a.norm"], ["a.BN", "a.norm"]),
        (lambda: flat("classifier_norm"), ["norm", "classifier_norm"], ["classifier_norm"]),
    ],
    ids=[
        "flat",
        "dots",
        "nested",
        "custom layer",
        "name alone",
        "wrapped",
        "BN alone",
        "underscore",
    ],
)
def test_layers_match_by_name(make, prefixes, loaded):
    model = make()
    result = load(model, state(*prefixes))
    assert [prefix for _, prefix in result.loaded] == loaded
    assert result.unexpected == [each for each in prefixes if each not in loaded]
    found = {layer.path: betas(layer) for layer in bin_layers(model)}
    assert found == {path: [1 + prefixes.index(prefix)] for path, prefix in result.loaded}


@pytest.mark.parametrize(
    "names",
    [
        {"first": "backbone.bn1", "net/second": "backbone.layer1.0.bn1"},
        lambda layer: {"first": "backbone.bn1", "second": "backbone_layer1_0_bn1"}[layer.name],
    ],
    ids=["dict", "function"],
)
def test_names_give_prefixes(names):
    model = flat("first", "second")
    result = load(model, state("backbone.layer1.0.bn1", "backbone.bn1"), names)
    assert betas(*model.layers) == [2, 1]
    assert result.loaded == [
        ("net/first", "backbone.bn1"),
        ("net/second", "backbone.layer1.0.bn1"),
    ]


def test_names_tell_prefixes_of_the_same_words_apart():
    model = flat("a_b", "c")
    load(model, state("a.b", "a_b"), {"a_b": "a_b", "c": "a.b"})
    assert betas(*model.layers) == [2, 1]


def test_names_know_a_layer_by_the_layers_around_it():
    names = {"layer1/0/bn1": "a", "layer1/1/bn1": "b"}
    result = load(outer(nested()), state("b", "a"), names)
    assert [prefix for _, prefix in result.loaded] == ["a", "b"]


def test_what_matches_nothing_is_told_on_both_sides():
    model = flat("bn1", "bn2", "bn3")
    with pytest.warns(UserWarning, match=r"no entries for 'net/bn2', and no layers for 'bn4'$"):
        result = load(model, state("bn1", "bn4"), {"bn3": None})
    assert result == ([("net/bn1", "bn1")], ["net/bn2", "net/bn3"], ["bn4"])
    assert betas(*model.layers) == [1, 0, 0]


def test_name_alone_is_not_enough_where_longer_prefixes_end_with_it():
    """A `bn1` of some block is not the `bn1` of the net."""
    with pytest.warns(UserWarning, match="no entries for 'layer1/bn1'"):
        result = load(custom(), state("bn1", "stage1.bn1", "bn2"))
    assert [prefix for _, prefix in result.loaded] == ["bn2"]


def test_one_layer_takes_the_only_normalization():
    layer = bin_layer("any")
    layer.build((None, 6, 5, 3))
    assert load(layer, state("module.norm")).loaded == [("any", "norm")]
    assert betas(layer) == [1]


def test_one_layer_may_be_left_alone():
    layer = bin_layer("any")
    layer.build((None, 6, 5, 3))
    with pytest.raises(ValueError, match="No layer matches"):
        load(layer, state("norm"), lambda layer: None)


def test_one_layer_chooses_by_name_among_several():
    layer = bin_layer("layer1_bn2")
    layer.build((None, 6, 5, 3))
    result = load(layer, state("layer1.bn1", "layer1.bn2"))
    assert result == ([("layer1_bn2", "layer1.bn2")], [], ["layer1.bn1"])


def test_wrapper_is_taken_off_only_if_it_is_before_every_key():
    model = flat("bn1", "module_bn2")
    load(model, state("bn1", "module.bn2"))
    assert betas(*model.layers) == [1, 2]


def test_shared_layer_takes_the_entries_of_one_place():
    layer, inputs = bin_layer("bn1"), keras.Input((6, 5, 3))
    parts = [keras.Sequential([keras.Input((6, 5, 3)), layer], name=name) for name in ("a", "b")]
    model = keras.Model(inputs, parts[1](parts[0](inputs)))
    assert load(model, state("b.bn1")).loaded == [(layer.path, "b.bn1")]


@pytest.mark.parametrize(
    ("make", "prefixes", "names", "message"),
    [
        (lambda: flat("a", "b"), ["bn1"], None, r"No layer matches.*'net/a', 'net/b' .* 'bn1'$"),
        (lambda: flat(), ["bn1"], None, r"No layer matches.*layers none and prefixes 'bn1'"),
        (lambda: flat("bn1"), [], None, r"No layer matches.*prefixes none"),
        (lambda: flat("a"), ["bn1"], {"c": "bn1"}, r"Keys of `names`.*'c'.* names 0 of 'net/a'"),
        (lambda: outer(nested()), ["bn1"], {"bn1": "bn1"}, r"Keys of `names`.* names 2 of"),
        (lambda: flat("a"), ["bn1"], {"a": "bn2"}, r"`names` must give.*'bn2', with 'bn1' in"),
        (lambda: flat("a_b"), ["a.b", "a_b"], None, r"'net/a_b' for 'a\.b', 'a_b'$"),
        (lambda: outer(nested()), ["bn1"], None, r"one prefix, and each .* which '0/bn1' takes"),
        (lambda: flat("a", "bn1"), ["bn1"], {"a": "bn1"}, r"'bn1', which 'net/a' takes"),
    ],
    ids=[
        "no name in common",
        "no layers",
        "no entries",
        "unknown layer",
        "two layers of a name",
        "unknown prefix",
        "two prefixes",
        "two layers",
        "taken by names",
    ],
)
def test_names_that_do_not_match_are_refused(make, prefixes, names, message):
    with pytest.raises(ValueError, match=message):
        load(make(), state(*prefixes), names)
