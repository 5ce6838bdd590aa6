"""Garments as they are, white on black."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from statistics import mean

from common.report import Claim, Report, lead_tables, norm_table
from fashion.charts import save_training
from fashion.gates import gate_tables
from fashion.runs import read_experiment
from fashion.tasks import PLAIN, plain_pictures

PICTURES, HELD_OUT = 10_000, 10_000
MARGIN = 0.1  # points


def run(parser: ArgumentParser, options: Namespace) -> Report:
    """Compares residual nets, and draws how they learn."""
    experiment = read_experiment(parser, options, {PLAIN: plain_pictures}, PICTURES, HELD_OUT)
    runs = experiment.run()
    save_training({"": runs}, experiment.settings["rho_start"], options.output)
    rows = accuracies(runs)
    return experiment.report(
        "moved and mirrored at random",
        "as they are",
        runs,
        [
            norm_table("Accuracy on held-out garments, %", rows),
            *lead_tables("Leads, points, by seed", rows[PLAIN]),
            *gate_tables({"Gates of BIN": runs}),
        ],
        claims(runs),
    )


def accuracies(runs: Sequence[dict]) -> dict[str, dict[str, list[float]]]:
    """Returns the accuracy with each seed by normalization, in one row."""
    norms = dict.fromkeys(run["norm"] for run in runs)
    return {
        PLAIN: {
            norm: [run["accuracy"][PLAIN] for run in runs if run["norm"] == norm] for norm in norms
        }
    }


def claims(runs: Sequence[dict]) -> list[Claim]:
    """Compares BN with BIN if both were run."""
    means = {norm: mean(values) for norm, values in accuracies(runs)[PLAIN].items()}
    if not {"BN", "BIN"} <= means.keys():
        return []
    return [
        Claim(
            f"on plain pictures, BIN ({means['BIN']:.2f} %) is not behind BN "
            f"({means['BN']:.2f} %) by more than {MARGIN} points",
            round(means["BN"] - means["BIN"], 6) <= MARGIN,
        )
    ]
