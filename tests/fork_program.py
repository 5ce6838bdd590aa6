"""Runs Python programs in forks, as importing TensorFlow and Keras takes seconds; see forks.py."""

import json
import os
import runpy
import signal
import socket
import sys

import keras  # noqa: F401
import tensorflow as tf  # noqa: F401


def become(how, words, folder, settings, outputs):
    """Makes this process what `python HOW WORD...` is in a folder, and runs that."""
    for number, descriptor in enumerate(outputs, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.update(settings)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program, *arguments = words
    sys.argv = [how, *arguments]
    sys.path[0] = ""
    if how == "-c":
        exec(program, {"__name__": "__main__"})
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def main(descriptor):
    connection = socket.socket(fileno=int(descriptor))
    while True:
        asked, descriptors, *_ = socket.recv_fds(connection, 1 << 16, 3)
        if not asked:
            return
        child = os.fork()
        if child == 0:
            connection.close()
            *outputs, status = descriptors
            os.close(status)
            become(*json.loads(asked), outputs)
            return
        for output in descriptors[:2]:
            os.close(output)
        with os.fdopen(descriptors[2], "w", buffering=1) as status:
            print(child, file=status)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=status)


if __name__ == "__main__":
    main(*sys.argv[1:])
