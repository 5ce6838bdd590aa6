"""Verification errors carry their facts, in the message and apart from it."""

import pickle

import pytest

from keras_bin.export import errors

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
    raised = pickle.loads(pickle.dumps(errors.ShapeError("The rule:", ["first"])))
    assert str(raised) == "The rule:\n  first"
    assert raised.differences == ("first",)
