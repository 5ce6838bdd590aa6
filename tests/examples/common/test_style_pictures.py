"""The pictures of style transfer: those that options name, or bundled ones."""

from argparse import ArgumentParser

import numpy as np
from PIL import Image

from common import photographs
from common.style_pictures import add_pictures, read_pictures


def test_own_pictures_take_the_place_of_the_bundled_ones(tmp_path):
    Image.new("RGB", (200, 200), "red").save(tmp_path / "red.png")
    Image.new("RGB", (200, 200), "blue").save(tmp_path / "blue.jpg")
    parser = ArgumentParser()
    add_pictures(parser)
    options = parser.parse_args(
        ["--photographs", str(tmp_path), "--style", str(tmp_path / "red.png")]
    )
    pictures = read_pictures(parser, options)
    assert len(pictures.contents) == 2
    np.testing.assert_array_equal(pictures.style[0, 0], [1, 0, 0])
    np.testing.assert_array_equal(pictures.held_out, photographs.bundled("chelsea"))


def test_pictures_are_bundled_where_no_option_names_others():
    parser = ArgumentParser()
    add_pictures(parser)
    pictures = read_pictures(parser, parser.parse_args([]))
    assert len(pictures.contents) == len(photographs.BUNDLED)
    np.testing.assert_array_equal(pictures.style, photographs.bundled(photographs.STYLE))
