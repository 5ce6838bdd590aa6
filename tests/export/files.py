"""Staged files and folders, and disks that fail or are watched."""

import contextlib
import os
import resource


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
