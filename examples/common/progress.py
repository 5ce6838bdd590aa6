"""The progress that every experiment shows: a bar for all runs, and one for the present run."""

import contextlib
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
)


class RunBar:
    """The bar of one run.

    Attributes:
        result: what the run leaves on the screen, set before its end.
        seconds: how long it took, known after its end.
    """

    def __init__(self, progress: Progress, task: TaskID):
        self.result = ""
        self.seconds = math.nan
        self._progress = progress
        self._task = task

    def advance(self, note: str = "") -> None:
        """Moves the bar by one step, and shows a note beside it."""
        self._progress.update(self._task, advance=1, note=note)

    def epoch_callback(self) -> keras.callbacks.Callback:
        """Makes a callback that moves the bar after each epoch of `fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: self.advance(f"loss {logs['loss']:.4f}")
        )


class RunBars:
    """A bar for all runs of an experiment, and a bar for the steps of the present one."""

    def __init__(self, progress: Progress, runs: int):
        self._progress = progress
        self._runs = progress.add_task("all runs", total=runs, note="")
        self._steps = progress.add_task("", total=None, note="")

    @contextlib.contextmanager
    def run(self, name: str, steps: int) -> Iterator[RunBar]:
        """Yields the bar of a run, times the run, and prints its result."""
        self._progress.reset(self._steps, total=steps, description=name, note="")
        bar = RunBar(self._progress, self._steps)
        started = time.perf_counter()
        yield bar
        bar.seconds = round(time.perf_counter() - started, 1)
        self._progress.console.print(f"{name}  {bar.result}, {bar.seconds} s", highlight=False)
        self._progress.advance(self._runs)


@contextlib.contextmanager
def run_bars(runs: int) -> Iterator[RunBars]:
    """Shows the progress of an experiment of so many runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        yield RunBars(progress, runs)
