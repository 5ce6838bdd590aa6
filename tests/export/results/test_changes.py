"""What changes for clients: names, dtypes and shapes as they see them."""

from pathlib import Path

import pytest

from keras_bin.export.results.changes import changes, warn_of_changes
from keras_bin.networks.signature import Signature, TensorInfo

A = TensorInfo("a", (None, 8, 8, 3), "float32")
B = TensorInfo("b", (None, 2), "float32")
Y = TensorInfo("y", (None, 10), "float32")
A_TEXT, B_TEXT = "'a' (float32, shape (None, 8, 8, 3))", "'b' (float32, shape (None, 2))"


def of(inputs, outputs=(Y,)):
    return Signature(tuple(inputs), tuple(outputs))


def test_equal_signatures_change_nothing():
    assert changes(of([A, B]), of([A, B])) == []
    assert changes(of([A, B]), of([A, B]), ordered=True) == []


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ([A], [A._replace(name="c")], f"{A_TEXT} → 'c' (float32, shape (None, 8, 8, 3))"),
        ([A], [A._replace(dtype="uint8")], f"{A_TEXT} → 'a' (uint8, shape (None, 8, 8, 3))"),
        (
            [A],
            [A._replace(shape=(None, None, None, 3))],
            f"{A_TEXT} → 'a' (float32, shape (None, None, None, 3))",
        ),
        ([A, B], [A], f"{B_TEXT} → none"),
        ([A], [A, B], f"none → {B_TEXT}"),
        ([A._replace(shape=None)], [B], f"'a' (float32, any shape) → {B_TEXT}"),
    ],
    ids=["name", "dtype", "free_size", "gone", "added", "unknown_shape"],
)
def test_what_differs_is_listed_old_and_new(before, after, line, ordered):
    assert changes(of(before), of(after), ordered) == [f"inputs: {line}"]


def test_outputs_are_listed_after_inputs():
    first, second = changes(of([A]), of([B], [Y._replace(shape=(None, 11))]))
    assert first.startswith("inputs: 'a'")
    assert second == "outputs: 'y' (float32, shape (None, 10)) → 'y' (float32, shape (None, 11))"


def test_order_counts_where_clients_see_it():
    assert changes(of([A, B]), of([B, A])) == []
    assert changes(of([A, B]), of([B, A]), ordered=True) == [
        f"inputs: {A_TEXT}, {B_TEXT} → {B_TEXT}, {A_TEXT}"
    ]


@pytest.mark.parametrize("ordered", [False, True])
def test_unknown_shape_fits_any(ordered):
    assert changes(of([A._replace(shape=None)]), of([A]), ordered) == []


@pytest.mark.parametrize("error", [OSError("no permission"), ValueError("damaged")], ids=type)
def test_what_cannot_be_read_is_said(error):
    def read(_path):
        raise error

    with pytest.warns(UserWarning, match=rf"not known whether .*'old'.*: {error}"):
        warn_of_changes(Path("old"), read, of([A]))
