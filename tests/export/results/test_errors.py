"""Verification errors carry their facts, in the message and apart from it."""

import pickle

import pytest

from keras_bin.export import OutputCheck, Verification
from keras_bin.export.results import errors

CLASSES = [
    errors.NamesError,
    errors.ShapeError,
    errors.DtypeError,
    errors.ValuesError,
    errors.OperatorError,
]


@pytest.mark.parametrize("error", CLASSES)
def test_message_is_the_rule_and_a_line_for_each_difference(error):
    raised = error("The rule:", ["first", "second"])
    assert str(raised) == "The rule:\n  first\n  second"
    assert raised.differences == ("first", "second")
    assert isinstance(raised, errors.VerificationError)
    assert isinstance(raised, ValueError)


def test_error_survives_a_process_pool():
    check = OutputCheck("y", 1, (1,), 0.5, 0.25, (0,), 2.0, 2.5, None, False)
    found = Verification((check,), 1e-4, 1e-4)
    raised = pickle.loads(pickle.dumps(errors.ValuesError("The rule:", ["first"], found)))
    assert str(raised) == "The rule:\n  first"
    assert raised.differences == ("first",)
    assert raised.verification == found


def test_error_without_compared_values_has_no_verification():
    assert errors.NamesError("The rule:", ["first"]).verification is None
