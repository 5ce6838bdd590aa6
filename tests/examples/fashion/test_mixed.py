"""Garments in four styles: the claims, what a quick run leaves, and a kill."""

import json
import signal
import sys
import time

import keras
import numpy as np
import pytest

from common.styles import STYLES
from fashion import mixed
from tests import forks
from tests.examples.fashion.records import made_run
from tests.examples.programs import (
    EXAMPLES,
    check_picture,
    make_fashion,
    read_results,
    run_program,
)


def runs(**means):
    """Two runs of each normalization around a mean, the same in every style."""
    return [
        made_run(norm.replace("_", " "), seed, dict.fromkeys(STYLES, value + spread))
        for seed, spread in enumerate((-1, 1))
        for norm, value in means.items()
    ]


@pytest.mark.parametrize(
    ("means", "holds"),
    [
        ({"BN": 87, "BIN": 88, "IN_first": 88, "BIN_first": 87}, [True, True]),
        ({"BN": 87, "BIN": 87.99, "IN_first": 86}, [False, True]),
        ({"BN": 87, "BIN": 89, "IN_first": 86, "BIN_first": 89.1}, [True, False]),
        ({"BN": 87, "BIN": 89}, [True]),
        ({"BIN": 89, "BIN_first": 88}, [True]),
        ({"BN": 87, "IN": 89}, []),
    ],
)
def test_bin_must_be_a_point_ahead_and_not_behind_a_placement(means, holds):
    assert [claim.holds for claim in mixed.claims(runs(**means))] == holds


def test_best_placement_is_named():
    _, claim = mixed.claims(runs(BN=80, BIN=85, IN_first=82, BIN_first=83))
    assert "(BIN first, 83.00 %)" in claim.sentence


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("mixed")
    arguments = ["--data", "fashion", "--quick", "--seeds", 1, "--norm", "bn", "bin"]
    arguments += ["--folder", make_fashion(output / "data"), "--output", output]
    return arguments, output, run_program("mixed_domain.py", *arguments)


@pytest.mark.slow
def test_results_say_what_was_run(finished):
    _, output, printed = finished
    results = read_results(output)
    assert [run["norm"] for run in results["runs"]] == ["BN", "BIN"]
    assert results["settings"]["net"] == "resnet-8"
    assert results["caption"].startswith("48 pictures of Fashion-MNIST, each drawn in one of four")
    for text in (printed, (output / "results.md").read_text()):
        for expected in (*STYLES, "mean", "BIN ahead of it", "mean of rho"):
            assert expected in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mixed_domain", "learning", "rho", "rho_by_depth", "disagreements"]
)
def test_pictures_are_written(finished, name):
    check_picture(finished[1] / f"{name}.png")


@pytest.mark.slow
def test_second_call_trains_nothing(finished, monkeypatch):
    arguments, output, _ = finished
    before = read_results(output)["runs"]
    monkeypatch.setattr("fashion.experiment.train", None)
    monkeypatch.setattr("fashion.mixed._save_nets_pictures", lambda *_: None)
    assert "seed 0" not in run_program("mixed_domain.py", *arguments)
    assert read_results(output)["runs"] == before


@pytest.mark.slow
def test_other_settings_are_refused(finished, capsys):
    arguments, _, _ = finished
    with pytest.raises(SystemExit, match="2"):
        run_program("mixed_domain.py", *arguments, "--rate", 0.3)
    assert "learning_rate 0.1 (now 0.3)" in capsys.readouterr().err


@pytest.mark.slow
def test_report_of_finished_runs_says_how_long_they_took(finished):
    results = read_results(finished[1])
    assert results["seconds"] == pytest.approx(
        sum(run["seconds"] for run in results["runs"]), abs=1
    )


MARK = 12345.6  # seconds that no epoch of this test takes


def start(folder, output):
    """Starts a program that trains a net for three epochs, and repeats bit for bit."""
    words = ["--data", "fashion", "--quick", "--seeds", "1", "--norm", "bin", "--epochs", "3"]
    words += ["--deterministic", "--folder", folder, "--output", output]
    return forks.Fork([sys.executable, "-m", "mixed_domain", *words], cwd=EXAMPLES)


def result_of(output):
    code, errors = output[1].end()
    assert code == 0, errors
    path = output[0] / "runs_quick" / "seed-0-bin"
    content = json.loads(path.with_suffix(".json").read_text())["result"]
    content.pop("seconds")
    seconds = [record.pop("seconds") for record in content["epochs"]]
    return content, seconds, keras.saving.load_model(path.with_suffix(".keras")).get_weights()


@pytest.mark.slow
def test_killed_run_goes_on_and_ends_with_the_same_numbers_bit_for_bit(tmp_path):
    folder = make_fashion(tmp_path / "data")
    killed = tmp_path / "killed"
    running = start(folder, killed)
    records = killed / "runs_quick" / "seed-0-bin.unfinished" / "epochs.json"
    limit = time.monotonic() + 120
    while not (records.exists() and len(json.loads(records.read_text())) >= 2):
        assert time.monotonic() < limit
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.end()[0] == -signal.SIGKILL
    assert not (killed / "runs_quick" / "seed-0-bin.json").exists()
    done = json.loads(records.read_text())
    done[0]["seconds"] = MARK
    records.write_text(json.dumps(done))

    content, seconds, weights = result_of((killed, start(folder, killed)))
    straight, _, other = result_of((tmp_path / "straight", start(folder, tmp_path / "straight")))
    assert content == straight
    for weight, expected in zip(weights, other, strict=True):
        np.testing.assert_array_equal(weight, expected)
    # The first epoch was not done again. The second may have been, as its backup comes after its
    # record.
    assert seconds[0] == MARK
