"""Garments in four styles, read by one net."""

from argparse import ArgumentParser, Namespace
from statistics import mean

import keras_bin
from common.mixed_styles import accuracies_by_style, lead_claim
from common.norms import PLACED_NORMS
from common.report import Claim, Report, lead_tables, norm_table
from common.whole_files import save_picture
from fashion.charts import plot_disagreements, save_training
from fashion.experiment import Experiment
from fashion.gates import gate_tables
from fashion.runs import read_experiment
from fashion.tasks import mixed_styles
from fashion.training import read

PICTURES, HELD_OUT = 20_000, 5_000
MIXED = ""  # the one task, which needs no name


def run(parser: ArgumentParser, options: Namespace) -> Report:
    """Compares residual nets, and draws what only they have."""
    experiment = read_experiment(parser, options, {MIXED: mixed_styles}, PICTURES, HELD_OUT)
    runs = experiment.run()
    save_training({MIXED: runs}, experiment.settings["rho_start"], options.output)
    _save_nets_pictures(runs, experiment, options)
    rows = accuracies_by_style(runs)
    return experiment.report(
        "each drawn in one of four styles",
        "in every style",
        runs,
        [
            norm_table("Accuracy on held-out garments, %", rows),
            *lead_tables("Leads on the mean of the styles, points, by seed", rows["mean"]),
            *gate_tables({"Gates of BIN": runs}),
        ],
        claims(runs),
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
                f"on average over the styles, BIN ({means['BIN']:.2f} %) is not behind the best "
                f"placement found by hand ({best}, {means[best]:.2f} %)",
                round(means["BIN"] - means[best], 6) >= 0,
            )
        )
    return made


def _save_nets_pictures(runs: list[dict], experiment: Experiment, options: Namespace) -> None:
    """Saves the gates of the first seed's net, and what BN and BIN read differently."""
    seed, norms = options.seeds[0], {each["norm"] for each in runs}
    if "BIN" not in norms:
        return
    nets = {"BIN": experiment.load_net(seed, MIXED, "BIN")}
    figure = keras_bin.plot_rho(nets["BIN"], by="depth")
    save_picture(figure, options.output / "rho_by_depth.png")
    if "BN" in norms:
        nets["BN"] = experiment.load_net(seed, MIXED, "BN")
        tests = experiment.task(MIXED, seed).tests
        readings = {
            norm: {style: read(net, test.pictures) for style, test in tests.items()}
            for norm, net in nets.items()
        }
        save_picture(plot_disagreements(tests, readings), options.output / "disagreements.png")
