"""Serve BIN's accuracy at the price of BN: settled gates, free ones, and placements by hand.

    python examples/serving_cost.py

A BIN layer costs next to nothing in training. When it is served, a layer with a gate below 1
computes statistics of each picture. A layer with all gates at 1 costs nothing, because the
convolution before it absorbs it. Here a ResNet-20 learns 20,000 pictures of Fashion-MNIST in four
styles, as in mixed_domain.py:

- BN, and BIN with free gates;
- BIN settled: rho starts at 1/2, and `keras_bin.SettleRho` settles the gates of each layer after a
  fifth of the epochs;
- placements by hand: instance normalization (IN), BIN, or the fixed mean of IN and BN at the first
  layer and BN elsewhere, and IBN-Net.

The nets of the first seed are exported for each runtime that is installed (ONNX Runtime, OpenVINO,
LiteRT, TensorFlow), and timed in turns, in ONNX Runtime and OpenVINO also in int8. The nets of all
seeds are tested in int8, too, calibrated on training pictures of the first seed. Each run has a
file in `runs/` of the output folder, and trainings resume where they were stopped; runs of
mixed_domain.py may be copied there, too.

The output folder receives `results.json`, `results.md` and `serving_cost.png`: accuracy against
latency, one point per net.

The claims: settled gates are at most 0.2 points less accurate than free ones, keep 80 % of their
lead over BN, and are ahead of every placement without a mean; and they cost no more than the limits
below.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")  # as many as the other runtimes use
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from common.charts import COLOURS
from common.mixed_styles import accuracies_by_style
from common.norms import ALL_NORMS, PLACED_NORMS, SERVED_NORMS, SETTLED
from common.options import add_norms, add_quick, option_parser, read_options
from common.report import Claim, lead_tables, mean_and_deviation, norm_table, publish
from common.run_files import file_name
from common.whole_files import save_picture
from fashion import latency
from fashion.experiment import Experiment
from fashion.options import add_epochs, add_files, add_recipe
from fashion.runs import read_experiment
from fashion.tasks import mixed_styles
from fashion.training import Task

PROGRAM = "serving_cost.py"
PICTURES, HELD_OUT, CALIBRATION = 20_000, 5_000, 256
NORMS = ["BN", "BIN", SETTLED, *PLACED_NORMS, "BN+IN first"]
ROUNDS = {1: 400, 32: 60}
QUICK_ROUNDS = {1: 5, 4: 5}
LOSS, KEPT = 0.2, 0.8  # points, and share of the lead
# Time over that of BN, by runtime and number of pictures.
LIMITS = {
    "ONNX Runtime": {1: 1.10, 32: 1.12},
    "OpenVINO": {1: 1.00, 32: 1.00},
    "LiteRT": {1: 1.02, 32: 1.04},
    "TensorFlow": {1: 1.05, 32: 1.05},
}

FLOAT = "float"

Times = dict[str, dict[str, dict[int, float]]]
Read = Mapping[str, Mapping[str, Sequence[float]]]  # by form of the nets and norm, one per seed


def ratios(times: Times) -> dict[tuple[str, int], dict[str, float]]:
    """Returns the time of each net over that of BN, by runtime and number of pictures."""
    return {
        (runtime, batch): {norm: own[batch] / nets["BN"][batch] for norm, own in nets.items()}
        for runtime, nets in times.items()
        for batch in next(iter(nets.values()))
    }


def accuracy_claims(means: Mapping[str, float]) -> list[Claim]:
    """Compares settled gates with free ones and placements, by the means over styles and seeds."""
    if not {"BN", "BIN", SETTLED} <= means.keys():
        return []
    settled, lead = means[SETTLED], means["BIN"] - means["BN"]
    made = [
        Claim(
            f"settled gates ({settled:.2f} %) are at most {LOSS} points behind free ones "
            f"({means['BIN']:.2f} %)",
            round(means["BIN"] - settled, 6) <= LOSS,
        ),
        Claim(
            f"they keep {100 * KEPT:.0f} % of the lead over BN ({means['BN']:.2f} %) at least: "
            f"{settled - means['BN']:+.2f} of {lead:+.2f} points",
            round(settled - means["BN"] - KEPT * lead, 6) >= 0,
        ),
    ]
    placed = {norm: means[norm] for norm in PLACED_NORMS if norm in means}
    if placed:
        best = max(placed, key=placed.__getitem__)
        made.append(
            Claim(
                f"they are ahead of the best placement ({best}, {placed[best]:.2f} %)",
                round(settled - placed[best], 6) > 0,
            )
        )
    return made


def latency_claims(times: Times) -> list[Claim]:
    """Compares what settled gates cost with the limits."""
    return [
        Claim(
            f"in {runtime}, settled gates take at most {LIMITS[runtime][batch]:.2f} times as long "
            f"as BN, {batch} at a time ({found[SETTLED]:.2f})",
            found[SETTLED] <= LIMITS[runtime][batch],
        )
        for (runtime, batch), found in ratios(times).items()
        if SETTLED in found and batch in LIMITS.get(runtime, ())
    ]


def latency_table(times: Times) -> Table:
    """Lists the time of each net over that of BN."""
    rows = ratios(times)
    table = Table(
        "runtime",
        "batch",
        "BN, ms",
        title=f"Time of one call, over that of BN ({latency.versions()})",
    )
    norms = [norm for norm in next(iter(times.values())) if norm != "BN"]
    for norm in norms:
        table.add_column(norm, justify="right", no_wrap=True)
    for (runtime, batch), found in rows.items():
        milliseconds = f"{times[runtime]['BN'][batch]:.2f}"
        table.add_row(runtime, str(batch), milliseconds, *(f"{found[norm]:.2f}" for norm in norms))
    return table


def plot(read: Read, times: Times) -> Figure:
    """Draws the accuracy of each net over the time of one picture, by runtime, float and int8."""
    rows = 1 + (len(times) > 4)
    columns = math.ceil(len(times) / rows)
    figure = Figure(figsize=(4 * columns + 1.5, 3.8 * rows), layout="constrained")
    plots = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    for axes, (runtime, nets) in zip(plots, times.items(), strict=False):
        batch = min(next(iter(nets.values())))
        for norm, found in ratios({runtime: nets})[runtime, batch].items():
            accuracy = mean(read.get(runtime, read[FLOAT])[norm])
            axes.scatter(
                found,
                accuracy,
                s=90,
                color=COLOURS[norm],
                marker="*" if norm == SETTLED else "o",
                label=norm,
                zorder=2,
            )
        axes.set(title=f"{runtime}, batch {batch}", xlabel="time / that of BN")
        axes.grid(color="0.9", zorder=0)
    for axes in itertools.islice(figure.axes, 0, None, columns):
        axes.set_ylabel("held-out accuracy, mean of styles (%)")
    for axes in figure.axes[len(times) :]:
        axes.remove()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    return figure


def int8_table(read: Read) -> Table:
    """Lists the accuracy of the nets in float and in int8."""
    table = Table("norm", title="Accuracy in float and in int8, mean of the styles, %")
    for form in read:
        table.add_column(form, justify="right", no_wrap=True)
    for norm in next(iter(read.values())):
        table.add_row(norm, *(mean_and_deviation(scores[norm]) for scores in read.values()))
    return table


def measure(
    runs: Sequence[dict],
    experiment: Experiment,
    task: Task,
    rounds: Mapping[int, int],
    folder: Path,
) -> tuple[list[dict], Times]:
    """Exports the nets, times those of the first seed, and tests those in int8.

    Returns:
        The runs with the accuracy in int8, in each runtime that supports it; and the times.
    """
    pictures, _ = task.draw(np.arange(min(CALIBRATION, task.number)), np.random.default_rng(0))
    found = [{**run, "accuracy in int8": {}} for run in runs]
    times: Times = {}
    for runtime in latency.installed():
        in_int8 = latency.int8_of(runtime)
        timed = {}
        for run in found:
            seed, norm = run["seed"], run["norm"]
            if seed != runs[0]["seed"] and runtime not in latency.installed(latency.IN_INT8):
                continue
            print(f"{runtime}: export of seed {seed}, {norm}")
            net = experiment.load_net(seed, "", norm)
            written = latency.write(runtime, net, folder / f"{seed}-{file_name(norm)}", pictures)
            if seed == runs[0]["seed"]:
                timed[norm] = written
            if in_int8 in written:
                read = latency.read(runtime, written[in_int8], task.tests)
                run["accuracy in int8"][in_int8] = read
        print(f"{runtime}: {sum(rounds.values())} rounds")
        times |= latency.measure(runtime, timed, rounds, pictures.shape[1:])
    return found, times


def read_by_form(runs: Sequence[dict]) -> dict[str, dict[str, list[float]]]:
    """Returns the mean over the styles, one value per seed, by form of the nets and norm."""
    found: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for form, styles in {FLOAT: run["accuracy"], **run["accuracy in int8"]}.items():
            found.setdefault(form, {}).setdefault(run["norm"], []).append(mean(styles.values()))
    return found


def with_latency(runs: Sequence[dict], times: Times, seed: int) -> list[dict]:
    """Adds the time in milliseconds to the runs whose nets were timed."""
    return [
        {**run, "ms": {runtime: nets[run["norm"]] for runtime, nets in times.items()}}
        if run["seed"] == seed
        else run
        for run in runs
    ]


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=3, folder="output/serving_cost")
    add_files(parser, PICTURES)
    add_recipe(parser)
    add_epochs(parser, 5)
    add_norms(parser, {**ALL_NORMS, **SERVED_NORMS}, default=NORMS)
    add_quick(parser, "few pictures, a small net, 2 epochs, few rounds")
    options = read_options(parser, arguments)
    if "BN" not in options.norm:
        parser.error("argument --norm: must include bn, to which all others are compared")
    experiment = read_experiment(parser, options, {"": mixed_styles}, PICTURES, HELD_OUT)
    runs = experiment.run()
    seed = options.seeds[0]
    task = experiment.task("", seed)
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    runs, times = measure(runs, experiment, task, rounds, options.output / "artifacts")
    read = read_by_form(runs)
    rows = accuracies_by_style(runs)
    means = {norm: mean(values) for norm, values in rows["mean"].items()}
    save_picture(plot(read, times), options.output / "serving_cost.png")
    report = experiment.report(
        "each drawn in one of four styles",
        "in every style",
        with_latency(runs, times, seed),
        [
            norm_table("Accuracy on held-out garments, %", rows),
            *lead_tables("Leads on the mean of the styles, points, by seed", rows["mean"]),
            latency_table(times),
            int8_table(read),
        ],
        [*accuracy_claims(means), *latency_claims(times)],
    )
    publish(report, options)


if __name__ == "__main__":
    main()
