"""Standard error: lines, and what is being done."""

import contextlib
import sys
import time
from collections.abc import Iterator


def say(text: str) -> None:
    """Prints a line to standard error, if that can be written to."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def show_stage(name: str, brief: bool) -> Iterator[None]:
    """Shows a stage and its time while it runs on a terminal; elsewhere in a line, if not brief."""
    if sys.stderr.isatty():
        with _live(name):
            yield
        return
    begun = time.perf_counter()
    yield
    if not brief:
        say(f"keras-bin: {name}: {time.perf_counter() - begun:.1f} s")


@contextlib.contextmanager
def _live(name):
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(name, total=None)
        yield
