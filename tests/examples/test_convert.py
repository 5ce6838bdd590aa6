"""A trained net converted to BIN: the claims, and what a quick run leaves behind."""

import keras
import numpy as np
import onnxruntime
import pytest

import convert
import keras_bin
from common.digits import load_digit_scans
from common.styles import STYLES, draw_held_out
from tests.examples.programs import check_picture, read_results, run_program

FORMS = ["BN, trained", "BN", "BIN first", "BIN"]


def runs(learnt="one style", bn=95.0, first=97.0, bin_=97.0, change=1e-7):
    """Two runs of every form, around an accuracy each, the same in every style."""
    return [
        {
            "learnt": learnt,
            "norm": form,
            "accuracy": dict.fromkeys(STYLES, accuracy + spread),
            "change": change,
        }
        for spread in (-1, 1)
        for form, accuracy in zip(FORMS, (98.0, bn, first, bin_), strict=True)
    ]


def verdicts(results):
    return [claim.holds for claim in convert.claims(results)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [True, True, True]),
        ({"bn": 96.0}, [True, True, True]),
        ({"first": 95.9}, [True, False, True]),
        ({"bin_": 95.9}, [True, True, False]),
        ({"change": 2e-4}, [False, True, True]),
    ],
    ids=["ahead", "a point ahead", "first behind", "all behind", "other logits"],
)
def test_converted_nets_must_be_a_point_ahead_on_new_styles(changed, expected):
    assert verdicts(runs(**changed)) == expected


@pytest.mark.parametrize(("bin_", "holds"), [(95.1, True), (95.0, False)], ids=["ahead", "level"])
def test_net_that_learns_no_new_styles_must_be_ahead_where_all_is_converted(bin_, holds):
    assert verdicts(runs("four styles", first=94.0, bin_=bin_)) == [True, holds]


def test_both_nets_are_judged_apart():
    results = runs("four styles", bin_=95.5) + runs("one style", first=95.5)
    assert verdicts(results) == [True, True, False, True]


def test_claims_name_the_figures():
    change, first, all_ = (claim.sentence for claim in convert.claims(runs(change=3e-7)))
    assert "by 3e-07 of the largest" in change
    assert "after one style, BIN first (97.00 %) is ahead of BN (95.00 %) by 1 point" in first
    assert "after one style, BIN (97.00 %) is ahead of BN (95.00 %) by 1 point" in all_


def test_change_is_a_share_of_the_largest_logit():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, 4 * inputs)
    other = keras.Model(inputs, 4 * inputs - 0.5)
    pictures = {"clean": np.float32([[0], [1]]), "inverted": np.float32([[-2], [1]])}
    assert convert.largest_change(other, model, pictures) == 0.5 / 8


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("convert")
    return output, run_program("convert.py", "--quick", "--seeds", 1, "--output", output)


@pytest.mark.slow
def test_every_form_is_trained_and_converted_nets_are_ahead(finished):
    results = read_results(finished[0])
    assert [run["norm"] for run in results["runs"]] == FORMS
    assert [len(run["rho"]) for run in results["runs"]] == [0, 0, 1, 4]
    assert all(rho < 1 for run in results["runs"] for rho in run["rho"][:2])
    assert results["settings"]["epochs"] == {"before": 2, "after": 2}
    assert all(claim["holds"] for claim in results["claims"]), results["claims"]


@pytest.mark.slow
def test_table_and_pictures_are_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in (*STYLES, "mean", *FORMS, "BIN - BN"):
            assert expected in text
    check_picture(output / "convert.png")
    check_picture(output / "rho.png")


@pytest.mark.slow
def test_net_as_it_was_trained_is_kept(finished):
    trained = keras.saving.load_model(finished[0] / "bn.keras")
    assert keras_bin.rho_weights(trained) == []
    assert len(keras_bin.conversion_report(trained)) == 4


@pytest.mark.slow
def test_onnx_file_reads_held_out_digits_as_the_converted_net(finished):
    run = read_results(finished[0])["runs"][-1]
    labels = load_digit_scans().test_labels
    session = onnxruntime.InferenceSession(finished[0] / "digits.onnx")
    pictures = draw_held_out(load_digit_scans())["random colours"]
    logits = session.run(["logits"], {"pictures": pictures})[0]
    # One of 450 digits may lie so near a border that float32 decides it.
    right = 100 * np.mean(logits.argmax(-1) == labels)
    assert right == pytest.approx(run["accuracy"]["random colours"], rel=0, abs=0.25)
