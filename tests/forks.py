"""Programs in processes of their own that need not import TensorFlow and Keras first."""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile

from tests.structure import ROOT


class Fork:
    """A program that runs, and whose standard error can be read; one runs at a time.

    Args:
        command: as for `subprocess.Popen`, with `-m` or `-c` after the Python.
        cwd: the folder it runs in.
        env: variables of its environment, beside those of the first program.
        stdout: a file or descriptor.
    """

    def __init__(self, command, cwd=".", env=None, stdout=subprocess.DEVNULL):
        python, how, *words = map(str, command)
        assert python == sys.executable
        self.stderr, errors = _pipe()
        self._status, status = _pipe()
        with open(os.devnull, "w") as nowhere:
            output = nowhere if stdout == subprocess.DEVNULL else stdout
            descriptor = output if isinstance(output, int) else output.fileno()
            asked = json.dumps([how, words, os.path.abspath(cwd), env or {}]).encode()
            socket.send_fds(_connection(), [asked], [descriptor, errors, status])
        os.close(errors)
        os.close(status)
        self._pid = int(self._status.readline())

    def send_signal(self, number):
        os.kill(self._pid, number)

    def end(self):
        """Waits until it has ended; returns its exit code and what it still wrote to stderr."""
        with self.stderr, self._status:
            errors = self.stderr.read()
            return int(self._status.readline()), errors


def _pipe():
    """Returns a file to read from and a descriptor to write to."""
    reading, writing = os.pipe()
    return os.fdopen(reading), writing


def run(command, cwd=".", env=None, check=False, **_of_the_outputs):
    """Runs a program as `subprocess.run` does with `capture_output` and `text`."""
    with tempfile.TemporaryFile("w+") as output:
        code, errors = Fork(command, cwd, env, output).end()
        output.seek(0)
        done = subprocess.CompletedProcess(command, code, output.read(), errors)
    if check:
        done.check_returncode()
    return done


@functools.cache
def _connection():
    """Starts the process that forks, which ends with this one."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_program", str(theirs.fileno())],
        cwd=ROOT,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def end():
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
