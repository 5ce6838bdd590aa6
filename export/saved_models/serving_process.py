"""A fresh process that runs a SavedModel as TensorFlow Serving would, without Keras."""

import contextlib
import functools
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..models.signature import Signature, TensorInfo
from ..results.errors import VerificationError
from ..verifying.artifact import Artifact
from . import serving_program

_LINES = 20


class ServingProcess:
    """Loads SavedModels in another process, one at a time, and runs them there on the CPU."""

    def __init__(self, process: subprocess.Popen, folder: Path):
        self._process = process
        self._folder = folder

    @property
    def alive(self) -> bool:
        """Whether the process can be asked for more."""
        return self._process.poll() is None

    def load(self, path: Path) -> Artifact:
        """Loads a SavedModel in place of the one before.

        Raises:
            VerificationError: the process cannot load it, or has ended; its own words are in
                the message. The artifact's `run` raises the same.
        """
        name = str(path.absolute())
        signature = Signature(*map(_infos, self._ask("load", name)))
        return Artifact(signature, functools.partial(self._ask, "run", name))

    def _ask(self, method, *arguments):
        try:
            pickle.dump((method, arguments), self._process.stdin, serving_program.PROTOCOL)
            self._process.stdin.flush()
            result, error = pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError):
            raise self._death() from None
        except pickle.UnpicklingError:  # a part of a reply, or something else was printed
            self._process.kill()
            raise self._death() from None
        if error is not None:
            raise _error(*error.splitlines()[:_LINES])
        return result

    def _death(self):
        code = self._process.wait()
        text = (self._folder / "errors.txt").read_text(errors="replace")
        return _error(f"it ended with code {code}", *text.splitlines()[-_LINES:])


@contextlib.contextmanager
def serving_process(folder: Path) -> Iterator[ServingProcess]:
    """Starts a Python with TensorFlow alone, and ends it with the `with` block.

    It starts in an empty folder and from source, so that neither the caller's modules nor its
    `__main__` come into it. It ends when this process does, however that ends.

    Args:
        folder: where its files lie meanwhile; what is left there if this process is killed is
            the caller's to remove.

    Raises:
        RuntimeError: no process can be started from `sys.executable`.
    """
    program = Path(serving_program.__file__).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="serving-", dir=folder.absolute()) as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        with open(folder / "errors.txt", "w") as errors:
            process = _start(program, folder / "empty", errors)
        try:
            yield ServingProcess(process, folder)
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):  # of a request that nobody has read
                process.stdin.close()
            process.stdout.close()
            process.wait()


def _start(program, folder, errors):
    try:
        return subprocess.Popen(
            [sys.executable or "", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
            start_new_session=True,  # an interrupt from the keyboard is the caller's
        )
    except OSError as error:
        raise RuntimeError(
            "A SavedModel is verified in a fresh process of the Python that `sys.executable` "
            "names; set it to the path of a Python with TensorFlow. "
            f"Received: sys.executable={sys.executable!r}; the system says: {error}"
        ) from error


def _infos(entries):
    return tuple(TensorInfo(name, tuple(shape), dtype) for name, shape, dtype in entries)


def _error(*lines):
    return VerificationError(
        "A fresh process without Keras must be able to load and run the SavedModel, as TensorFlow "
        "Serving would; replace the layer that it names. It says:",
        list(lines),
    )
