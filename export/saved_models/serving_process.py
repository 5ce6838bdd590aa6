"""A fresh process that runs a SavedModel as TensorFlow Serving would, without Keras."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..models.signature import Signature, TensorInfo
from ..results.errors import VerificationError
from ..verifying.artifact import Artifact
from . import serving_program
from .serving_program import load_arrays, save_arrays

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
            OSError: the process cannot read or write its files.
            VerificationError: the process cannot load it, or has ended; its own words are in
                the message. The artifact's `run` raises the same.
        """
        path = str(path.absolute())
        signature = self._ask(do="load", path=path)

        def run(inputs):
            given, got = (str(self._folder / f"{side}.npz") for side in ("inputs", "outputs"))
            save_arrays(given, inputs)
            self._ask(do="run", path=path, inputs=given, outputs=got)
            return load_arrays(got)

        return Artifact(Signature(*(_infos(signature[side]) for side in Signature._fields)), run)

    def _ask(self, **request):
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            reply = self._process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            code = self._process.wait()
            raise _error(f"it ended with code {code}", *self._last_words())
        reply = json.loads(reply)
        if reply.get("errno"):
            raise OSError(
                reply["errno"],
                f"A fresh process that runs the SavedModel says: {reply['error']}",
                str(self._folder),
            )
        if "error" in reply:
            raise _error(*reply["error"].splitlines()[:_LINES])
        return reply

    def _last_words(self):
        text = (self._folder / "errors.txt").read_text(errors="replace")
        return text.splitlines()[-_LINES:]


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
            text=True,
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
