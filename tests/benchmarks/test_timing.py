"""Functions take turns, and their times become figures."""

import itertools

import pytest

from benchmarks.timing import (
    Spread,
    Timing,
    comparison_rows,
    interleave,
    median_and_range,
    quartiles,
    ratio,
    timing,
)


class Clock:
    """A clock that stands still but while a function runs."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def __call__(self):
        return self.now

    def function(self, name, durations):
        durations = iter(durations)

        def run():
            self.calls.append(name)
            self.now += next(durations)

        return run


def test_interleave_times_each_function_once_a_round_after_the_warm_up():
    clock = Clock()
    functions = {
        "a": clock.function("a", [90.0, 80.0, 1.0, 2.0, 3.0]),
        "b": clock.function("b", [70.0, 60.0, 4.0, 5.0, 6.0]),
    }
    assert interleave(functions, rounds=3, clock=clock) == {
        "a": [1.0, 2.0, 3.0],
        "b": [4.0, 5.0, 6.0],
    }


def test_interleave_calls_all_in_every_round_in_changing_order():
    clock = Clock()
    functions = {name: clock.function(name, itertools.repeat(1.0)) for name in "abc"}
    interleave(functions, rounds=20, warm_up=0, clock=clock)
    rounds = list(zip(*[iter(clock.calls)] * 3, strict=True))
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len(set(rounds)) > 2


def test_interleave_without_rounds_only_warms_up():
    clock = Clock()
    functions = {"a": clock.function("a", [1.0, 1.0, 1.0])}
    assert interleave(functions, rounds=0, warm_up=3, clock=clock) == {"a": []}
    assert clock.calls == ["a", "a", "a"]


def test_quartiles_include_the_ends():
    assert quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(3.0, 2.0, 4.0)


def test_quartiles_of_one_value_are_that_value():
    assert quartiles([2.0]) == Spread(2.0, 2.0, 2.0)


def test_median_and_range():
    assert median_and_range([9.0, 1.0, 2.0]) == Spread(2.0, 1.0, 9.0)


def test_ratio_is_that_of_the_medians_and_its_spread_that_within_rounds():
    # Ratios within the rounds: 1/4, 2/2, 9/3.
    found = ratio([1.0, 2.0, 9.0], [4.0, 2.0, 3.0])
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high) == (0.625, 2.0)


def test_ratio_refuses_times_of_different_rounds():
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_timing_is_in_milliseconds():
    assert timing([0.002, 0.001, 0.003]) == Timing(Spread(2.0, 1.5, 2.5))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Spread(1.23456, 1.0, 2.0), "1.23 [1, 2]"),
        (Timing(Spread(12.34, 10, 20)), "12.3 ms"),
        (Timing(Spread(12.34, 10, 20), Spread(0.5, 0.25, 1)), "12.3 ms, 0.5 [0.25, 1]"),
    ],
    ids=["spread", "time", "time and ratio"],
)
def test_text(value, text):
    assert str(value) == text


def test_comparison_divides_ours_by_each_peer_and_averages_over_the_cases():
    seconds = {"small": {"ours": [0.002], "peer": [0.001]}, "large": {"ours": [4], "peer": [8]}}
    ours, peer = comparison_rows(seconds, "ours", compiled="XLA")
    assert ours == {
        "compiled": "XLA",
        "layer": "ours",
        "small": timing([0.002]),
        "large": timing([4]),
        "geometric mean": None,
    }
    assert peer["layer"] == "peer"
    assert [peer[case].ratio.value for case in seconds] == [2.0, 0.5]
    assert peer["geometric mean"] == pytest.approx(1.0)
