"""What the results say of the machine."""

import sys

import pytest

import keras_bin
from benchmarks.environment import PACKAGES, cpu_name, device, installed, slug, versions


def test_cpu_name_is_read_where_linux_tells_it(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast CPU 9\n\nmodel name\t: Fast CPU 9\n")
    assert cpu_name(cpuinfo) == "Fast CPU 9"


@pytest.mark.parametrize("text", [None, "Processor : unknown\n"], ids=["no file", "no model"])
def test_cpu_has_a_name_everywhere(tmp_path, monkeypatch, text):
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert cpu_name(tmp_path / "cpuinfo") == "arm64"


def test_device_names_processor_and_accelerator():
    found = device("GPU 7")
    assert found["accelerator"] == "GPU 7"
    assert found["cores"] >= 1
    assert found["cpu"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("AMD EPYC 7B13", "amd-epyc-7b13"), ("Intel(R) Xeon(R) @ 2.2GHz", "intel-r-xeon-r-2-2ghz")],
)
def test_slug(name, expected):
    assert slug(name) == expected


def test_versions_name_all_packages(monkeypatch):
    monkeypatch.setattr("benchmarks.environment.PACKAGES", (*PACKAGES, "no-such-package"))
    found = versions()
    assert list(found) == ["python", *PACKAGES, "no-such-package", "keras-bin"]
    assert found["no-such-package"] == "not installed"
    assert found["keras-bin"] == keras_bin.__version__


def test_installed_imports_nothing():
    assert installed("this")
    assert not installed("no_such_package")
    assert "this" not in sys.modules
