"""Marks tests of what only newer versions of Keras or another package do."""

import importlib.metadata

import keras
import pytest
from packaging.version import Version


def needs_keras(version, lacking):
    """Returns a marker that skips a test on versions of Keras before `version`.

    Args:
        version: the first version that does what the test is about.
        lacking: what earlier versions do or leave out, as in "takes no None".
    """
    return pytest.mark.skipif(
        Version(keras.__version__) < Version(version), reason=f"Keras before {version} {lacking}"
    )


def needs_version(package, version, lacking):
    """Returns such a marker for another package, which need not be installed."""
    try:
        older = Version(importlib.metadata.version(package)) < Version(version)
    except importlib.metadata.PackageNotFoundError:
        older = False
    return pytest.mark.skipif(older, reason=f"{package} before {version} {lacking}")


REPORTS_OF_REPLICAS = needs_keras("3.10", "reports wrong losses and metrics of several replicas")
