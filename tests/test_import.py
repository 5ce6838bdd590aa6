"""`import keras_bin` is light: it brings in nothing that only the exporter or a picture needs."""

import subprocess
import sys

import pytest

import keras_bin

HEAVY = ["keras_bin.export", "matplotlib", "onnx", "onnxruntime", "tf2onnx"]
# Keras imports matplotlib by itself where it is installed, so that is forgotten first.
PROGRAM = """
import sys, keras
heavy = {heavy!r}
for name in list(sys.modules):
    if name.split(".")[0] in heavy:
        del sys.modules[name]
{statement}
print([name for name in heavy if name in sys.modules])
"""


def imported_by(statement):
    """Returns which of the heavy modules a fresh Python imports in `statement`."""
    program = PROGRAM.format(heavy=HEAVY, statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy():
    assert imported_by("import keras_bin") == "[]"


@pytest.mark.slow
def test_the_check_can_fail():
    found = imported_by("import keras_bin, onnx, onnxruntime\nfrom matplotlib.figure import Figure")
    assert found == "['matplotlib', 'onnx', 'onnxruntime']"


@pytest.mark.slow
def test_the_check_sees_the_exporter():
    found = imported_by("import keras_bin.export")
    assert "keras_bin.export" in found


@pytest.mark.parametrize("name", keras_bin.__all__)
def test_public_name_is_there(name):
    assert getattr(keras_bin, name).__name__ == name


def test_public_names_are_sorted_and_once():
    assert keras_bin.__all__ == sorted(set(keras_bin.__all__))
