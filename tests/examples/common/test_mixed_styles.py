"""One net for all styles: the plan of the runs, and the table of their accuracies."""

import numpy as np
import pytest

from common import mixed_styles
from common.mixed_styles import accuracies_by_style, compare_norms
from common.scans import Scans
from common.styles import STYLES


@pytest.fixture
def digits():
    scans = np.random.default_rng(0).random((8, 8, 8)).astype("float32")
    return Scans(scans, scans[:4], np.arange(8), np.arange(4))


def compare(digits, norms=("BN", "BIN"), seeds=range(2)):
    held_out = dict.fromkeys(STYLES, np.zeros((4, 8, 8, 3), "float32"))
    return compare_norms(norms, seeds, 1, digits, held_out)


def test_every_norm_is_trained_and_tested(digits, capsys):
    runs, model = compare(digits, seeds=range(1))
    assert [len(run["rho"]) for run in runs] == [0, 4]
    assert list(runs[0]["accuracy"]) == list(STYLES)
    assert type(model).__name__ == "BINModel"
    assert "seed 0  BN " in capsys.readouterr().out


def test_norms_start_alike_and_each_seed_starts_otherwise(digits, monkeypatch):
    seen = []

    def train(model, pictures, *_):
        seen.append((pictures, *(w.numpy() for w in model.weights if w.name == "kernel")))

    monkeypatch.setattr(mixed_styles, "train", train)
    runs, _ = compare(digits)
    assert [(run["seed"], run["norm"]) for run in runs] == [
        (0, "BN"),
        (0, "BIN"),
        (1, "BN"),
        (1, "BIN"),
    ]
    for bn, bin_, other in zip(seen[0], seen[1], seen[2], strict=True):
        np.testing.assert_array_equal(bn, bin_)
        assert np.any(bn != other)


def test_mean_is_taken_over_styles_seed_by_seed():
    runs = [
        {"norm": norm, "accuracy": dict(zip(STYLES, range(start, start + 4), strict=True))}
        for start in (10, 20)
        for norm in ("BN", "BIN")
    ]
    rows = accuracies_by_style(runs)
    assert list(rows) == [*STYLES, "mean"]
    assert rows["inverted"] == {"BN": [11, 21], "BIN": [11, 21]}
    assert rows["mean"] == {"BN": [11.5, 21.5], "BIN": [11.5, 21.5]}
