"""Staged files and folders, files of other programs, and disks that fail or are watched."""

import contextlib
import os
import resource

from onnx import TensorProto, helper


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def folder_of(staged, text="new"):
    """Writes a folder as an exporter does."""
    (staged / "model").mkdir()
    (staged / "model" / "file").write_text(text)
    return staged / "model"


def file_of(staged, text="new"):
    """Writes a file as an exporter does."""
    (staged / "model").write_text(text)
    return staged / "model"


def fail(code, message=None):
    """Returns a function that fails with an error of the system."""

    def raise_error(*_arguments, **_keywords):
        raise OSError(code, message or os.strerror(code))

    return raise_error


def fail_at(step, code, monkeypatch):
    """Lets the fsync that comes after `step` others fail."""
    sync, steps = os.fsync, iter(range(step + 1))

    def sync_or_fail(descriptor):
        if next(steps, None) == step:
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_or_fail)


def files_synced(monkeypatch):
    """Returns a list to which every fsync from now on adds the inode of its file."""
    sync, synced = os.fsync, []

    def record(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return synced


@contextlib.contextmanager
def no_room(size):
    """Lets no file grow beyond `size` bytes, as on a disk that is nearly full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def sequence_model():
    """Returns an ONNX model with an output that is a sequence, not a tensor."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("SequenceConstruct", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
