"""`import keras_bin` is light: it brings in nothing that only the exporter or a picture needs."""

import sys

import pytest

import keras_bin
from tests.forks import run
from tests.structure import ROOT

HEAVY = ["keras_bin.export", "matplotlib", "onnx", "onnxruntime", "tf2onnx"]


def imported_by(statement):
    """Returns which of the heavy modules a Python that has imported Keras alone imports."""
    done = run([sys.executable, "-m", "tests.import_program", statement, *HEAVY], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy():
    assert imported_by("import keras_bin") == "[]"


@pytest.mark.slow
def test_the_check_can_fail():
    names = ", ".join(HEAVY)
    assert imported_by(f"import {names}") == str(HEAVY)


@pytest.mark.parametrize("name", keras_bin.__all__)
def test_public_name_is_there(name):
    assert getattr(keras_bin, name).__name__ == name


def test_public_names_are_sorted_and_once():
    assert keras_bin.__all__ == sorted(set(keras_bin.__all__))
