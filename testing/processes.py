"""Programs that run in several processes together, and what each of them prints as JSON."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port():
    """Returns a port of the loopback that nothing listens on."""
    return free_ports(1)[0]


def free_ports(number):
    """Returns different ports of the loopback that nothing listens on."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def run_together(commands, folder, env, seconds=240):
    """Runs commands of a Python, each in its own process; returns the last line of each, as JSON.

    One that fails, or the deadline, ends all, as the others would wait for it.

    Args:
        commands: the arguments of each process, `-m` and a module first.
        folder: where their outputs go.
        env: variables of their environment besides those of this process.
        seconds: the deadline.

    Raises:
        RuntimeError: a process failed, or was not done in time; with all standard errors.
    """
    with contextlib.ExitStack() as stack:
        outputs, running = [], []
        for number, command in enumerate(commands):
            streams = [folder / f"{number}.{name}" for name in ("out", "err")]
            files = [stack.enter_context(path.open("w")) for path in streams]
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=files[0],
                stderr=files[1],
                start_new_session=True,
            )
            stack.callback(_end, process)
            outputs.append(streams)
            running.append(process)
        deadline = time.monotonic() + seconds
        while (codes := [process.poll() for process in running]) != [0] * len(running):
            if any(codes) or time.monotonic() > deadline:
                said = "\n".join(errors.read_text()[-4000:] for _, errors in outputs)
                raise RuntimeError(f"exit codes {codes}\n{said}")
            time.sleep(0.1)
    return [json.loads(output.read_text().splitlines()[-1]) for output, _ in outputs]


def _end(process):
    """Ends a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
