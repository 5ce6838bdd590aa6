"""The options of experiments on garments, and what is refused."""

import numpy as np
import pytest

from common.scans import Scans
from fashion.options import (
    QUICK_RECIPE,
    check_data,
    digit_norms,
    number_of_pictures,
    read_recipe,
    read_scans,
)
from fashion.training import RECIPE
from tests.examples.fashion.command_line import parser, read, refused
from tests.examples.programs import make_fashion


@pytest.mark.parametrize(
    "arguments",
    [
        ("--folder", "x"),
        ("--pictures", "5"),
        ("--rate", "1"),
        ("--schedule", "steps"),
        ("--weight-decay", "0"),
        ("--rho-start", "0.5"),
        ("--deterministic",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_options_of_garments_need_garments(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        check_data(parser(), read(tmp_path, *arguments))
    assert f"{arguments[0]}: needs `--data fashion`. Received: --data digits" in refused(capsys)
    check_data(parser(), read(tmp_path, "--data", "fashion", *arguments))


def test_recipe_is_that_of_the_experiments_unless_options_say_otherwise(tmp_path):
    assert read_recipe(read(tmp_path)) == RECIPE
    options = read(tmp_path, "--epochs", 7, "--rate", 0.3, "--schedule", "steps")
    assert read_recipe(options) == RECIPE._replace(epochs=7, learning_rate=0.3, schedule="steps")
    assert read_recipe(read(tmp_path, "--weight-decay", 0)) == RECIPE._replace(weight_decay=0)
    assert read_recipe(read(tmp_path, "--rho-start", 0)) == RECIPE._replace(rho_start=0)
    assert read_recipe(read(tmp_path, "--quick")) == QUICK_RECIPE
    options = read(tmp_path)
    options.net = "resnet-14"
    assert read_recipe(options).net == "resnet-14"


def test_digits_are_read_without_blocks(tmp_path, capsys):
    assert digit_norms(parser(), read(tmp_path)) == ["BN", "IN", "BN+IN", "BIN"]
    assert digit_norms(parser(), read(tmp_path, "--norm", "in-first")) == ["IN first"]
    with pytest.raises(SystemExit, match="2"):
        digit_norms(parser(), read(tmp_path, "--norm", "ibn-net"))
    assert "IBN-Net needs a net of residual blocks" in refused(capsys)


def test_scans_are_the_first_ones(tmp_path, monkeypatch):
    folder = make_fashion(tmp_path / "data", train=30)

    def sizes(*arguments):
        scans = read_scans(parser(), read(tmp_path, "--folder", folder, *arguments), 20, 10)
        return len(scans.train_scans), len(scans.test_scans)

    assert sizes() == (20, 10)
    assert sizes("--pictures", 25) == (25, 10)
    assert sizes("--quick") == (30, 16)
    assert sizes("--quick", "--pictures", 7) == (7, 16)
    monkeypatch.setattr("fashion.options.QUICK_SCANS", 9)
    assert sizes("--quick") == (9, 9)


def test_missing_and_too_few_pictures_end_the_program(tmp_path, capsys):
    folder = make_fashion(tmp_path / "data", train=30)
    scans = read_scans(parser(), read(tmp_path, "--folder", folder), 30, 10)
    with pytest.raises(SystemExit, match="2"):
        read_scans(parser(), read(tmp_path, "--folder", tmp_path / "none"), 20, 10)
    assert "a folder of Fashion-MNIST must hold" in refused(capsys)
    options = read(tmp_path, "--folder", folder, "--pictures", 31)
    with pytest.raises(SystemExit, match="2"):
        read_scans(parser(), options, 20, 10)
    assert "must be from 1 to 30, with the files at hand. Received: 31" in refused(capsys)
    options = read(tmp_path, "--folder", folder, "--pictures", 9)
    with pytest.raises(SystemExit, match="2"):
        read_scans(parser(), options, 20, 10, least=10)
    assert "must be from 10 to 30, with the files at hand. Received: 9" in refused(capsys)
    options = read(tmp_path, "--folder", folder, "--quick")
    with pytest.raises(SystemExit, match="2"):
        number_of_pictures(parser(), options, 20, scans, least=10, kept_back=25)
    assert "the files must hold 35 training pictures or more. Received: 30" in refused(capsys)


def test_number_of_pictures_is_never_below_what_is_needed(tmp_path):
    scans = Scans(np.zeros((30, 2, 2)), np.zeros((1, 2, 2)), np.zeros(30), np.zeros(1))
    options = read(tmp_path)
    assert number_of_pictures(parser(), options, 20, scans) == 20
    assert number_of_pictures(parser(), options, 20, scans, least=25) == 25
    assert number_of_pictures(parser(), options, 20, scans, kept_back=15) == 15
