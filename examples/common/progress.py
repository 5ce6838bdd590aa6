"""The progress that every experiment shows: a bar for all runs, and one for the present run."""

import contextlib
import datetime
import math
import time
from collections.abc import Iterator

import keras
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LOOKS_BACK = 24 * 3600  # seconds; an epoch may take longer than rich's half minute


class RunBar:
    """The bar of one run.

    Attributes:
        result: what the run leaves on the screen, set before its end.
        seconds: how long it took, known after its end.
        seconds_before: how long it took before it was stopped, if it was.
    """

    def __init__(self, progress: Progress, task: TaskID):
        self.result = ""
        self.seconds = math.nan
        self.seconds_before = 0.0
        self._progress = progress
        self._task = task

    def advance(self, note: str = "") -> None:
        """Moves the bar by one step, and shows a note beside it."""
        self._progress.update(self._task, advance=1, note=note)

    def start_at(self, step: int) -> None:
        """Moves the bar to a step that was reached before, which does not count for the speed."""
        self._progress.reset(self._task, completed=step)

    def epoch_callback(self) -> keras.callbacks.Callback:
        """Makes a callback that moves the bar after each epoch of `fit`."""
        return _EpochCallback(self)


class _EpochCallback(keras.callbacks.Callback):
    def __init__(self, bar):
        super().__init__()
        self._bar = bar
        self._begins = True

    def on_epoch_begin(self, epoch, logs=None):
        if self._begins and epoch:
            self._bar.start_at(epoch)
        self._begins = False

    def on_epoch_end(self, epoch, logs=None):
        self._bar.advance(f"loss {logs['loss']:.4f}")


class RunBars:
    """A bar for all runs of an experiment, and a bar for the steps of the present one."""

    def __init__(self, progress: Progress, runs: int):
        self._progress = progress
        self._runs = progress.add_task("all runs", total=runs, note="")
        self._steps = progress.add_task("", total=None, note="")
        self._waiting = runs
        self._spent: list[float] = []

    @contextlib.contextmanager
    def run(self, name: str, steps: int) -> Iterator[RunBar]:
        """Yields the bar of a run, times the run, and prints its result and the time left."""
        self._progress.reset(self._steps, total=steps, description=name, note="")
        bar = RunBar(self._progress, self._steps)
        started = time.perf_counter()
        yield bar
        seconds = bar.seconds_before + time.perf_counter() - started
        bar.seconds = round(seconds, 1)
        self._progress.advance(self._runs)
        self._spent.append(seconds)
        self._waiting -= 1
        self._progress.console.print(
            f"{name}  {bar.result}, {bar.seconds} s{self._time_left()}", highlight=False
        )

    def _time_left(self):
        """Says how long the remaining runs will take if they take as long as those before."""
        seconds = round(self._waiting * sum(self._spent) / len(self._spent))
        return f"; about {datetime.timedelta(seconds=seconds)} left" if seconds > 60 else ""


@contextlib.contextmanager
def run_bars(runs: int) -> Iterator[RunBars]:
    """Shows the progress of an experiment of `runs` runs, and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True, speed_estimate_period=LOOKS_BACK) as progress:
        yield RunBars(progress, runs)
