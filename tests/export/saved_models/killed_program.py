"""Exports or prunes, and stops at a stage, to be killed there; run by test_writer_killed.py.

Reads lines of a stage and a folder, and does each in a fork, as importing takes seconds.
"""

import contextlib
import os
import signal
import sys
import types

from keras_bin.export import export_saved_model, prune
from keras_bin.export.files import exchange
from keras_bin.export.preparation import Preparation
from keras_bin.export.saved_models import writer
from keras_bin.export.verifying.artifact import load_artifact
from tests.export.kinds import bin_model


@contextlib.contextmanager
def in_process(_folder):
    yield types.SimpleNamespace(load=load_artifact)


def stop(*_arguments, **_keywords):
    print("stopped", os.getpid(), flush=True)
    signal.pause()


def stop_after(holder, name):
    function = getattr(holder, name)
    setattr(holder, name, lambda *given, **named: stop(function(*given, **named)))


def stop_at_call(holder, name, number):
    function, calls = getattr(holder, name), iter(range(1, number))

    def call(*arguments, **keywords):
        return stop() if next(calls, None) is None else function(*arguments, **keywords)

    setattr(holder, name, call)


def stop_between_renames():
    exchange._exchange_in_one_step = lambda *_paths: False
    stop_at_call(os, "rename", 2)


STAGES = {
    "traced": lambda: stop_after(Preparation, "graph"),
    "written": lambda: stop_after(writer, "_write"),
    "verified": lambda: stop_after(writer, "compare"),
    "described": lambda: stop_after(writer, "write_manifest"),
    "half synced": lambda: stop_at_call(os, "fsync", 3),
    "renamed": lambda: stop_after(os, "rename"),
    "replacing": stop_between_renames,
    "replaced": lambda: stop_after(exchange, "_exchange_in_one_step"),
    "pruning": lambda: stop_after(os, "rename"),
    "deleting": lambda: stop_at_call(os, "unlink", 2),
}


def main():
    writer.serving_process = in_process
    print("ready", flush=True)
    for line in sys.stdin:
        stage, base = line.rstrip("\n").split("|")
        child = os.fork()
        if child == 0:
            STAGES[stage]()
            if stage in ("pruning", "deleting"):
                prune(base, keep=1)
            else:
                version = 1 if stage in ("replacing", "replaced") else None
                export_saved_model(
                    bin_model(0.5), base, version, overwrite=version is not None, verbose=False
                )
            print("not stopped", flush=True)
            os._exit(1)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
