"""Reading picture files: the right way up, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from common.picture_files import is_readable, read_rgb


def test_picture_is_read_upright_in_rgb(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    Image.new("L", (30, 20), 51).save(tmp_path / "turned.jpg", exif=exif)
    picture = read_rgb(tmp_path / "turned.jpg")
    assert (picture.mode, picture.size) == ("RGB", (20, 30))
    np.testing.assert_array_equal(picture, 51)


@pytest.mark.parametrize("kind", ["uint16", "int32", "float32"])
def test_more_than_8_bits_are_refused(tmp_path, kind):
    path = tmp_path / "deep.tif"
    Image.fromarray(np.full((20, 20), 40_000, kind)).save(path)
    with pytest.raises(ValueError, match=r"of 8 bits per pixel and channel.*deep\.tif, of .* [IF]"):
        read_rgb(path)


def test_damaged_picture_is_refused(tmp_path):
    path = tmp_path / "half.png"
    pixels = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype="uint8")
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"must be a picture: .*half\.png"):
        read_rgb(path)


def test_picture_larger_than_pillow_opens_is_refused(tmp_path, monkeypatch):
    Image.new("RGB", (20, 20)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="exceeds limit"):
        read_rgb(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.JPG", True), ("a.png", True), ("a.pdf", False), ("a", False)]
)
def test_files_are_known_by_what_pillow_reads(tmp_path, name, expected):
    assert is_readable(tmp_path / name) is expected
