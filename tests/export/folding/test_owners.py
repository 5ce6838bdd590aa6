"""Custom layers that do more with the layers inside them than call them."""

import functools

import numpy as np
import pytest
from keras import layers, ops

from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import fold, fold_report
from keras_bin.export.results.errors import ValuesError
from tests.export.custom_layers import around
from tests.export.kinds import BIN
from tests.export.values import assert_same, layers_of, snapshot


class Trains(layers.Layer):
    """Its own call uses the statistics of the batch, whatever Keras says."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm

    def call(self, inputs):
        return self.norm(inputs, training=True)


class Reads(layers.Layer):
    """Reads the weights of its BIN layer."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm

    def call(self, inputs):
        return self.norm(inputs) * ops.mean(self.norm.gamma)


class CallsMethod(layers.Layer):
    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.method = norm.call

    def call(self, inputs):
        return self.norm(self.method(self.norm(inputs)))


@pytest.mark.parametrize("own", [Trains, Reads, CallsMethod])
def test_bin_layer_of_which_its_owner_wants_more_stays_as_it_is(own):
    model = around(layers.Conv2D(3, 1), own(BIN(name="norm")), BIN(name="last"))
    folded = fold(model)
    assert len(layers_of(folded, BIN)) == len(layers_of(folded, Folded)) == 1
    unfolded, last = sorted(fold_report(model), key=lambda each: each.became, reverse=True)
    assert unfolded.layer.endswith("/norm")
    assert (unfolded.became, last.layer) == ("unfolded", "last")
    assert unfolded.reason.startswith("a custom layer does more with its BIN layers than call them")
    assert_same(folded, model)


def test_batch_normalization_that_its_owner_trains_stays_as_it_is():
    model = around(Trains(layers.BatchNormalization()))
    assert_same(fold(model), model)


class Calls(layers.Layer):
    """Calls a layer that only its function knows."""

    def __init__(self, norm, wrap, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.function = wrap(norm)

    def call(self, inputs):
        return self.function(self.norm(inputs))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda norm: lambda x: norm(x),
        lambda norm: functools.partial(lambda norm, x: norm()(x), lambda: norm),
    ],
    ids=["closure", "closure in a partial"],
)
def test_layer_that_only_a_function_knows_is_refused_by_name(wrap):
    model = around(Calls(BIN(name="norm"), wrap), BIN(name="last"))
    before = snapshot(model)
    with pytest.raises(ValuesError, match=r"(?s)through a function.*export_onnx.*'calls\S*/norm'"):
        fold(model)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


class FindsById(layers.Layer):
    """Looks a layer up by what a copy of it does not have."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.by_id = {id(norm): norm}

    def call(self, inputs):
        return self.by_id[id(self.norm)](inputs)


def test_layer_whose_copy_does_not_run_is_refused_by_name():
    model = around(FindsById(BIN(), name="finds"))
    with pytest.raises(ValueError, match=r"(?s)'finds' of type FindsById.*export_onnx, which"):
        fold(model)
