"""The picture of BIN as one line for each image shows what the layer computes."""

import runpy

import numpy as np
import pytest

import keras_bin
from tests.docs import pages

PICTURE = runpy.run_path(str(pages.DOCS / "pictures" / "affine_form.py"))
IMAGES = PICTURE["IMAGES"].values()


@pytest.mark.parametrize("rho", PICTURE["GATES"])
def test_lines_are_those_of_the_layer(rho):
    x = np.array([[mean - deviation, mean + deviation] for mean, deviation in IMAGES])
    layer = keras_bin.BatchInstanceNormalization(rho_initializer=rho, epsilon=1e-7)
    y = layer(x[..., np.newaxis].astype("float32"), training=True)
    for image, expected, (mean, deviation) in zip(x, y, IMAGES, strict=True):
        scale, offset = PICTURE["line"](rho, mean, deviation)
        np.testing.assert_allclose(scale * image + offset, expected[:, 0], atol=1e-5)


def test_picture_has_a_panel_for_each_gate_and_a_line_for_each_image():
    panels = PICTURE["draw"]().get_axes()
    assert [panel.get_title() for panel in panels] == list(PICTURE["GATES"].values())
    for panel in panels:
        lines = [line for line in panel.get_lines() if line.get_label() in PICTURE["IMAGES"]]
        assert len(lines) == len(IMAGES)
