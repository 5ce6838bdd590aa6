"""What all runtimes have in common, and what becomes of a test where one is missing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import pytest

from tests.runtimes.cases import Exported, unwritable

EXTRA = "install it with: pip install -e '.[runtimes]'"


class Served(NamedTuple):
    """What a runtime made of an artifact.

    Attributes:
        inputs: shapes by name as the runtime states them, None where a size is free.
        outputs: likewise.
        results: outputs by name, for each batch.
    """

    inputs: dict[str, tuple]
    outputs: dict[str, tuple]
    results: list[dict[str, np.ndarray]]


class Runtime(NamedTuple):
    """A program that runs exported models.

    Attributes:
        name: what people call it.
        artifacts: the formats that it reads, keys of `FORMATS`.
        missing: returns what it lacks on this machine and how to get that, or None.
        version: returns its version.
        serve: runs all batches of an exported case in one of the formats; the folder is for
            its files.
    """

    name: str
    artifacts: tuple[str, ...]
    missing: Callable[[], str | None]
    version: Callable[[], str]
    serve: Callable[[Exported, str, Path], Served]


def missing(runtime: Runtime, artifact: str) -> str | None:
    """Returns why the artifact cannot be written or run here, or None."""
    return unwritable(artifact) or runtime.missing()


def require(runtime: Runtime, artifact: str) -> None:
    """Skips a test whose runtime is missing; with KERAS_BIN_REQUIRE_RUNTIMES=1, fails it.

    An artifact that cannot be written, whatever is installed, is skipped in any case.
    """
    reason = missing(runtime, artifact)
    if reason is None:
        return
    if unwritable(artifact):
        pytest.skip(reason)
    skip_or_fail(reason)


def skip_or_fail(reason: str) -> NoReturn:
    """Skips a test that something is missing for; with KERAS_BIN_REQUIRE_RUNTIMES=1, fails it."""
    if os.environ.get("KERAS_BIN_REQUIRE_RUNTIMES") == "1":
        pytest.fail(f"KERAS_BIN_REQUIRE_RUNTIMES is 1, but {reason}")
    pytest.skip(reason)
