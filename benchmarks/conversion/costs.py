"""The CPU time and memory that something takes."""

import contextlib
import ctypes
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from benchmarks.fresh_training import peak_bytes

Result = TypeVar("Result")
RESET = Path("/proc/self/clear_refs")  # 5 sets the peak to what is held now


def raised_peak(run: Callable[[], Result]) -> tuple[Result, int | None]:
    """Runs a function; returns its result, and by how many bytes it raised the peak memory.

    The bytes are None if Linux does not report them.
    """
    gc.collect()
    if not RESET.exists():
        return run(), None
    ctypes.CDLL(None).malloc_trim(0)  # otherwise, freed memory counts as held
    RESET.write_text("5")
    before = peak_bytes()
    result = run()
    return result, peak_bytes() - before


def cpu_seconds(run: Callable[[], object]) -> float:
    """Returns the CPU seconds that a call takes, without the garbage of earlier ones."""
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


@contextlib.contextmanager
def only_new_garbage() -> Iterator[None]:
    """Lets the garbage collector look only at what is made inside a `with` block."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Clock:
    """Counts the calls of a function, and the CPU seconds that they take.

    Args:
        module: where the name of the function is looked up.
        name: that name.
    """

    def __init__(self, module: ModuleType, name: str):
        self._module, self._name = module, name
        self.calls, self.seconds = 0, 0.0

    def __enter__(self):
        self._function = getattr(self._module, self._name)
        setattr(self._module, self._name, self._timed)
        return self

    def __exit__(self, *raised):
        setattr(self._module, self._name, self._function)

    def _timed(self, *arguments, **named):
        self.calls += 1
        start = time.process_time()
        try:
            return self._function(*arguments, **named)
        finally:
            self.seconds += time.process_time() - start
