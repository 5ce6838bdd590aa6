"""Works as `keras-bin` does, in one of several ways; run by test_process.py.

It prints a line when it is ready to be interrupted.
"""

import atexit
import contextlib
import ctypes
import os
import pathlib
import signal
import sys
import time
import warnings

from keras_bin_cli.output import Output
from keras_bin_cli.process import Process


def ready():
    print("ready", flush=True)
    time.sleep(20)


def work(_process, _output):
    folder = pathlib.Path("left")
    folder.mkdir()
    try:
        ready()
    finally:
        signal.raise_signal(signal.SIGINT)  # a second Ctrl-C while all is cleaned up
        folder.rmdir()


def swallow(process, output):
    """Goes on like code that C++ has called, until the next stage."""
    with contextlib.suppress(KeyboardInterrupt):
        ready()
    output.tell("next", None)
    print("went on")


def swallow_last(_process, output):
    """Goes on to the end."""
    with contextlib.suppress(KeyboardInterrupt):
        ready()


def convert(_process, _output):
    """Makes another error of the exception, as C++ does."""
    try:
        ready()
    except KeyboardInterrupt as error:
        raise RuntimeError("UnknownError: KeyboardInterrupt") from error


class Finalized:
    def __del__(self):
        ready()


def finalize(_process, _output):
    """Is interrupted where Python can only print the exception."""
    Finalized()
    go_on()


def go_on():
    for _ in range(200):
        time.sleep(0.1)
    print("went on")


def print_in_c(_process, _output):
    """Is interrupted in Python code whose exceptions its caller, which is C, prints."""
    ctypes.pythonapi.PyRun_SimpleString(b"ready()")
    go_on()


def print_other_in_c(_process, _output):
    """Is interrupted there, too, but what is printed follows from it, as with an import in C."""
    ctypes.pythonapi.PyRun_SimpleString(b"wrap()")
    go_on()


def wrap():
    try:
        ready()
    except KeyboardInterrupt as error:
        raise SystemError("__import__ returned a result with an exception set") from error


class HalfMade:
    def __init__(self):
        ready()
        self.made = True

    def __del__(self):
        assert self.made


def finalize_in_clean_up(_process, _output):
    """Meets an object whose finalizer fails, while it cleans up."""
    folder = pathlib.Path("left")
    folder.mkdir()
    try:
        ready()
    finally:
        HalfMade.__new__(HalfMade)
        time.sleep(0.3)
        folder.rmdir()


def finalize_half_made(_process, _output):
    """Is interrupted in a constructor, whose object lives until Python ends."""
    half_made = [HalfMade.__new__(HalfMade)]
    atexit.register(half_made.clear)
    half_made[0].__init__()


def publish(_process, output):
    """Is interrupted once the file has its name."""
    output.tell("publish", None)
    output.tell("publish", 0.0)
    os.kill(os.getpid(), signal.SIGINT)
    output.show("published")


def publish_twice(process, output):
    publish(process, output)
    output.tell("write", None)
    print("went on")


def start(process, _output):
    with process.starting(debug=False):
        os.write(2, b"TensorFlow starts\n")
        warnings.showwarning("careful", UserWarning, "file", 1)
        ready()


def start_in_vain(process, _output):
    with process.starting(debug=False):
        os.write(2, b"TensorFlow starts\n")
        raise ImportError("no TensorFlow")


def debug(process, _output):
    with process.starting(debug=True):
        os.write(2, b"TensorFlow starts\n")


def main(way, *options):
    process = Process(json="--json" in options)
    output = Output(json="--json" in options, process=process)
    warnings.showwarning = lambda message, *_args: output.warn(message)
    try:
        with contextlib.nullcontext() if "start" in way else process.working():
            globals()[way](process, output)
    except (Exception, KeyboardInterrupt) as error:
        output.fail(error)
    code = output.close()
    process.end()
    os.kill(os.getpid(), signal.SIGINT)  # comes too late
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
