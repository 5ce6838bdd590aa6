"""Garments at any contrast, or their contrast: one normalization for both tasks."""

import functools
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from common.norms import FIXED_NORMS
from common.report import Claim, Report, lead_tables, norm_table
from common.two_tasks import accuracies, close_to_the_better, mean_accuracies, shortfall
from fashion.charts import save_training
from fashion.gates import gate_tables
from fashion.runs import read_experiment
from fashion.tasks import contrast_task

PICTURES, HELD_OUT = 10_000, 10_000
TASKS = {what: functools.partial(contrast_task, what) for what in ("garment", "contrast")}
MARGIN = 0.3  # points


def run(parser: ArgumentParser, options: Namespace) -> Report:
    """Compares residual nets, and draws how they learn."""
    experiment = read_experiment(parser, options, TASKS, PICTURES, HELD_OUT)
    runs = experiment.run()
    by_task = {task: [each for each in runs if each["task"] == task] for task in TASKS}
    save_training(by_task, experiment.settings["rho_start"], options.output)
    runs = [{**each, "accuracy": each["accuracy"][each["task"]]} for each in runs]
    rows = accuracies(runs)
    return experiment.report(
        "drawn in two greys",
        "drawn likewise",
        runs,
        [
            norm_table("Accuracy on held-out garments, %", rows),
            *(
                table
                for row, scores in rows.items()
                for table in lead_tables(f"Leads on {row}, points, by seed", scores)
            ),
            *gate_tables({f"Gates of BIN, {task}": made for task, made in by_task.items()}),
        ],
        claims(runs),
    )


def claims(runs: Sequence[dict]) -> list[Claim]:
    """Judges BIN, and the normalizations that cannot choose, if BN and IN were run, too."""
    means = mean_accuracies(runs)
    norms = means.pop("average").keys()
    if not {"BN", "IN", "BIN"} <= norms:
        return []
    shortfalls = {
        norm: max(shortfall(scores, norm) for scores in means.values())
        for norm in FIXED_NORMS
        if norm in norms
    }
    listed = ", ".join(f"{norm} {points:.2f}" for norm, points in shortfalls.items())
    return [
        *close_to_the_better(means, MARGIN),
        Claim(
            f"every normalization whose mixture is fixed loses more than {MARGIN} points on one "
            f"of the tasks ({listed})",
            min(shortfalls.values()) > MARGIN,
        ),
    ]
