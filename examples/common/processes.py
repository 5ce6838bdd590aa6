"""Runs of one program in several processes that train together."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence


def free_ports(number: int) -> list[int]:
    """Returns different ports of this machine that nothing listens on."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def run_processes(
    program: str, arguments: Sequence[str] | None, environments: Sequence[Mapping[str, str]]
) -> int:
    """Runs a program in several processes; if one fails, it ends the others.

    Args:
        program: the program's file.
        arguments: its arguments, None for those of this process.
        environments: what each process finds in its environment besides that of this one.

    Returns:
        0 if all have ended with 0, otherwise 1.
    """
    command = [sys.executable, program, *(sys.argv[1:] if arguments is None else arguments)]
    running = [
        subprocess.Popen(command, env={**os.environ, **environment}) for environment in environments
    ]
    try:
        while None in (codes := [process.poll() for process in running]) and not any(codes):
            time.sleep(0.1)
        return int(any(codes))
    finally:
        for process in running:
            process.kill()
            process.wait()
