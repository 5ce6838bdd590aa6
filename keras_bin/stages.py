"""Stages of long-running work, reported to a function or printed."""

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterator

import keras
from absl import logging

Tell = Callable[[str, float | None], None]


class _Stages:
    """The current stage of the work."""

    def __init__(self, tell: Tell):
        self._tell = tell
        self._name: str | None = None
        self._begun = 0.0

    def begin(self, name: str) -> None:
        self.end()
        self._name, self._begun = name, time.perf_counter()
        self._tell(name, None)

    def end(self) -> None:
        if self._name is not None:
            name, self._name = self._name, None
            self._tell(name, time.perf_counter() - self._begun)


_current: contextvars.ContextVar[_Stages | None] = contextvars.ContextVar("stages", default=None)


def begin_stage(name: str) -> None:
    """Ends the current stage and begins the next; does nothing if stages are not reported."""
    if stages := _current.get():
        stages.begin(name)


def end_stage() -> None:
    """Ends the current stage."""
    if stages := _current.get():
        stages.end()


@contextlib.contextmanager
def stages_told(tell: Tell) -> Iterator[None]:
    """Reports the stages of the work in the `with` block, in this thread.

    Args:
        tell: called with the name of a stage and None when it begins, and with its name and
            seconds when it ends, even with an error.
    """
    stages = _Stages(tell)
    before = _current.set(stages)
    try:
        yield
    finally:
        _current.reset(before)
        stages.end()


def stages_printed(verbose: bool | None) -> contextlib.AbstractContextManager[None]:
    """Prints the stages of the work in the `with` block, if `is_verbose(verbose)`."""
    return stages_told(_print_stage) if is_verbose(verbose) else contextlib.nullcontext()


def is_verbose(verbose: bool | None) -> bool:
    """Tells whether to print: None means True, as in `keras.Model.export`."""
    return verbose is None or bool(verbose)


def print_line(text: str) -> None:
    """Prints where Keras prints: to standard output, or to absl's log; see `keras.config`."""
    if keras.config.is_interactive_logging_enabled():
        print(text, flush=True)
    else:
        logging.info("%s", text)


def _print_stage(name: str, seconds: float | None) -> None:
    if keras.config.is_interactive_logging_enabled():
        print(f"{name} ... " if seconds is None else f"{seconds:.1f} s\n", end="", flush=True)
    elif seconds is not None:
        logging.info("%s: %.1f s", name, seconds)
