"""Times functions in turns, and summarizes the times."""

import dataclasses
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Spread:
    """A value and an interval around it; what makes it says what `low` and `high` are."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclasses.dataclass(frozen=True)
class Timing:
    """Median time and quartiles in milliseconds, and a ratio if there is a peer."""

    ms: Spread
    ratio: Spread | None = None

    def __str__(self):
        median = f"{self.ms.value:.3g} ms"
        return median if self.ratio is None else f"{median}, {self.ratio}"


def interleave(
    functions: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Times functions side by side, so that whatever slows the machine down affects all of them.

    Each round calls every function once. The order is drawn anew for each round; otherwise one
    function would always run with the caches that another one leaves.

    Args:
        functions: what to call, by name; a call must return only when its work is done.
        rounds: how often each is timed.
        warm_up: rounds before these that are not timed.
        clock: returns seconds.

    Returns:
        The seconds of each function, one per round.
    """
    for _ in range(warm_up):
        for function in functions.values():
            function()
    shuffle = random.Random(0).shuffle
    order = list(functions)
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = clock()
            functions[name]()
            seconds[name].append(clock() - start)
    return seconds


def quartiles(values: Sequence[float]) -> Spread:
    """Returns median, lower and upper quartile; of a single value, that value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def median_and_range(values: Sequence[float]) -> Spread:
    """Returns median, minimum and maximum."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(seconds: Sequence[float], peer_seconds: Sequence[float]) -> Spread:
    """Returns the ratio of the medians, and the quartiles of the ratios within a round."""
    of_medians = statistics.median(seconds) / statistics.median(peer_seconds)
    by_round = quartiles([a / b for a, b in zip(seconds, peer_seconds, strict=True)])
    return Spread(of_medians, by_round.low, by_round.high)


def timing(seconds: Sequence[float], ratio: Spread | None = None) -> Timing:
    """Summarizes the times of one function, in milliseconds."""
    return Timing(quartiles([1e3 * value for value in seconds]), ratio)


def comparison_rows(
    seconds: Mapping[str, Mapping[str, Sequence[float]]], ours: str, **labels: str
) -> list[dict]:
    """Makes a row of a table for each function that was timed.

    Args:
        seconds: times by case, such as the shape, and within it by function.
        ours: the function whose time is divided by that of each other one.
        **labels: what each row starts with, by column.

    Returns:
        Rows with the function's name, its `Timing` in each case, with the ratio of ours to
        it, and the geometric mean of these ratios over the cases.
    """
    rows = []
    for name in next(iter(seconds.values())):
        ratios = {case: ratio(timed[ours], timed[name]) for case, timed in seconds.items()}
        geometric_mean = statistics.geometric_mean(r.value for r in ratios.values())
        peer = name != ours
        rows.append(
            {
                **labels,
                "layer": name,
                **{
                    case: timing(timed[name], ratios[case] if peer else None)
                    for case, timed in seconds.items()
                },
                "geometric mean": geometric_mean if peer else None,
            }
        )
    return rows


def comparison_method(ours: str, rounds: int) -> str:
    """Says how the figures of `comparison_rows` came about."""
    return (
        f"Median of {rounds} rounds in which all took turns, and time of {ours} / time of the "
        "layer in the row, with the quartiles of that ratio over the rounds."
    )
