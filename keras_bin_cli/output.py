"""Where results, warnings, stages and errors of a command are printed."""

import contextlib
import sys
from typing import Any

import click

from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.process import Process
from keras_bin_cli.stages import Stages, live, say

# Wide enough for every table, if there is no terminal with a width.
FILE_WIDTH = 160
CLOSED_PIPE = 141  # as shells report a program that a closed pipe has ended
_EXPECTED = (ImportError, OSError, RuntimeError, TypeError, ValueError)


class Output:
    """Keeps results for standard output until `close`; prints everything else to standard error.

    Args:
        json: whether results are one JSON object.
        quiet: whether to print errors only.
        debug: whether to print the traceback of an error.
        lines: whether stages of the work are worth a line if there is no terminal.
        process: this process, if it handles signals itself.

    Attributes:
        data: what the JSON object holds; commands add to it.
        code: the exit code.
    """

    def __init__(
        self,
        json: bool = False,
        quiet: bool = False,
        debug: bool = False,
        lines: bool = False,
        process: Process | None = None,
    ):
        self._json = json
        self._quiet = quiet
        self._debug = debug
        self._stages = Stages(lines)
        self._results: list[Any] = []
        self.data: dict[str, Any] = {}
        self.code = 0
        self._process = process

    def show(self, *results) -> None:
        """Adds texts and tables to the output, unless JSON or nothing is printed."""
        if not (self._json or self._quiet):
            self._results += results

    def warn(self, message) -> None:
        """Prints a warning."""
        if not self._quiet:
            say(f"keras-bin: warning: {message}")

    def tell(self, stage: str, seconds: float | None) -> None:
        """Shows that a stage has begun or ended; see `keras_bin.stages.stages_told`.

        Raises:
            Interrupted: there was a signal; what has been published is no longer interrupted.
        """
        if self._process is not None:
            self._process.hold()
        if not (self._json or self._quiet):
            self._stages.tell(stage, seconds)
        if self._process is not None and (seconds is None or stage != "publish"):
            self._process.check()

    def starting(self) -> contextlib.AbstractContextManager[None]:
        """Shows on a terminal that libraries are being imported."""
        return contextlib.nullcontext() if self._json or self._quiet else live("start")

    def fail(self, error: BaseException) -> None:
        """Prints an error in one line, adds it to the JSON object, and sets the exit code."""
        usage = isinstance(error, click.ClickException)
        if isinstance(error, BrokenPipeError):
            self.code = CLOSED_PIPE
            return
        if self._debug and not usage:
            import traceback

            say("".join(traceback.format_exception(error)).rstrip("\n"))
        say(f"keras-bin: error: {self._line(error)}")
        kind, message, self.code = type(error).__name__, str(error), 1
        if isinstance(error, click.ClickException):
            kind, message, self.code = "UsageError", error.format_message(), error.exit_code
        elif isinstance(error, KeyboardInterrupt):
            kind, self.code = KeyboardInterrupt.__name__, getattr(error, "exit_code", 130)
        self.data["error"] = {"type": kind, "message": message}

    def close(self) -> int:
        """Prints the results, and returns the exit code."""
        try:
            if self._json:
                import json

                print(json.dumps(self.data, indent=2, allow_nan=False))
            elif self._results:
                self._print_results()
            sys.stdout.flush()
        except SystemExit:  # what rich raises for a closed pipe
            self.code = CLOSED_PIPE
        except OSError as error:  # a full disk, or a closed pipe
            self.fail(error)
        return self.code

    def _print_results(self):
        from rich.console import Console

        console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
        for result in self._results:
            if isinstance(result, str):
                print(result)
            else:
                console.print(result)

    def _line(self, error):
        verification = getattr(error, "verification", None)
        if any(verification is result for result in self._results):
            return f"{error.args[0].removesuffix(':')} in the table"
        if isinstance(error, click.ClickException):
            message = f"{error.format_message()}{_hint(error)}"
        elif hasattr(error, "differences"):
            message = f"{error.args[0]} {'; '.join(error.differences)}"
        elif isinstance(error, KeyboardInterrupt):
            message = str(error) or "interrupted"
        elif isinstance(error, _EXPECTED):
            message = str(error)
        else:
            message = f"{type(error).__name__}: {error} (--debug shows where)"
        return message if self._debug else " ".join(message.split())


def _hint(error):
    """Returns where to read more, unless the error itself says what to do."""
    if isinstance(error, WrongArguments) or type(error) is click.BadParameter or error.ctx is None:
        return ""
    return f" (see {error.ctx.command_path} --help)"
