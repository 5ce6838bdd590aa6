"""Reading Office-Home's folders, on small ones of the same form."""

import shutil

import keras
import numpy as np
import pytest

from common.office_home import DOMAINS, find_pictures, read_pictures
from tests.examples.programs import make_office_home


@pytest.fixture
def folder(tmp_path):
    return make_office_home(tmp_path / "OfficeHome")


def test_pictures_are_listed_by_domain_and_class(folder):
    found = find_pictures(folder)
    assert tuple(found) == DOMAINS
    assert list(found["Art"]) == ["Alarm Clock", "Bed"]
    assert [file.name for file in found["Real World"]["Bed"]] == ["0.jpg", "1.jpg"]


def test_pictures_are_resized_and_labelled(folder):
    keras.utils.save_img(folder / "Art" / "Bed" / "2.png", np.full((30, 10, 3), 255), scale=False)
    (folder / "Art" / "Bed" / "notes.txt").touch()
    pictures, labels = read_pictures(find_pictures(folder)["Art"], 16, "Art")
    assert pictures.shape == (5, 16, 16, 3)
    assert pictures.dtype == "float32"
    assert list(labels) == [0, 0, 1, 1, 1]
    assert 0 <= pictures.min() < pictures.max() <= 1
    np.testing.assert_array_equal(pictures[-1], 1)


def test_middle_of_a_long_picture_is_kept(tmp_path):
    drawn = np.zeros((8, 24, 3))
    drawn[:, 8:16] = 255
    keras.utils.save_img(tmp_path / "long.png", drawn, scale=False)
    pictures, _ = read_pictures({"Bed": [tmp_path / "long.png"]}, 8, "Art")
    np.testing.assert_array_equal(pictures[0], 1)


def test_missing_domains_are_named(folder):
    shutil.rmtree(folder / "Clipart")
    with pytest.raises(ValueError, match=r"must hold the folders Art, .*without Clipart$"):
        find_pictures(folder)


def test_folder_that_is_not_there_misses_all_domains(tmp_path):
    with pytest.raises(ValueError, match=r"Received: '.*nowhere', without Art, Clipart, Product"):
        find_pictures(tmp_path / "nowhere")


def test_domains_must_have_the_same_classes(folder):
    (folder / "Product" / "Bed").rename(folder / "Product" / "Bottle")
    with pytest.raises(ValueError, match="Received: Bed, Bottle only in Art or only in Product"):
        find_pictures(folder)


def test_empty_classes_are_named(folder):
    for file in (folder / "Product" / "Bed").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"Received: '.*Product', with none of Bed$"):
        find_pictures(folder)


def test_data_set_without_classes_is_refused(tmp_path):
    for domain in DOMAINS:
        (tmp_path / domain).mkdir()
    with pytest.raises(ValueError, match="with none of any class"):
        find_pictures(tmp_path)
