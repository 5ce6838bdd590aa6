"""Runs as the options ask for them: on what, in which files, and what is refused."""

import keras
import pytest
import tensorflow as tf

from common.run_files import Run
from fashion.runs import make_runs_or_end, read_experiment, runs_folder, set_up_backend
from fashion.tasks import mixed_styles
from tests.examples.fashion.command_line import parser, read, refused
from tests.examples.programs import make_fashion


@pytest.mark.parametrize("deterministic", [True, False])
def test_settings_say_what_runs_are_made_on(deterministic, tmp_path, monkeypatch):
    switched = []
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: switched.append(True)
    )
    options = read(tmp_path, *(["--deterministic"] if deterministic else []))
    expected = {"backend": "tensorflow", "deterministic": deterministic}
    assert set_up_backend(parser(), options) == expected
    assert switched == [True] * deterministic


def test_deterministic_is_of_tensorflow(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(SystemExit, match="2"):
        set_up_backend(parser(), read(tmp_path, "--deterministic"))
    assert "needs TensorFlow as Keras's backend" in refused(capsys)


PLAN = [Run("one", lambda folder, bar: {"folder": bool(folder)})]


@pytest.mark.parametrize("data", ["digits", "fashion"])
def test_runs_on_garments_have_files(data, tmp_path):
    options = read(tmp_path, "--data", data)
    (run,), origin = make_runs_or_end(parser(), options, PLAN, 1, {"rate": 0.1})
    garments = data == "fashion"
    assert (run["folder"], origin is not None) == (garments, garments)
    assert (options.output / "runs" / "one.json").exists() == garments


def test_files_of_other_runs_end_the_program(tmp_path, capsys):
    options = read(tmp_path, "--data", "fashion")
    make_runs_or_end(parser(), options, PLAN, 1, {"deterministic": False})
    with pytest.raises(SystemExit, match="2"):
        make_runs_or_end(parser(), options, PLAN, 1, {"deterministic": True})
    assert "deterministic False (now True)" in refused(capsys)


def test_quick_runs_have_a_folder_of_their_own(tmp_path):
    folders = [runs_folder(read(tmp_path, *quick)).name for quick in ([], ["--quick"])]
    assert folders == ["runs", "runs_quick"]


@pytest.mark.parametrize(
    ("net", "norm", "message"),
    [
        ("lenet-5", "bin", "A net must be named as one of"),
        ("wrn-10-1", "ibn-net", "needs a resnet or a resnext. Received: wrn-10-1"),
    ],
)
def test_nets_are_checked_before_any_is_trained(tmp_path, capsys, net, norm, message):
    folder = make_fashion(tmp_path / "data")
    options = read(tmp_path, "--data", "fashion", "--folder", folder, "--norm", norm)
    options.net = net
    with pytest.raises(SystemExit, match="2"):
        read_experiment(parser(), options, {"": mixed_styles}, 20, 10)
    assert message in refused(capsys)
