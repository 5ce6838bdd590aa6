"""Pictures to recognize: loading, order, crops, mirroring, normalization."""

import keras
import numpy as np
import pytest

from common.recognition import (
    CIFAR_DEVIATION,
    CIFAR_MEAN,
    Pictures,
    held_out_batches,
    load_cifar,
    load_digits,
    training_batches,
)


def made(train, mirrored=False, mean=0.0, deviation=1.0):
    """Pictures whose labels are their positions."""
    return Pictures(
        train,
        np.arange(len(train)),
        train[:3],
        np.arange(3),
        10,
        np.full(3, mean, "float32"),
        np.full(3, deviation, "float32"),
        mirrored,
    )


def ramps(number=64, side=16):
    """Pictures that tell each of their pixels apart, none of which is black."""
    values = np.arange(1, side * side + 1, dtype="float32").reshape(side, side, 1)
    return np.repeat(values[np.newaxis], 3, -1).repeat(number, 0)


def gather(batches):
    """Returns an epoch's pictures and labels."""
    pictures, labels = zip(*[(p.numpy(), y.numpy()) for p, y in batches], strict=True)
    return np.concatenate(pictures), np.concatenate(labels)


def crops(picture, padding):
    """Every picture that padding and cropping can make, by the place of the crop."""
    padded = np.pad(picture, ((padding, padding), (padding, padding), (0, 0)))
    side = len(picture)
    return {
        (top, left): padded[top : top + side, left : left + side]
        for top in range(2 * padding + 1)
        for left in range(2 * padding + 1)
    }


def places(pictures, candidates):
    """Finds which of the candidates each picture is."""
    return [
        next(place for place, crop in candidates.items() if np.array_equal(crop, picture))
        for picture in pictures
    ]


def test_an_epoch_has_every_picture_once_in_another_order_each_time():
    batches = training_batches(made(ramps(10)), batch_size=4, seed=0)
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    first, second = gather(batches)[1], gather(batches)[1]
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)


def test_crops_are_of_every_place_in_an_eighth_of_black():
    pictures = ramps(300)
    found = places(
        gather(training_batches(made(pictures), 32, seed=0))[0], crops(pictures[0], padding=2)
    )
    assert set(found) == {(top, left) for top in range(5) for left in range(5)}


def test_half_of_the_pictures_are_mirrored_wherever_they_are_cropped():
    pictures = ramps(400)
    straight = crops(pictures[0], padding=2)
    flipped = {(*place, "mirrored"): crop[:, ::-1] for place, crop in straight.items()}
    batches = training_batches(made(pictures, mirrored=True), 32, seed=0)
    found = places(gather(batches)[0], straight | flipped)
    mirrored = [place[:2] for place in found if len(place) == 3]
    assert 160 < len(mirrored) < 240
    assert len(set(mirrored)) == len({place for place in found if len(place) == 2}) == 25


def test_varying_repeats_with_the_seed_and_differs_between_epochs_and_seeds():
    pictures = made(ramps(), mirrored=True)
    one, again, other = (training_batches(pictures, 32, seed) for seed in (0, 0, 1))
    first, repeated, different = gather(one), gather(again), gather(other)
    np.testing.assert_array_equal(first[0], repeated[0])
    np.testing.assert_array_equal(first[1], repeated[1])
    for changed in (gather(one), different):
        assert np.any(first[1] != changed[1])
        assert np.any(first[0] != changed[0])


def test_pictures_to_test_on_are_normalized_alone():
    pictures = made(ramps().astype("uint8"), mirrored=True, mean=51.0, deviation=25.5)
    drawn, labels = gather(held_out_batches(pictures, 2))
    np.testing.assert_allclose(drawn, (pictures.test - 51.0) / 25.5, rtol=1e-6)
    np.testing.assert_array_equal(labels, [0, 1, 2])


def test_padding_is_black_before_it_is_normalized():
    pictures = made(np.full((50, 8, 8, 3), 255, "uint8"), mean=51.0, deviation=25.5)
    drawn, _ = gather(training_batches(pictures, 50, seed=0))
    assert set(np.unique(drawn)) == {-2.0, 8.0}


def test_first_keeps_pictures_with_their_labels():
    pictures = made(ramps(10) + np.arange(10, dtype="float32")[:, None, None, None])
    some = pictures.first(2)
    for part in ("train", "test"):
        np.testing.assert_array_equal(getattr(some, part), getattr(pictures, part)[:2])
    assert (len(some.train), len(some.test)) == (2, 2)
    assert list(some.train_labels) == list(some.test_labels) == [0, 1]


def test_digits_are_the_same_at_every_call_and_not_mirrored():
    one, other = load_digits(), load_digits()
    np.testing.assert_array_equal(one.train, other.train)
    assert (one.train.shape, one.test.shape) == ((1347, 8, 8, 3), (450, 8, 8, 3))
    assert set(one.train_labels) == set(one.test_labels) == set(range(one.classes))
    assert not one.mirrored


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_is_what_keras_loads(classes, monkeypatch):
    rng = np.random.default_rng(0)

    def load():
        return tuple(
            (rng.integers(0, 256, (n, 32, 32, 3), "uint8"), rng.integers(0, classes, (n, 1)))
            for n in (6, 4)
        )

    monkeypatch.setattr(getattr(keras.datasets, f"cifar{classes}"), "load_data", load)
    pictures = load_cifar(classes)
    assert (pictures.train_labels.shape, pictures.test_labels.shape) == ((6,), (4,))
    assert pictures.train.dtype == np.uint8
    assert (pictures.classes, pictures.mirrored) == (classes, True)
    drawn, _ = gather(held_out_batches(pictures, 4))
    expected = (pictures.test / 255 - CIFAR_MEAN) / CIFAR_DEVIATION
    np.testing.assert_allclose(drawn, expected, rtol=1e-4, atol=1e-5)


def test_cifar_out_of_reach_says_where_it_is_looked_for(monkeypatch):
    def load():
        raise Exception("URL fetch failure on https://...: None -- [Errno -2]")

    monkeypatch.setattr(keras.datasets.cifar100, "load_data", load)
    with pytest.raises(ConnectionError, match=r"cifar100 must be in ~/.keras/datasets.*Errno -2"):
        load_cifar(100)
