"""Stages, told as they begin and end."""

import threading

import keras
import pytest

import keras_bin
from keras_bin.export import fold_report
from keras_bin.export.preparation import Preparation
from keras_bin.export.saved_models.writer import write_saved_model
from keras_bin.stages import begin_stage, stages_told
from tests.export.kinds import bin_model


@pytest.fixture
def told():
    """Lists the stages that begin and end in a test."""
    seen = []
    with stages_told(lambda *what: seen.append(what)):
        yield seen


def begun(told):
    return [name for name, seconds in told if seconds is None]


def test_each_stage_ends_where_the_next_begins(told):
    begin_stage("first")
    begin_stage("second")
    assert [(name, seconds is None) for name, seconds in told] == [
        ("first", True),
        ("first", False),
        ("second", True),
    ]
    assert told[1][1] >= 0


def test_last_stage_ends_with_the_block_even_if_it_fails():
    seen = []

    def fail():
        begin_stage("work")
        raise OSError("full")

    with pytest.raises(OSError, match="full"), stages_told(lambda *what: seen.append(what)):
        fail()
    assert [name for name, seconds in seen if seconds is not None] == ["work"]


def test_nothing_is_told_outside():
    seen = []
    with stages_told(lambda *what: seen.append(what)):
        pass
    begin_stage("work")
    assert seen == []


def test_other_threads_are_not_told(told):
    thread = threading.Thread(target=begin_stage, args=("elsewhere",))
    thread.start()
    thread.join()
    assert told == []


def test_inner_block_has_its_own(told):
    begin_stage("outer")
    seen = []
    with stages_told(lambda *what: seen.append(what)):
        begin_stage("inner")
    begin_stage("last")
    assert (begun(seen), begun(told)) == (["inner"], ["outer", "last"])


def test_second_format_shares_what_the_first_has_done(told, tmp_path):
    prepared = Preparation(bin_model(rho=1.0))
    for base in ("a", "b"):
        write_saved_model(prepared, tmp_path / base, None, False, None, None, None)
    assert begun(told) == [
        *("sample", "trace", "fold", "write", "verify", "publish"),
        *("write", "verify", "publish"),
    ]


def test_folding_and_conversion_tell_their_stages(told):
    fold_report(bin_model())
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    keras_bin.convert_batch_normalization(model)
    assert begun(told) == ["fold", "verify", "convert", "verify"]
