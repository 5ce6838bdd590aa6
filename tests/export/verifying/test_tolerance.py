"""The rule by which an output is right: the tolerance, then the rounding of the model."""

import numpy as np
import pytest

from keras_bin.export.verifying.exact_outputs import ExactOutput
from keras_bin.export.verifying.tolerance import Tolerance

DEFAULT = Tolerance(1e-4, 1e-4, follows_rounding=True)


def exact_output(values, rounding, unsteady=(), largest=None, is_known=True):
    """Makes exact values, of which the rows numbered in `unsteady` are not steady."""
    marks = np.isin(np.arange(len(values)), unsteady)
    by_row = np.where(marks, rounding if largest is None else largest, rounding)
    return ExactOutput(values, by_row, marks, is_known)


def check(got, expected, exact=None, tolerance=DEFAULT):
    """Checks an output of steady rows on a batch of 2."""
    got, expected = (np.asarray(values, "float32") for values in (got, expected))
    if exact is not None:
        exact = np.asarray(exact, "float64")
        exact = exact_output(exact, np.abs(expected.astype("float64") - exact).max())
    return tolerance.check("y", 2, got, expected, lambda: exact)


# The model is off by 2**-9 in its first value, so 2**-7 around the exact value is allowed.
EXPECTED, EXACT = [4.0, 1.0], [4.0 - 2**-9, 1.0]


@pytest.mark.parametrize(
    ("got", "passed"),
    [
        ([4.0 - 2**-9 + 2**-7, 1.0], True),
        ([4.0 - 2**-9 + 2**-7 + 2**-12, 1.0], False),
        ([4.0, 1.0 + 2**-7], True),
        ([4.0, 1.0 + 2**-7 + 2**-12], False),
        ([4.0, np.nan], False),
        ([np.inf, 1.0], False),
    ],
    ids=["at the end", "beyond", "other element", "beyond in it", "NaN", "infinite"],
)
def test_four_times_the_rounding_is_allowed_around_the_exact_value(got, passed):
    found = check(got, EXPECTED, EXACT)
    assert found.passed == passed
    assert found.rounding == 2**-9


def test_element_within_the_tolerance_is_right_whatever_the_exact_value_is():
    """Between the elements, each may be right by either rule."""
    found = check([4.0 + 2**-12, 1.0 + 2**-7], [4.0, 1.0], [4.0 - 2**-9, 1.0 + 2**-9])
    assert found.passed


def test_exact_values_are_not_asked_for_where_the_tolerance_suffices():
    def fail():
        raise AssertionError("asked for the exact values")

    values = np.ones(3, "float32")
    assert DEFAULT.check("y", 3, values, values, fail).rounding is None


@pytest.mark.parametrize(("is_known", "passed"), [(True, True), (False, False)], ids=str)
def test_rounding_of_a_model_that_is_hardly_steady_allows_nothing(is_known, passed):
    exact = exact_output(np.array([1.001]), 0.001, is_known=is_known)
    values = np.ones(1, "float32")
    found = DEFAULT.check("y", 1, values + 0.002, values, lambda: exact)
    assert (found.passed, found.rounding) == (passed, 0.001)


@pytest.mark.parametrize(
    ("got", "passed"),
    [([1.0 + 2**-6, 1.0], False), ([1.0, 1.0 + 2**-2], True), ([1.0, 2.0], False)],
    ids=["steady row", "unsteady row", "unsteady row beyond its rounding"],
)
def test_unsteady_row_has_a_rounding_of_its_own(got, passed):
    exact = exact_output(np.ones(2), 2**-9, unsteady=[1], largest=2**-4)
    values = np.ones(2, "float32")
    found = DEFAULT.check("y", 2, np.array(got, "float32"), values, lambda: exact)
    assert (found.passed, found.rounding, found.unsteady) == (passed, 2**-9, 1)


def test_given_tolerance_gets_no_allowance():
    found = check([4.0 + 2**-9, 1.0], EXPECTED, EXACT, Tolerance(1e-4, 1e-4, False))
    assert (found.passed, found.rounding) == (False, None)


@pytest.mark.parametrize(("atol", "passed"), [(1e-4, False), (1.0, True)], ids=str)
def test_integers_have_no_relative_tolerance(atol, passed):
    """An index that is off by one is wrong, however large it is."""
    got, expected = np.array([30_001, 7]), np.array([30_000, 7])
    exact = exact_output(np.array([30_001.0, 7.0]), 1.0)
    found = Tolerance(atol, 1e-4, True).check("y", 2, got, expected, lambda: exact)
    assert (found.passed, found.rounding) == (passed, None)


def test_unknown_exact_value_leaves_the_tolerance():
    assert not check([4.0 + 2**-9, 1.0], EXPECTED).passed
    assert check([4.0 + 2**-12, 1.0], EXPECTED).passed


def test_worst_element_is_the_one_farthest_beyond_what_is_allowed():
    """The largest difference, in the first value, is allowed there."""
    found = check([[100.009, 1.0], [0.0, 2.005]], [[100.0, 1.0], [0.0, 2.0]])
    assert (found.worst, found.expected) == ((1, 1), 2.0)
    # float32 holds values near 2 to 2e-7 and near 100 to 8e-6.
    assert found.got == pytest.approx(2.005, abs=2e-7)
    assert found.max_abs == pytest.approx(0.009, abs=8e-6)
    assert found.max_rel == pytest.approx(0.0025, abs=1e-6)
    assert found.shape == (2, 2)


def test_output_without_elements_is_right():
    found = check(np.zeros((2, 0)), np.zeros((2, 0)))
    assert found.passed
    assert (found.worst, found.max_abs, found.max_rel) == (None, 0.0, 0.0)


@pytest.mark.parametrize(
    ("tolerance", "unavailable", "fragment"),
    [
        (Tolerance(0.5, 0.25, False), "", "within atol=0.5, rtol=0.25 of"),
        (
            DEFAULT,
            "",
            "4 times its rounding, if that is at most 0.25% of the largest output on 3 rows",
        ),
        (DEFAULT, "it broke", "is not known, as it broke. If its outputs are large, pass an"),
    ],
    ids=["given", "rounding", "unknown rounding"],
)
def test_rule_is_the_one_that_was_applied(tolerance, unavailable, fragment):
    assert fragment in tolerance.rule(unavailable)
