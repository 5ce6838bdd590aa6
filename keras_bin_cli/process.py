"""The process of the console script: what signals do to it, and where its standard error goes."""

import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Iterator

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# A signal that is repeated within this many seconds does not interrupt the cleanup that the first
# one started.
_PATIENCE = 3.0
_SHOW_CURSOR = "\r\x1b[2K\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal has interrupted the work.

    Attributes:
        number: the number of the signal.
    """

    def __init__(self, number: int = signal.SIGINT):
        super().__init__(_words(number))
        self.number = number

    @property
    def exit_code(self) -> int:
        """The exit code that shells expect of a program that the signal has ended."""
        return _exit_code(self.number)


class Process:
    """Signals and standard error of this process.

    While it starts, there is nothing to clean up: a signal ends it at once, so that no library can
    swallow the exception during its import. While it works, a signal raises `Interrupted`. After
    that, signals are ignored until the process has ended.

    Args:
        json: whether to print a JSON object when a signal ends the process at once.
    """

    def __init__(self, json: bool = False):
        self._json = json
        self._number: int | None = None
        self._since = 0.0
        self._held = False
        self._open_standard_streams()
        self._errors = os.dup(2)
        # Python writes to the terminal even while file descriptor 2 points elsewhere.
        sys.stderr = open(self._errors, "w", buffering=1, errors="backslashreplace")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        # Signals that the caller ignores, as nohup does, stay ignored.
        self._signals = [each for each in _SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
        self._answer(self._end_at_once)

    @contextlib.contextmanager
    def starting(self, debug: bool) -> Iterator[None]:
        """Holds back what C and C++ code prints to standard error, unless the start fails.

        Args:
            debug: whether to print it in any case.
        """
        if debug:
            yield
            return
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # once TensorFlow has started
        import tempfile

        with tempfile.TemporaryFile() as log:
            os.dup2(log.fileno(), 2)
            try:
                yield
            except BaseException:
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace"))
                raise
            finally:
                os.dup2(self._errors, 2)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Makes signals raise `Interrupted`; they are ignored afterwards.

        Raises:
            Interrupted: there was a signal, whatever has happened to its exception.
        """
        hooks = sys.excepthook, sys.unraisablehook
        sys.excepthook = self._print_error
        sys.unraisablehook = self._print_unraisable
        self._answer(self._raise)
        try:
            yield
            if not self._held:
                self.check()
        except Exception as error:
            if self._number is not None:  # C++ has turned its exception into this one
                raise Interrupted(self._number) from error
            raise
        finally:
            self._answer(signal.SIG_IGN)
            sys.excepthook = hooks[0]
            if self._number is None:  # finalizers run until Python ends
                sys.unraisablehook = hooks[1]

    def hold(self) -> None:
        """Makes signals wait for the next check, because the work is done."""
        self._held = True

    def check(self) -> None:
        """Raises `Interrupted` if there was a signal that was held, or that C++ has swallowed."""
        self._held = False
        if self._number is not None:
            raise Interrupted(self._number)

    def end(self) -> None:
        """Ignores signals, and flushes output so that nothing fails when Python ends."""
        self._answer(signal.SIG_IGN)
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def _answer(self, handler):
        for number in self._signals:
            signal.signal(number, handler)

    def _end_at_once(self, number, _frame):
        if os.isatty(self._errors):
            self._write(self._errors, _SHOW_CURSOR)
        self._write(self._errors, f"keras-bin: error: {_words(number)}\n")
        if self._json:
            import json

            error = {"type": "KeyboardInterrupt", "message": _words(number)}
            self._write(1, f"{json.dumps({'error': error}, indent=2)}\n")
        os._exit(_exit_code(number))

    def _raise(self, number, _frame):
        now = time.monotonic()
        if self._held:
            self._number = number
        elif self._number is None or now > self._since + _PATIENCE:
            self._number, self._since = number, now
            raise Interrupted(number)

    def _print_error(self, kind, error, traceback):
        """Repeats a signal whose exception C++ code catches and prints."""
        if not self._raise_again(error):
            sys.__excepthook__(kind, error, traceback)

    def _print_unraisable(self, unraisable):
        """Repeats a signal whose exception cannot be caught, as in a finalizer.

        After a signal, finalizers may fail because it has interrupted constructors.
        """
        if not self._raise_again(unraisable.exc_value) and self._number is None:
            sys.__unraisablehook__(unraisable)

    def _raise_again(self, error):
        """Repeats a signal soon if an error comes from it; returns whether it does.

        An error that occurs while a signal is handled has it as its context, not as its cause.
        """
        while error is not None and not isinstance(error, Interrupted):
            error = error.__cause__
        if error is None:
            return False
        import threading

        self._since = -_PATIENCE
        threading.Timer(0.01, signal.raise_signal, [error.number]).start()
        return True

    @staticmethod
    def _open_standard_streams():
        """Opens standard streams that the caller has closed, so that no file takes their place."""
        for stream in ("stdin", "stdout", "stderr"):
            if getattr(sys, stream) is None:
                setattr(sys, stream, open(os.devnull, "r" if stream == "stdin" else "w"))

    @staticmethod
    def _write(descriptor, text):
        with contextlib.suppress(OSError):
            os.write(descriptor, text.encode())


def _words(number):
    return "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


def _exit_code(number):
    return 128 + number
