"""Few digits to learn from: the subsets, the claims, and what a quick run leaves behind."""

import numpy as np
import pytest

import character_recognition
from character_recognition import Setting, draw_subset, run
from common.digits import load_digit_scans
from common.few_pictures import (
    COLOURED,
    CONTROL,
    Reader,
    accuracies,
    errors_avoided,
    plot,
    tabulate,
)
from common.progress import run_bars
from common.styles import draw_held_out
from tests.examples.programs import check_picture, make_fashion, read_results, run_program

SIZES = (50, 300)
READERS = (Reader(COLOURED, 8), Reader(COLOURED, 20), Reader(CONTROL, 8))


def runs(lead, control=0):
    """Two seeds in which BIN leads in colours by `lead[size]` on average over two depths.

    It leads by 8/14 of that in the ResNet-8, and by `control` in white on black, where both read
    20 % more.
    """
    leads = {
        (reader, size): lead[size] * reader.depth / 14 if reader.style == COLOURED else control
        for reader in READERS
        for size in SIZES
    }
    return [
        {
            "norm": norm,
            "style": reader.style,
            "depth": reader.depth,
            "size": size,
            "seed": seed,
            "learnt": 90 + seed,
            "accuracy": (60 if reader.style == COLOURED else 80)
            + reader.depth * (-1) ** seed
            + (leads[reader, size] if norm == "BIN" else 0),
        }
        for seed in (0, 1)
        for reader in READERS
        for size in SIZES
        for norm in ("BN", "BIN")
    ]


@pytest.mark.parametrize(
    ("lead", "holds"),
    [
        ({50: 1, 300: 1}, [True, True]),
        ({50: 0, 300: 1}, [False, True]),
        ({50: 1, 300: -1}, [True, False]),
    ],
    ids=["ahead", "level with 50", "behind with 300"],
)
def test_bin_must_be_ahead_with_each_number_of_digits(lead, holds):
    *claims, _ = character_recognition.claims(runs(lead), READERS, SIZES)
    assert [claim.holds for claim in claims] == holds
    assert [claim.sentence.split()[1] for claim in claims] == ["50", "300"]


@pytest.mark.parametrize(("control", "share", "holds"), [(5, "25.0", True), (7, "35.0", False)])
def test_a_smaller_share_of_errors_must_be_avoided_in_white_on_black(control, share, holds):
    """In colours, 8 and 16 of 40 % errors are avoided."""
    *_, claim = character_recognition.claims(runs({50: 14, 300: 28}, control), READERS, SIZES)
    assert claim.holds is holds
    assert f"in random colours (30.0 %) than in white on black ({share} %)" in claim.sentence


def test_no_errors_are_avoided_where_bn_makes_none():
    made = [{**run, "accuracy": 100.0} for run in runs({50: 14, 300: 28})]
    assert errors_avoided(made, CONTROL, 8, SIZES) == 0


def test_accuracies_average_over_what_is_not_chosen():
    made = runs({50: 14, 300: 0})
    assert accuracies(made, style=COLOURED, size=50, depth=8) == {"BN": [68, 52], "BIN": [76, 60]}
    assert accuracies(made, style=COLOURED, size=50) == {"BN": [74, 46], "BIN": [88, 60]}


def test_digits_learnt_have_a_table_of_their_own():
    rows = tabulate(runs({50: 14, 300: 0}), READERS, SIZES, "learnt")
    assert rows["50, mean in random colours"] == {"BN": [90, 91], "BIN": [90, 91]}
    assert rows["300, ResNet-8"] == {"BN": [90, 91], "BIN": [90, 91]}


def test_table_lists_nets_below_their_number_of_digits():
    rows = tabulate(runs({50: 14, 300: 14}, control=3), READERS, SIZES)
    assert list(rows) == [
        f"{size}, {net}"
        for size in SIZES
        for net in (
            "ResNet-8",
            "ResNet-20",
            "mean in random colours",
            "ResNet-8, white on black",
        )
    ]
    assert rows["50, ResNet-8, white on black"] == {"BN": [88, 72], "BIN": [91, 75]}
    assert rows["50, mean in random colours"] == {"BN": [74, 46], "BIN": [88, 60]}


def test_every_net_has_a_panel():
    figure = plot(runs({50: 14, 300: 0}), READERS, SIZES)
    drawn = {
        axes.get_title(): [line.lines[0].get_ydata().tolist() for line in axes.containers]
        for axes in figure.axes
    }
    assert drawn == {
        "ResNet-8": [[60, 60], [68, 60]],
        "ResNet-20": [[60, 60], [80, 60]],
        "ResNet-8, white on black": [[80, 80], [80, 80]],
    }


@pytest.mark.parametrize("style", [COLOURED, CONTROL])
def test_digits_are_learnt_and_read_in_the_style_of_the_reader(style, monkeypatch):
    seen = []

    def accuracy(model, pictures, labels):
        seen.append(pictures)
        return 0.0

    monkeypatch.setattr(
        character_recognition, "train_steps", lambda model, pictures, *_: seen.append(pictures)
    )
    monkeypatch.setattr(character_recognition, "accuracy", accuracy)
    scans = load_digit_scans()
    setting = Setting("digits", scans, draw_held_out(scans), [Reader(style, 8)], [50], 10)
    with run_bars(1) as bars, bars.run("", 1) as bar:
        made = run(setting, 0, Reader(style, 8), 50, "BIN", None, bar)
    assert made["style"] == style
    assert sorted(map(len, seen)) == [50, 50, 450]
    for pictures in seen:
        corners = pictures[:, 0, 0]
        assert np.all(corners == 0) if style == CONTROL else np.all(corners.std(0) > 0.1)


@pytest.mark.parametrize("size", [50, 100, 300])
def test_subset_holds_all_classes_alike_and_changes_with_the_seed(size):
    split = load_digit_scans()
    pictures, labels = draw_subset(split, COLOURED, size, seed=0)
    assert pictures.shape == (size, 8, 8, 3)
    counts = np.bincount(labels)
    assert len(counts) == 10
    assert np.ptp(counts) <= 2
    again, _ = draw_subset(split, COLOURED, size, seed=0)
    np.testing.assert_array_equal(pictures, again)
    other, other_labels = draw_subset(split, COLOURED, size, seed=1)
    assert np.any(labels != other_labels)
    assert np.any(pictures != other)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("character_recognition")
    return output, run_program(
        "character_recognition.py", "--quick", "--seeds", 1, "--output", output
    )


@pytest.mark.slow
def test_bin_is_ahead_within_fifty_steps(finished):
    results = read_results(finished[0])
    assert [(run["norm"], run["style"]) for run in results["runs"]] == [
        (norm, style) for style in (COLOURED, CONTROL) for norm in ("BN", "BIN")
    ]
    assert results["settings"]["steps"] == 50
    assert results["claims"][0]["holds"], results["claims"]


@pytest.mark.slow
def test_table_and_picture_are_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in ("300, ResNet-8", "300, ResNet-8, white on black", "BIN - BN"):
            assert expected in text
        assert "On the digits learnt" in text
    check_picture(output / "character_recognition.png")


@pytest.mark.slow
def test_garments_are_learnt_in_parts_and_have_files(tmp_path, monkeypatch):
    folders = []

    def train(model, pictures, labels, steps, callback, seed, folder):
        assert (pictures.shape, len(labels)) == ((100, 28, 28, 3), 100)
        folders.append(folder.name)

    monkeypatch.setattr("common.training.train_steps", train)
    folder = make_fashion(tmp_path / "data", train=110)
    printed = run_program(
        "character_recognition.py",
        *("--data", "fashion", "--quick", "--seeds", 1, "--folder", folder, "--output", tmp_path),
    )
    assert folders == [
        f"seed-0-{net}-100-garments-{norm}.unfinished"
        for net in ("resnet-8", "resnet-8-white-on-black")
        for norm in ("bn", "bin")
    ]
    assert "Accuracy on held-out garments" in printed
    results = read_results(tmp_path)
    assert "100 garments of 28x28 pixels" in results["caption"]
    assert results["settings"]["deterministic"] is False


def test_too_few_garments_are_told_before_any_net_is_trained(tmp_path, capsys):
    arguments = ["--data", "fashion", "--folder", str(make_fashion(tmp_path / "data", train=1200))]
    arguments += ["--pictures", "1009", "--output", str(tmp_path)]
    with pytest.raises(SystemExit, match="2"):
        character_recognition.main(arguments)
    assert "must be from 1010 to 1200, with the files at hand. Received: 1009" in (
        capsys.readouterr().err
    )
