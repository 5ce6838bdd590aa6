"""Garments in four styles, read by one net."""

from argparse import ArgumentParser, Namespace
from statistics import mean

import keras

import keras_bin
from common.mixed_styles import accuracies_by_style, lead_claim
from common.norms import PLACED_NORMS
from common.report import Claim, Report, score_table
from fashion.charts import plot_disagreements, plot_gates, plot_learning
from fashion.experiment import Experiment
from fashion.gates import gate_tables
from fashion.options import read_experiment
from fashion.tasks import mixed_styles
from fashion.training import read

PICTURES, HELD_OUT = 20_000, 5_000
MIXED = ""  # the one task, which needs no name


def run(parser: ArgumentParser, options: Namespace) -> Report:
    """Compares residual nets, and draws what only these have."""
    experiment = read_experiment(parser, options, {MIXED: mixed_styles}, PICTURES, HELD_OUT)
    runs = experiment.run()
    _save_pictures(runs, experiment, options)
    return Report(
        caption=f"{experiment.caption('each drawn in one of four styles', 'in every style')} "
        "Mean ± standard deviation over seeds.",
        settings=experiment.settings,
        runs=runs,
        tables=[
            score_table("Accuracy on held-out garments, %", "style", accuracies_by_style(runs)),
            *gate_tables({"Gates of BIN": runs}),
        ],
        claims=claims(runs),
    )


def claims(runs: list[dict]) -> list[Claim]:
    """Compares the means over styles and seeds of those normalizations that were run."""
    means = {norm: mean(values) for norm, values in accuracies_by_style(runs)["mean"].items()}
    made = [lead_claim(means)] if {"BN", "BIN"} <= means.keys() else []
    placed = {norm: means[norm] for norm in PLACED_NORMS if norm in means}
    if "BIN" in means and placed:
        best = max(placed, key=placed.__getitem__)
        made.append(
            Claim(
                f"on the average of the styles, BIN ({means['BIN']:.2f} %) is not behind the best "
                f"placement found by hand ({best}, {means[best]:.2f} %)",
                means["BIN"] >= means[best],
            )
        )
    return made


def _save_pictures(runs: list[dict], experiment: Experiment, options: Namespace) -> None:
    """Saves the pictures of learning, of rho, and of what BN and BIN read otherwise."""
    plot_learning(runs).savefig(options.output / "learning.png", dpi=150)
    with_gates = [each for each in runs if each["norm"] == "BIN"]
    if not with_gates:
        return
    plot_gates({"BIN": with_gates}).savefig(options.output / "rho.png", dpi=150)
    seed = options.seeds[0]
    nets = {
        norm: keras.saving.load_model(experiment.net(seed, MIXED, norm))
        for norm in ("BN", "BIN")
        if experiment.net(seed, MIXED, norm).exists()
    }
    if "BIN" in nets:
        figure = keras_bin.plot_rho(nets["BIN"], by="depth")
        figure.savefig(options.output / "rho_by_depth.png", dpi=150)
    if len(nets) == 2:
        tests = experiment.task(MIXED, seed).tests
        readings = {
            norm: {style: read(net, test.pictures) for style, test in tests.items()}
            for norm, net in nets.items()
        }
        plot_disagreements(tests, readings).savefig(options.output / "disagreements.png", dpi=150)
