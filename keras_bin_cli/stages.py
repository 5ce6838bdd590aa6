"""Standard error: lines, and the stages of the work."""

import contextlib
import sys
from collections.abc import Iterator


def say(text: str) -> None:
    """Prints a line to standard error, if that can be written to."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class Stages:
    """Shows each stage and its time: live on a terminal, as a line elsewhere.

    Args:
        lines: whether stages are worth a line if there is no terminal.
    """

    def __init__(self, lines: bool):
        self._lines = lines
        self._live = contextlib.ExitStack()

    def tell(self, name: str, seconds: float | None) -> None:
        """Begins or ends a stage; see `keras_bin.stages.stages_told`."""
        self._live.close()
        if sys.stderr.isatty():
            if seconds is None:
                self._live.enter_context(live(name))
        elif self._lines and seconds is not None:
            say(f"keras-bin: {name}: {seconds:.1f} s")


@contextlib.contextmanager
def live(name: str) -> Iterator[None]:
    """Shows a stage and its time while it runs, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(name, total=None)
        yield
