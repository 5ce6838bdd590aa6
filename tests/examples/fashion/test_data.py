"""Fashion-MNIST: where it is looked for, and what is checked."""

import keras
import numpy as np
import pytest

from fashion import data
from fashion.data import TEST, TRAIN, keras_folder, load_fashion_scans
from tests.examples.programs import make_fashion, write_idx


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither Debian's folder nor Keras's cache holds the files, and there is no network."""

    def load():
        raise Exception("URL fetch failure on https://...: None -- [Errno -2]")

    monkeypatch.setattr(data, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load)
    return tmp_path


def test_scans_are_ink_from_0_to_1_with_their_labels(tmp_path):
    folder = make_fashion(tmp_path / "data")
    scans = load_fashion_scans(folder)
    assert [part.shape for part in scans] == [(48, 28, 28), (16, 28, 28), (48,), (16,)]
    for drawn, labels in ((scans.train_scans, scans.train_labels), scans[1::2]):
        assert drawn.dtype == np.float32
        rows = drawn[np.arange(len(labels)), 2 * labels + 4]
        np.testing.assert_array_equal(rows, 1)
        assert 0 <= drawn.min() < drawn.mean() < 0.3


def test_first_scans_keep_their_labels(tmp_path):
    scans = load_fashion_scans(make_fashion(tmp_path / "data"))
    first = scans.first(5, 3)
    for part, whole, number in zip(first, scans, (5, 3, 5, 3), strict=True):
        np.testing.assert_array_equal(part, whole[:number])


@pytest.mark.parametrize("where", ["debian", "keras/datasets/fashion-mnist"])
def test_files_are_found_where_debian_and_keras_put_them(nowhere, where):
    make_fashion(nowhere / where, train=20)
    assert len(load_fashion_scans().train_scans) == 20


def test_debian_comes_before_the_cache_and_a_folder_before_both(nowhere):
    make_fashion(nowhere / "debian", train=20)
    make_fashion(keras_folder(), train=30)
    folder = make_fashion(nowhere / "mine", train=40)
    assert len(load_fashion_scans().train_scans) == 20
    assert len(load_fashion_scans(folder).train_scans) == 40


def test_cache_is_in_the_home_folder_unless_keras_has_another(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keras_folder() == tmp_path / ".keras" / "datasets" / "fashion-mnist"


def test_keras_downloads_last(nowhere, monkeypatch):
    monkeypatch.setattr(
        keras.datasets.fashion_mnist, "load_data", lambda: make_fashion(keras_folder(), train=20)
    )
    assert len(load_fashion_scans().train_scans) == 20


def download_elsewhere():
    """What Keras does where its folder cannot be written."""


@pytest.mark.parametrize(
    ("load", "reason"),
    [(None, "URL fetch failure"), (download_elsewhere, "a download that did not end in")],
)
def test_one_message_tells_all_the_ways(nowhere, monkeypatch, load, reason):
    if load:
        monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load)
    with pytest.raises(FileNotFoundError) as caught:
        load_fashion_scans()
    message = str(caught.value)
    for way in (
        "`--folder`",
        "apt install dataset-fashion-mnist",
        str(keras_folder()),
        "with a network",
        reason,
    ):
        assert way in message


def test_folder_without_a_file_is_told_which(tmp_path):
    folder = make_fashion(tmp_path / "data")
    (folder / TEST.labels).unlink()
    with pytest.raises(FileNotFoundError, match=f"{folder}, without {TEST.labels}$"):
        load_fashion_scans(folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (TRAIN.scans, np.zeros((48, 28, 27)), "scans of 28x28 pixels. Received: .* 28x27"),
        (TRAIN.labels, np.zeros(47), "must belong together. Received: .* 48 scans and 47 labels"),
        (TEST.labels, np.full(16, 10), "labels from 0 to 9. Received: .*, with 10"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, name, array, message):
    folder = make_fashion(tmp_path / "data")
    write_idx(folder / name, array)
    with pytest.raises(ValueError, match=message):
        load_fashion_scans(folder)
