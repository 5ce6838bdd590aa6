"""Fixtures for the tests of files."""

import gc

import pytest


@pytest.fixture
def no_collection():
    """Keeps finalizers of other tests' garbage away from a stack that is about to overflow."""
    gc.disable()
    yield
    gc.enable()
