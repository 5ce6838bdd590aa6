"""Fixtures of the tests of ONNX files."""

import functools

import pytest

from tests.export.onnx_files.lowered import write


@pytest.fixture
def lowered(tmp_path):
    """Writes a model to an ONNX file; returns the file and how to run it."""
    return functools.partial(write, path=tmp_path / "model.onnx")
