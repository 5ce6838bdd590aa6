"""Recognition by the recipe of BIN's authors: nets, claim, options, and what a quick run leaves."""

import keras
import numpy as np
import pytest

import classification
import keras_bin
from classification import DATASETS, build
from common.recognition import load_digits
from tests.examples.programs import check_picture, read_results, run_program


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_a_net(name):
    model = build("BIN", "resnet-8", DATASETS[name])
    data = DATASETS[name]
    assert model.input_shape == (None, data.side, data.side, 3)
    assert model.output_shape == (None, data.classes)


def test_weights_decay_but_rho_does_not():
    model = build("BIN", "resnet-8", DATASETS["digits"])
    for weight in model.trainable_weights:
        weight.assign(np.full(weight.shape, 2.0))
    gates = {id(rho) for rho in keras_bin.rho_weights(model)}
    decayed = [w for w in model.trainable_weights if id(w) not in gates]
    expected = 0.5e-4 * sum(4 * np.prod(weight.shape) for weight in decayed)
    assert sum(map(float, model.losses)) == pytest.approx(expected, rel=1e-4)


def runs(bn, bin_, lead=0):
    """Two seeds, two epochs; the last accuracies, and BIN's lead after the first, are given."""
    return [
        {
            "norm": norm,
            "seed": seed,
            "train_accuracy": [10, 99],
            "test_accuracy": [90 - 9 * seed + (lead if norm == "BIN" else 0), last],
        }
        for norm, lasts in (("BN", bn), ("BIN", bin_))
        for seed, last in enumerate(lasts)
    ]


@pytest.mark.parametrize(
    ("bin_", "lead", "holds"),
    [
        ((50, 60), 1, [True, True]),
        ((50, 60), 0, [False, True]),
        ((49, 60), 1, [True, True]),
        ((50, 58.8), 1, [True, False]),
        ((70, 80), -1, [False, True]),
    ],
    ids=["faster", "alike", "half a point behind", "0.6 behind", "slower"],
)
def test_bin_must_be_ahead_up_to_the_drop_and_not_behind_at_the_end(bin_, lead, holds):
    made = classification.claims(runs((50, 60), bin_, lead))
    assert [claim.holds for claim in made] == holds


def test_table_has_the_mean_up_to_the_drop_and_the_last_epoch():
    accuracies, counts = classification.tabulate(runs((50, 60), (60, 70), 2), {"BN": 1234})
    assert {
        row: values
        for row, *values in zip(*(column.cells for column in accuracies.columns), strict=True)
    } == {
        "train, early": ["10.0 ± 0.0", "10.0 ± 0.0", "+0.0 ± 0.0"],
        "train, last": ["99.0 ± 0.0", "99.0 ± 0.0", "+0.0 ± 0.0"],
        "held out, early": ["85.5 ± 6.4", "87.5 ± 6.4", "+2.0 ± 0.0"],
        "held out, last": ["55.0 ± 7.1", "65.0 ± 7.1", "+10.0 ± 0.0"],
    }
    assert list(counts.columns[1].cells) == ["1,234"]


def test_nothing_is_claimed_without_both():
    assert (
        classification.claims([run for run in runs((1, 2), (3, 4)) if run["norm"] == "BIN"]) == []
    )


def test_figure_shows_both_curves_and_the_drops():
    figure = classification.plot(runs((50, 60), (60, 70)), 2)
    for axes, last in zip(figure.axes, (99, 55), strict=True):
        bn, bin_ = (line for line in axes.lines if line.get_label() in ("BN", "BIN"))
        np.testing.assert_array_equal(bn.get_xdata(), [1, 2])
        assert bn.get_ydata()[-1] == last
    assert bin_.get_ydata()[-1] == 65
    assert len(figure.axes[1].collections) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--net", "resnet-9"], "`depth` must be 6n + 2: 8, 14, 20, ... Received: depth=9"),
        (["--net", "lenet-5"], "A net must be named as one of alexnet, vgg-19"),
        (["--net", "vgg-19"], "vgg-19 needs pictures of 32x32 pixels or more. Received: 8x8"),
        (["--norm", "bn", "ln"], "must be among bn, in, bn+in, bin, bin-unscaled, in-first,"),
        (["--norm", "in-first", "--net", "wrn-10-1"], "needs a resnet or a resnext. Received"),
        (["--data", "mnist"], "invalid choice: 'mnist'"),
        (["--rate", "0.1"], "argument --rate: needs `--data fashion`. Received: --data digits"),
        (["--epochs", "0"], "must be an integer above 0. Received: '0'"),
    ],
)
def test_bad_options_are_refused_before_training(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        classification.main([*arguments, "--output", str(tmp_path)])
    assert message in capsys.readouterr().err


def test_missing_cifar_is_told_before_training(tmp_path, capsys, monkeypatch):
    def load():
        raise Exception("URL fetch failure on https://...: None -- [Errno -2]")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load)
    with pytest.raises(SystemExit, match="2"):
        classification.main(["--data", "cifar10", "--net", "resnet-8", "--output", str(tmp_path)])
    assert "cifar10 must be in ~/.keras/datasets" in capsys.readouterr().err


@pytest.mark.slow
def test_cifar_runs_from_the_command_line(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    tiny = tuple(
        (rng.integers(0, 256, (n, 32, 32, 3), "uint8"), rng.integers(0, 100, (n, 1)))
        for n in (150, 20)
    )
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", lambda: tiny)
    options = "--data cifar100 --net resnet-8 --norm bin --epochs 2 --seeds 1"
    classification.main([*options.split(), "--output", str(tmp_path)])
    results = read_results(tmp_path)
    assert results["settings"]["parameters"] == {"BIN": 83_892 + 16 * 3 + 32 * 3 + 64 * 3}
    assert results["caption"].startswith("Cut short. ")
    assert "run with CIFAR-100. resnet-8, 2 of 164 epochs" in results["caption"]
    assert "150 pictures" in results["caption"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("classification")
    arguments = "--quick --seeds 1 --net resnet-8 --norm bn bn+in bin --output".split()
    return output, run_program("classification.py", *arguments, output)


@pytest.mark.slow
def test_results_say_that_the_size_is_reduced(finished):
    results = read_results(finished[0])
    assert [run["norm"] for run in results["runs"]] == ["BN", "BN+IN", "BIN"]
    assert all(len(run["test_accuracy"]) == 4 for run in results["runs"])
    assert results["caption"].startswith("Cut short. Reduced size")
    assert "512 pictures to train on, 450 others" in results["caption"]
    assert results["settings"]["drops"] == [2, 3]


@pytest.mark.slow
def test_tables_and_picture_are_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in ("held out", "BIN - BN", "Trainable parameters", "78,042"):
            assert expected in text
    check_picture(output / "classification.png")


@pytest.mark.slow
def test_trained_nets_load(finished):
    pictures = load_digits().test[:2]
    for norm in ("bn", "bn-in", "bin"):
        model = keras.models.load_model(finished[0] / f"{norm}-0.keras")
        assert model(pictures).shape == (2, 10)
    assert keras_bin.rho_weights(model)
