"""Garments at any contrast, or their contrast: one normalization for both tasks."""

import functools
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from common.norms import FIXED_NORMS
from common.report import Claim, Report, score_table
from common.two_tasks import accuracies, close_to_the_better, loss, mean_accuracies
from fashion.charts import plot_gates, plot_learning
from fashion.gates import gate_tables
from fashion.options import read_experiment
from fashion.tasks import contrast_task

PICTURES, HELD_OUT = 10_000, 10_000
TASKS = {what: functools.partial(contrast_task, what) for what in ("garment", "contrast")}
MARGIN = 0.3  # points


def run(parser: ArgumentParser, options: Namespace) -> Report:
    """Compares residual nets, and draws how they learn."""
    experiment = read_experiment(parser, options, TASKS, PICTURES, HELD_OUT)
    runs = experiment.run()
    for task in TASKS:
        chosen = [each for each in runs if each["task"] == task]
        plot_learning(chosen).savefig(options.output / f"learning-{task}.png", dpi=150)
    with_gates = {
        task: [each for each in runs if (each["task"], each["norm"]) == (task, "BIN")]
        for task in TASKS
    }
    if all(with_gates.values()):
        plot_gates(with_gates).savefig(options.output / "rho.png", dpi=150)
    runs = [{**each, "accuracy": each["accuracy"][each["task"]]} for each in runs]
    return Report(
        caption=f"{experiment.caption('drawn in two greys', 'drawn likewise')} "
        "Mean ± standard deviation over seeds.",
        settings=experiment.settings,
        runs=runs,
        tables=[
            score_table("Accuracy on held-out garments, %", "task", accuracies(runs)),
            *gate_tables({f"Gates of BIN, {task}": with_gates[task] for task in TASKS}),
        ],
        claims=claims(runs),
    )


def claims(runs: Sequence[dict]) -> list[Claim]:
    """Judges BIN, and the normalizations that cannot choose, if BN and IN were run, too."""
    means = mean_accuracies(runs)
    norms = means.pop("average").keys()
    if not {"BN", "IN", "BIN"} <= norms:
        return []
    losses = {
        norm: max(loss(scores, norm) for scores in means.values())
        for norm in FIXED_NORMS
        if norm in norms
    }
    listed = ", ".join(f"{norm} {points:.2f}" for norm, points in losses.items())
    return [
        *close_to_the_better(means, MARGIN),
        Claim(
            f"every normalization whose mixture is fixed loses more than {MARGIN} points on one "
            f"of the tasks ({listed})",
            min(losses.values()) > MARGIN,
        ),
    ]
