"""Style transfer: its claims, its options, and what a quick run leaves behind."""

import keras
import numpy as np
import onnxruntime
import pytest

import style_transfer
from common import photographs
from keras_bin import rho_summary
from tests.examples.programs import check_picture, read_results, run_program

STYLES = {"BN": 0.3, "IN": 0.1, "BN+IN": 0.15, "BIN": 0.2}


def runs(styles=STYLES, rho=(0.5, 0.8)):
    """Three runs of every net that end at a style loss each, and of BIN at a rho by layer."""
    return [
        {
            "norm": norm,
            "seed": seed,
            "content": [1.0, 0.5, 0.3, 0.3, 0.3],
            "style": [1.0, 0.9] + [style + (-0.05, 0, 0.05)[seed]] * 3,
            "held_out": {"content": 0.4, "style": style},
            "rho": [[1, 1]] + [[0.99, 0.95]] * 4 + [list(rho)] if norm == "BIN" else [],
        }
        for norm, style in styles.items()
        for seed in range(3)
    ]


def verdicts(**changes):
    return [claim.holds for claim in style_transfer.claims(runs(**changes))]


def test_claims_hold_where_rho_falls_and_bin_is_ahead():
    assert verdicts() == [True, True]


def test_claim_on_rho_looks_at_every_layer():
    assert verdicts(rho=(0.1, 0.91)) == [False, True]


def test_claim_on_the_loss_fails_where_bin_is_behind():
    assert verdicts(styles={**STYLES, "BIN": 0.31}) == [True, False]


def test_rows_are_the_last_epochs_in_percent():
    rows = style_transfer.loss_rows(runs())
    assert list(rows) == [
        f"{where}, {part}"
        for where in ("training", "held-out")
        for part in ("content", "style", "total")
    ]
    assert rows["training, content"]["BN"] == pytest.approx([30, 30, 30])
    assert rows["training, style"]["BN"] == pytest.approx([25, 30, 35])
    assert rows["held-out, style"]["IN"] == pytest.approx([10, 10, 10])
    weight = style_transfer.STYLE_WEIGHT
    assert rows["training, total"]["BN"][0] == pytest.approx(30 + 25 * weight)


def test_losses_and_rho_are_drawn_over_the_steps():
    figure = style_transfer.plot_losses(runs(), style_transfer.FULL._replace(epochs=5, steps=3))
    content, style, rho, by_layer = figure.axes
    for axes, last in ((content, 30), (style, 30)):
        (line,) = [line for line in axes.get_lines() if line.get_label() == "BN"]
        np.testing.assert_allclose(line.get_xdata(), [3, 6, 9, 12, 15])
        assert line.get_ydata()[-1] == pytest.approx(last)
    (line,) = rho.get_lines()
    np.testing.assert_allclose(line.get_xdata(), [0, 3, 6, 9, 12, 15])
    np.testing.assert_allclose(line.get_ydata(), [1, 0.97, 0.97, 0.97, 0.97, 0.65])
    np.testing.assert_allclose(by_layer.containers[0].lines[0].get_ydata(), [0.5, 0.8])


@pytest.mark.parametrize("option", ["--style", "--photographs"])
def test_missing_pictures_are_refused_before_any_work(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        style_transfer.main([option, str(tmp_path / "missing"), "--output", str(tmp_path)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert f"argument {option}: must be a " in error
    assert "missing" in error


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("style_transfer")
    return output, run_program("style_transfer.py", "--quick", "--seeds", 1, "--output", output)


@pytest.mark.slow
def test_every_epoch_is_in_the_results(finished):
    results = read_results(finished[0])
    assert [run["norm"] for run in results["runs"]] == ["BN", "IN", "BN+IN", "BIN"]
    for run in results["runs"]:
        for part in ("content", "style"):
            assert len(run[part]) == 2
            assert np.isfinite(run[part]).all()
    rho = np.array(results["runs"][-1]["rho"])
    assert rho.shape == (3, 7)
    np.testing.assert_array_equal(rho[0], 1)
    assert np.all(rho[1] < 1)
    net = keras.saving.load_model(finished[0] / "style.keras")
    np.testing.assert_allclose(rho[2], [gate.mean for gate in rho_summary(net)], atol=1e-4)


@pytest.mark.slow
def test_weights_of_the_loss_net_are_stated_everywhere(finished):
    output, printed = finished
    results = read_results(output)
    statement = {
        "random": "VGG16 with random weights (He normal, seed 0)",
        "imagenet": "VGG16, trained on ImageNet",
    }[results["settings"]["loss_net_weights"]]
    for text in (printed, results["caption"], (output / "results.md").read_text()):
        assert statement in " ".join(text.split())


@pytest.mark.slow
def test_table_is_printed_and_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in ("training, content", "held-out, total", "BN+IN", "BIN - BN"):
            assert expected in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["losses.png", "photographs.png"])
def test_picture_decodes_and_is_not_blank(finished, name):
    assert (finished[0] / name).stat().st_size < 1e6
    check_picture(finished[0] / name)


@pytest.mark.slow
def test_exported_net_is_the_saved_one_at_another_size(finished):
    net = keras.saving.load_model(finished[0] / "style.keras")
    photo = photographs.bundled("coffee")[np.newaxis, :50, :77]
    session = onnxruntime.InferenceSession(finished[0] / "style.onnx")
    (stylized,) = session.run(["stylized"], {"photos": photo})
    assert stylized.shape == photo.shape
    np.testing.assert_allclose(stylized, net(photo), rtol=0, atol=1e-3)
