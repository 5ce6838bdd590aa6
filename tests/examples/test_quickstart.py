"""The main example: its command line, its claim, and what it leaves behind."""

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import quickstart
from common.digits import load_digit_scans
from common.styles import STYLES, draw_held_out
from tests.examples.programs import check_picture, read_results, run_program


def runs(bn, bin_):
    """Results of one run per seed and net, with the same accuracy in all styles."""
    return [
        {"norm": norm, "seed": seed, "seconds": 1.0, "accuracy": dict.fromkeys(STYLES, value)}
        for norm, values in (("BN", bn), ("BIN", bin_))
        for seed, value in enumerate(values)
    ]


@pytest.mark.parametrize("option", ["--seeds", "--epochs"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many"])
def test_counts_must_be_positive_integers(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit, match="2"):
        quickstart.main([option, value, "--output", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert f"argument {option}: must be a" in error
    assert "above 0" in error
    assert f"Received: '{value}'" in error
    assert not (tmp_path / "out").exists()


def test_output_that_is_a_file_is_refused_before_training(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SystemExit, match="2"):
        quickstart.main(["--output", str(file)])
    error = capsys.readouterr().err
    assert "argument --output: must be a folder" in error
    assert str(file) in error


def test_help_shows_defaults_and_an_example(capsys):
    with pytest.raises(SystemExit, match="0"):
        quickstart.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: 3)" in text
    assert "example: python examples/quickstart.py --seeds" in text


def test_claim_holds_where_bin_is_ahead_on_average(capsys):
    quickstart.check_claim(runs(bn=[90, 96, 93], bin_=[95, 95, 95]), seeds=3)
    assert "BIN is ahead of BN: BIN 95.00 %, BN 93.00 %" in capsys.readouterr().out


@pytest.mark.parametrize("bin_", [[93, 93, 93], [96, 90, 90]], ids=["equal", "behind"])
def test_claim_fails_where_bin_is_not_ahead(bin_):
    with pytest.raises(SystemExit, match=r"BIN is not ahead of BN: BIN 9\d\.00 %, BN 93\.00 %"):
        quickstart.check_claim(runs(bn=[90, 96, 93], bin_=bin_), seeds=3)


@pytest.mark.parametrize("bin_", [80, 99], ids=["behind", "ahead"])
def test_one_seed_proves_nothing(capsys, bin_):
    quickstart.check_claim(runs(bn=[90], bin_=[bin_]), seeds=1)
    printed = capsys.readouterr().out
    assert "One seed proves nothing" in printed
    assert "is ahead" not in printed


def run_script(output):
    return run_program("quickstart.py", "--seeds", 1, "--epochs", 2, "--output", output)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a short run, and what it printed."""
    output = tmp_path_factory.mktemp("quickstart") / "made" / "by itself"
    return output, run_script(output)


@pytest.fixture(scope="module")
def accuracy(finished):
    """Held-out accuracy of the exported net by style, as the program wrote it down."""
    results = read_results(finished[0])
    return next(run["accuracy"] for run in results["runs"] if run["norm"] == "BIN")


@pytest.mark.slow
def test_program_prints_accuracies_reports_and_its_limits(finished):
    output, printed = finished
    for expected in (
        *STYLES,
        "BIN - BN",
        f"{output / 'digits' / '1'}: ",
        f"{output / 'digits.onnx'}: ",
        "true digit",
        "One seed proves nothing",
    ):
        assert expected in printed


@pytest.mark.slow
def test_results_hold_every_run(finished):
    results = read_results(finished[0])
    assert [(run["norm"], run["seed"]) for run in results["runs"]] == [("BN", 0), ("BIN", 0)]
    assert results["epochs"] == 2
    assert results["versions"]["tensorflow"] == tf.__version__
    for run in results["runs"]:
        assert run["seconds"] > 0
        assert list(run["accuracy"]) == list(STYLES)
        assert all(10 < value <= 100 for value in run["accuracy"].values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rho.png", "predictions.png"])
def test_pictures_decode_and_are_not_blank(finished, name):
    check_picture(finished[0] / name)


@pytest.mark.slow
def test_onnx_file_reads_held_out_digits_as_the_program_says(finished, accuracy):
    digits = load_digit_scans()
    session = onnxruntime.InferenceSession(finished[0] / "digits.onnx")
    for style, pictures in draw_held_out(digits).items():
        logits = session.run(["logits"], {"pictures": pictures})[0]
        # One of 450 digits may lie so near a border that float32 decides it.
        right = 100 * np.mean(logits.argmax(-1) == digits.test_labels)
        assert right == pytest.approx(accuracy[style], rel=0, abs=0.25)


@pytest.mark.slow
def test_saved_model_reads_held_out_digits_as_the_program_says(finished, accuracy):
    digits = load_digit_scans()
    loaded = tf.saved_model.load(finished[0] / "digits" / "1")
    serve = loaded.signatures["serving_default"]
    for style, pictures in draw_held_out(digits).items():
        logits = serve(pictures=tf.constant(pictures))["logits"].numpy()
        right = 100 * np.mean(logits.argmax(-1) == digits.test_labels)
        assert right == pytest.approx(accuracy[style], rel=0, abs=0.25)


@pytest.mark.slow
def test_second_run_adds_a_version_and_repeats_the_results(finished, tmp_path):
    output = tmp_path / "twice"
    (output / "digits" / "1").mkdir(parents=True)
    (output / "digits.onnx").touch()
    run_script(output)
    assert (output / "digits" / "2" / "saved_model.pb").is_file()
    assert (output / "digits.onnx").stat().st_size > 0
    first, second = (
        [run["accuracy"] for run in read_results(folder)["runs"]]
        for folder in (finished[0], output)
    )
    assert first == second
