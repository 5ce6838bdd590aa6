"""Copying the state of a layer."""

import numpy as np
from keras import layers

from keras_bin.networks.layer_state import copy_own_state


def test_own_state_is_copied_without_that_of_inner_layers():
    source, target = (layers.TimeDistributed(layers.Dense(2)) for _ in range(2))
    for layer in (source, target):
        layer.build((None, 3, 4))
    before = np.array(target.layer.kernel)
    copy_own_state(source, target)
    np.testing.assert_array_equal(target.layer.kernel, before)
    copy_own_state(source.layer, target.layer)
    np.testing.assert_array_equal(target.layer.kernel, source.layer.kernel)


def test_assets_are_copied():
    source, target = layers.StringLookup(), layers.StringLookup()
    source.adapt(["b", "a", "b"])
    copy_own_state(source, target)
    assert target.get_vocabulary() == ["[UNK]", "b", "a"]
