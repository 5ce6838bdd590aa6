"""Photographs: what is bundled, what is read, and what is cut out of them."""

import numpy as np
import pytest
from PIL import Image

from common import photographs


@pytest.mark.parametrize(
    "name", [*photographs.BUNDLED, photographs.HELD_OUT, photographs.STYLE], ids=str
)
def test_bundled_photographs_are_scaled(name):
    photograph = photographs.bundled(name)
    assert min(photograph.shape[:2]) == 128
    assert photograph.shape[2] == 3
    assert photograph.dtype == np.float32
    assert 0 <= photograph.min() < photograph.max() <= 1


def test_held_out_photograph_is_not_trained_on():
    assert photographs.HELD_OUT not in photographs.BUNDLED


def test_proportions_are_kept():
    assert photographs.prepare(Image.new("RGB", (300, 200))).shape == (128, 192, 3)


def test_folder_is_read_by_name_and_other_files_are_passed_over(tmp_path):
    Image.new("RGB", (200, 200), "white").save(tmp_path / "b.png")
    Image.new("L", (200, 300), 0).save(tmp_path / "a.JPG")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "album.pdf").write_text("what Pillow only writes")
    black, white = photographs.read_folder(tmp_path)
    assert black.shape == (192, 128, 3)
    assert black.max() == 0
    assert white.min() == 1


def test_pictures_are_read_the_right_way_up(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    Image.new("RGB", (300, 200)).save(tmp_path / "turned.jpg", exif=exif)
    assert photographs.read(tmp_path / "turned.jpg").shape == (192, 128, 3)


@pytest.mark.parametrize("folder", ["missing", "."], ids=["missing", "empty"])
def test_folder_without_pictures_is_refused(tmp_path, folder):
    with pytest.raises(ValueError, match=r"must be a folder of pictures\. Received: "):
        photographs.read_folder(tmp_path / folder)


def test_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "broken.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"must be a picture: .* Received: .*broken\.png"):
        photographs.read_folder(tmp_path)


def test_crops_come_from_everywhere_and_are_mirrored():
    ramp = np.arange(6, dtype="float32")
    photograph = np.stack(np.broadcast_arrays(ramp[:, None], ramp, 0), axis=-1)
    crops = photographs.random_crops([photograph, photograph + 10], 4, 64, np.random.default_rng(0))
    (batch,) = next(crops)
    assert batch.shape == (64, 4, 4, 3)
    assert set(batch[..., 2].ravel()) == {0, 10}
    assert set(batch[:, 0, 0, 0] % 10) == {0, 1, 2}
    assert set(np.unique(batch[:, 0, 1, 1] - batch[:, 0, 0, 1])) == {-1, 1}
    assert np.any(next(crops)[0] != batch)


def test_crops_depend_on_the_seed_alone():
    photograph = photographs.bundled("coffee")
    first, again, other = (
        next(photographs.random_crops([photograph], 32, 2, np.random.default_rng(seed)))[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
