"""Read digits of four styles with one net: BN, IN, their fixed mean, and BIN.

    python examples/mixed_domain.py

A setting of the paper (section 4.3, Table 3), small: several visual domains, one net. The domains
are four styles of the handwritten digits of scikit-learn: clean, inverted, in random colours, and
of low contrast. A net of four convolutions learns 1,347 digits, each drawn in one style, and is
tested on 450 others in every style. All normalizations get the same pictures, seeds, optimizer
and number of epochs. The output folder receives `results.json`, `results.md`, and
`mixed_domain.png`: accuracies by style, and where rho went.

The claim: on the average of the styles, BIN is ahead of BN by one point at least.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from statistics import mean

import numpy as np
from matplotlib.figure import Figure

from common.charts import plot_grouped_scores, plot_rho
from common.digit_styles import draw_held_out, load_split
from common.mixed_styles import accuracies_by_style, compare_norms
from common.norms import NORMS
from common.options import add_quick, option_parser, read_options
from common.report import Claim, Report, publish, score_table
from common.training import SETTINGS

PROGRAM = "mixed_domain.py"
EPOCHS, QUICK_EPOCHS = 15, 2
LEAD = 1.0


def claims(runs: list[dict]) -> list[Claim]:
    """Compares the means over styles and seeds."""
    means = {norm: mean(values) for norm, values in accuracies_by_style(runs)["mean"].items()}
    lead = round(means["BIN"] - means["BN"], 6)
    return [
        Claim(
            f"on the average of the styles, BIN ({means['BIN']:.2f} %) is ahead of "
            f"BN ({means['BN']:.2f} %) by {LEAD:.0f} point at least",
            lead >= LEAD,
        )
    ]


def plot(runs: list[dict]) -> Figure:
    """Draws the accuracies in each style, and rho from the first layer to the last."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    scores, gates = figure.subplots(1, 2, width_ratios=[3, 1])
    plot_grouped_scores(scores, accuracies_by_style(runs), "held-out accuracy (%)")
    plot_rho(gates, np.array([run["rho"] for run in runs if run["norm"] == "BIN"]))
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/mixed_domain")
    add_quick(parser, f"{QUICK_EPOCHS} epochs instead of {EPOCHS}")
    options = read_options(parser, arguments)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    digits = load_split()
    runs, _ = compare_norms(list(NORMS), options.seeds, epochs, digits, draw_held_out(digits))
    report = Report(
        caption=f"{len(digits.train_scans)} handwritten digits of 8x8 pixels, each drawn in one "
        f"of four styles, to train on; {len(digits.test_scans)} others, drawn in every style, to "
        f"test on; a net of four convolutions, {epochs} epochs. The paper's own domains and nets "
        "are larger. Mean ± standard deviation over seeds.",
        settings={"epochs": epochs, **SETTINGS},
        runs=runs,
        tables=[score_table("Accuracy on held-out digits, %", "style", accuracies_by_style(runs))],
        claims=claims(runs),
    )
    plot(runs).savefig(options.output / "mixed_domain.png", dpi=150)
    publish(report, options)


if __name__ == "__main__":
    main()
