"""A fresh process that runs SavedModels without Keras, as TensorFlow Serving does."""

import contextlib
import functools
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_bin.networks.signature import Signature, TensorInfo

from ..results.errors import VerificationError
from ..verifying.artifact import Artifact
from . import serving_program

_LINES = 20


class ServingProcess:
    """Loads SavedModels in another process, one at a time, and runs them on its CPU."""

    def __init__(self, process: subprocess.Popen, folder: Path):
        self._process = process
        self._folder = folder

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def load(self, path: Path) -> Artifact:
        """Loads a SavedModel, which replaces the previous one.

        Raises:
            VerificationError: the process cannot load it, or has ended; the message includes what
                the process printed. The artifact's `run` raises the same error.
        """
        name = str(path.absolute())
        signature = Signature(*map(_infos, self._ask("load", name)))
        return Artifact(signature, functools.partial(self._ask, "run", name))

    def _ask(self, method, *arguments):
        try:
            pickle.dump((method, arguments), self._process.stdin, serving_program.PROTOCOL)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        try:
            result, error = pickle.load(self._process.stdout)
        except EOFError:
            raise self._death() from None
        except Exception:  # it died in the middle of a reply, or printed text, which pickle reads
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
    """Starts a Python process that has TensorFlow but not Keras; the `with` block ends it.

    It runs the source of `serving_program` in an empty folder, so it imports neither modules of
    the caller nor its `__main__`. It ends when this process ends, however that happens.

    Args:
        folder: holds its files in the meantime. If this process is killed, they stay, and the
            caller has to remove them.

    Raises:
        RuntimeError: `sys.executable` cannot be started.
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
            with contextlib.suppress(BrokenPipeError):  # a request that was not read
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
            start_new_session=True,  # Ctrl-C interrupts only the caller
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
        "Serving does; replace the layer that it names. It says:",
        list(lines),
    )
