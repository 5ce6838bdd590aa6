"""The nets are those of He et al., and differ only in their normalization."""

import keras
import numpy as np
import pytest

import keras_bin
from benchmarks.nets import NETS, NORMALIZATIONS, compiled_model


def trainable(model):
    return sum(np.prod(weight.shape) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("net", "expected"),
    # ResNet-20: the 0.27 M of the paper. ResNet-50: 25,557,032 with 1000 classes, so 900 outputs
    # of 2048 weights and a bias less.
    [("ResNet-20", 269_722), ("ResNet-50", 25_557_032 - 900 * 2049)],
)
def test_number_of_weights(net, expected):
    assert trainable(NETS[net].model(*NORMALIZATIONS["BN"])) == expected


def test_bin_net_has_a_rho_wherever_the_bn_net_normalizes():
    bn, bin_ = (compiled_model("ResNet-8", name) for name in ("BN", "BIN"))
    assert not isinstance(bn, keras_bin.BINModel)
    assert isinstance(bin_, keras_bin.BINModel)
    normalizations = [x for x in bn.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(keras_bin.rho_weights(bin_)) == len(normalizations) == 7
    rhos = sum(np.prod(rho.shape) for rho in keras_bin.rho_weights(bin_))
    assert trainable(bin_) == trainable(bn) + rhos


@pytest.mark.parametrize("net", NETS)
def test_data_fits_the_net(net):
    images, labels = NETS[net].data()
    assert images.shape == (NETS[net].batch, NETS[net].size, NETS[net].size, 3)
    assert images.dtype == np.float32
    assert labels.shape == (NETS[net].batch,)
    assert 0 <= labels.min() <= labels.max() < NETS[net].classes


def test_step_trains():
    model, data = compiled_model("ResNet-8", "BIN"), NETS["ResNet-8"].data()
    losses = [model.train_on_batch(*data) for _ in range(6)]
    assert losses[-1] < losses[0]
