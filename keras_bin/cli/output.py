"""Where results, progress, warnings and errors of a command are printed."""

import json
import sys
import traceback
from typing import Any

from rich.console import Console

from keras_bin.export import VerificationError

# Wide enough for every table, where there is no terminal with a width.
FILE_WIDTH = 160

_EXPECTED = (ImportError, OSError, RuntimeError, TypeError, ValueError)


class Output:
    """Prints results to standard output, everything else to standard error.

    Args:
        json: whether results are one JSON object, which `close` prints.
        quiet: whether to print errors only.
        debug: whether to print the traceback of an error.

    Attributes:
        data: what the JSON object holds; commands add to it.
    """

    def __init__(self, json: bool = False, quiet: bool = False, debug: bool = False):
        self._json = json
        self._quiet = quiet
        self._debug = debug
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._shown: list[Any] = []
        self.data: dict[str, Any] = {}

    def show(self, *results) -> None:
        """Prints texts and tables, unless JSON or nothing is to be printed."""
        if self._json or self._quiet:
            return
        self._shown += results
        console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
        for result in results:
            if isinstance(result, str):
                console.print(result, markup=False, soft_wrap=True)
            else:
                console.print(result)

    def status(self, message: str):
        """Returns a context that shows on a terminal what is being done."""
        return self._progress.status(message)

    def warn(self, message) -> None:
        """Prints a warning."""
        self._progress.print(f"keras-bin: warning: {message}", markup=False)

    def fail(self, error: BaseException) -> None:
        """Prints an error in one line, and adds it to the JSON object."""
        if self._debug:
            self._errors.print("".join(traceback.format_exception(error)), markup=False, end="")
        self._errors.print(f"keras-bin: error: {self._line(error)}", markup=False)
        self.data["error"] = {"type": type(error).__name__, "message": str(error)}

    def close(self) -> None:
        """Prints the JSON object, if one is asked for.

        Raises:
            OSError: standard output cannot be written to.
        """
        if self._json:
            print(json.dumps(self.data, indent=2, allow_nan=False), flush=True)

    def _line(self, error):
        if isinstance(error, VerificationError):
            if any(error.verification is result for result in self._shown):
                return f"{error.args[0].removesuffix(':')} in the table"
            message = f"{error.args[0]} {'; '.join(error.differences)}"
        elif isinstance(error, KeyboardInterrupt):
            message = "interrupted"
        elif isinstance(error, _EXPECTED):
            message = str(error)
        else:
            message = f"{type(error).__name__}: {error} (--debug shows where)"
        return message if self._debug else " ".join(message.split())
