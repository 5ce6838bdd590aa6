"""keras_bin.json: what a version holds, and what was checked."""

import datetime
import hashlib
import json
import platform

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bin
from keras_bin.export.files.manifest import MANIFEST_FILE
from keras_bin.export.saved_models.manifest import manifest, source_file, write_manifest

CONTENT = {
    "name": "net",
    "inputs": [{"name": "größer", "shape": [None, 2], "dtype": "float32"}],
    "outputs": [{"name": "y", "shape": [None], "dtype": "string"}],
    "given_names": {"inputs": ["größer"], "outputs": None},
    "checks": {"values": {"max_abs": 1e-7}, "structure": ["signatures are equal"]},
    "layers": [{"layer": "bin", "became": "affine map"}],
    "rho": [{"layer": "bin", "mean": 0.5}],
    "runtime": "openvino",
}


def no_constant(name):
    raise AssertionError(f"{name} is not JSON")


def written(folder, **changes):
    write_manifest(folder, manifest(**{**CONTENT, **changes}))
    return json.loads((folder / MANIFEST_FILE).read_text("utf-8"), parse_constant=no_constant)


def test_what_was_given_is_read_back(tmp_path):
    content = written(tmp_path, source={"file": "net.keras", "sha256": "00"})
    assert MANIFEST_FILE == "keras_bin.json"
    assert content["model"] == {
        key: CONTENT[key] for key in ("name", "inputs", "outputs", "given_names")
    }
    assert {key: content[key] for key in ("checks", "layers", "rho", "runtime")} == {
        key: CONTENT[key] for key in ("checks", "layers", "rho", "runtime")
    }
    assert content["source"] == {"file": "net.keras", "sha256": "00"}


def test_versions_are_those_in_use(tmp_path):
    assert written(tmp_path)["versions"] == {
        "keras_bin": keras_bin.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def test_time_is_now_in_utc(tmp_path):
    exported = datetime.datetime.fromisoformat(written(tmp_path)["exported"])
    assert exported.utcoffset() == datetime.timedelta(0)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs(now - exported) < datetime.timedelta(minutes=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_numbers_that_json_lacks_are_refused(value, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        written(tmp_path, rho=[{"mean": float(value)}])
    assert list(tmp_path.iterdir()) == []


def test_source_is_named_and_hashed(tmp_path):
    content = bytes(range(256)) * 10_000
    (tmp_path / "net.keras").write_bytes(content)
    assert source_file(tmp_path / "net.keras") == {
        "file": "net.keras",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.parametrize("name", ["missing.keras", "."])
def test_source_must_be_a_file(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`source` must be the \.keras file") as caught:
        source_file(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
