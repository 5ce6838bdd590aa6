"""rho_summary: what it counts."""

import pytest

import keras_bin
from tests.gates.test_finding import bin_layer, functional


def with_gates():
    model = functional()
    model.get_layer("first").rho.assign([0.0, 0.4, 1.0])
    model.get_layer("second").rho.assign([0.09, 0.11, 0.5, 0.51, 0.99])
    return model


def test_summary_counts_gates_by_hand():
    model = with_gates()
    first, second = keras_bin.rho_summary(model)
    # The gates are float32.
    assert first == ("first", 3, pytest.approx(1.4 / 3, rel=1e-6), 0.0, 1.0, 1, 1, 1, 1)
    assert second[:2] == ("second", 5)
    assert second[2:5] == pytest.approx((2.2 / 5, 0.09, 0.99), rel=1e-6)
    assert second[5:] == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (0.0, (4, 0, 4, 0)),
        (1e-7, (0, 0, 4, 0)),
        (0.1, (0, 0, 0, 0)),
        (0.9, (0, 0, 0, 0)),
        (1 - 1e-7, (0, 0, 0, 4)),
        (1.0, (0, 4, 0, 4)),
    ],
    ids=str,
)
def test_ends_are_exact_and_what_is_near_them_is_not(value, counts):
    layer = bin_layer("bin", value)
    layer.build((None, 8, 4))
    (summary,) = keras_bin.rho_summary(layer)
    assert (summary.at_zero, summary.at_one, summary.near_zero, summary.near_one) == counts


def test_summary_is_plain_numbers():
    (summary, _) = keras_bin.rho_summary(with_gates())
    kinds = [type(value) for value in summary]
    assert kinds == [str, int, float, float, float, int, int, int, int]


def test_summary_prints_as_a_table():
    summary = keras_bin.rho_summary(with_gates())
    assert isinstance(summary, list)
    assert str(summary).splitlines() == [
        "rho of each BIN layer",
        "layer   channels   mean  minimum  maximum  at 0  at 1  < 0.1  > 0.9",
        "first          3  0.467    0.000    1.000     1     1      1      1",
        "second         5  0.440    0.090    0.990     0     0      1      1",
    ]
    assert ">0.467</td>" in summary._repr_html_()
