"""The nets: what they are made of."""

import keras
import pytest

from common.nets import build_cnn
from common.norms import NORMS


@pytest.mark.parametrize("norm", NORMS)
def test_cnn_normalizes_after_every_convolution(norm):
    model = build_cnn(NORMS[norm], classes=4)
    assert isinstance(model, NORMS[norm].model_class)
    assert model.output_shape == (None, 4)
    followers = [
        after
        for before, after in zip(model.layers, model.layers[1:], strict=False)
        if isinstance(before, keras.layers.Conv2D)
    ]
    assert [type(layer) for layer in followers] == [type(NORMS[norm].layer())] * 4
    assert [layer.name for layer in followers] == ["norm1", "norm2", "norm3", "norm4"]
