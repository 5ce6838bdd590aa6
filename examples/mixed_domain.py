"""Read pictures of four styles with one net: BN, IN, their fixed mean, BIN, and placements by hand.

    python examples/mixed_domain.py
    python examples/mixed_domain.py --data fashion

An experiment of the paper (section 4.3, Table 3): several visual domains, one net. The domains are
four styles: clean, inverted, in random colours, and of low contrast. Every picture to learn from
is drawn in one of them, and the net is tested on others in every style. All normalizations get
the same pictures, seeds, optimizer and number of epochs.

Without options, a net of four convolutions learns 1,347 of scikit-learn's handwritten digits. With
`--data fashion`, a ResNet-20 learns 20,000 pictures of Fashion-MNIST, and BIN is compared with its
alternatives: instance normalization (IN) at the first layer and BN elsewhere, BIN at the first
layer only, IBN-Net (half of the channels of each block's first normalization are IN; Pan et al.
2018, https://arxiv.org/abs/1807.09441), and BIN whose rho takes steps as long as those of the other
weights. That takes hours. Each run has a file in `runs/` of the output folder, each epoch is backed
up, and the program resumes where it was stopped.

The output folder receives `results.json`, `results.md`, and `mixed_domain.png`: accuracies by
style, and where rho went. Fashion-MNIST adds `learning.png` (loss and accuracy by epoch), `rho.png`
(rho in training, and the gates at the end), `rho_by_depth.png` (like the paper's Figure 2) and
`disagreements.png` (pictures that BN reads wrong and BIN right, and vice versa).

The claims: on average over the styles, BIN is ahead of BN by at least one point, and, on
Fashion-MNIST, not behind the best placement found by hand.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from argparse import Namespace
from collections.abc import Sequence
from statistics import mean

import numpy as np
from matplotlib.figure import Figure

from common.charts import plot_grouped_scores, plot_rho
from common.digits import load_digit_scans
from common.mixed_styles import accuracies_by_style, compare_norms, lead_claim
from common.norms import ALL_NORMS
from common.options import add_norms, add_quick, option_parser, read_options
from common.report import Claim, Report, publish, score_table
from common.styles import draw_held_out
from common.training import SETTINGS
from common.whole_files import save_picture
from fashion import mixed
from fashion.options import FASHION, add_data, add_epochs, add_recipe, check_data, digit_norms

PROGRAM = "mixed_domain.py"
EPOCHS, QUICK_EPOCHS = 15, 2  # of digits


def claims(runs: list[dict]) -> list[Claim]:
    """Compares the means over styles and seeds, if BN and BIN were both run."""
    means = {norm: mean(values) for norm, values in accuracies_by_style(runs)["mean"].items()}
    return [lead_claim(means)] if {"BN", "BIN"} <= means.keys() else []


def plot(runs: list[dict]) -> Figure:
    """Draws the accuracies in each style, and rho from the first layer to the last."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    scores, gates = figure.subplots(1, 2, width_ratios=[3, 1])
    plot_grouped_scores(scores, accuracies_by_style(runs), "held-out accuracy (%)")
    rho = [run["rho"] for run in runs if run["norm"] == "BIN"]
    if rho:
        plot_rho(gates, np.array(rho))
    else:
        gates.remove()
    return figure


def run_digits(options: Namespace, norms: Sequence[str]) -> Report:
    """Compares nets of four convolutions that learn digits."""
    epochs = options.epochs or (QUICK_EPOCHS if options.quick else EPOCHS)
    digits = load_digit_scans()
    runs, _ = compare_norms(norms, options.seeds, epochs, digits, draw_held_out(digits))
    return Report(
        caption=f"{len(digits.train_scans)} handwritten digits of 8x8 pixels, each drawn in one "
        f"of four styles, to train on; {len(digits.test_scans)} others, drawn in every style, to "
        f"test on; a net of four convolutions, {epochs} epochs. The paper's own domains and nets "
        "are larger. Mean ± standard deviation over seeds.",
        settings={"epochs": epochs, **SETTINGS},
        runs=runs,
        tables=[score_table("Accuracy on held-out digits, %", "style", accuracies_by_style(runs))],
        claims=claims(runs),
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/mixed_domain")
    add_recipe(add_data(parser, mixed.PICTURES))
    add_epochs(parser, EPOCHS)
    add_norms(parser, ALL_NORMS)
    add_quick(parser, f"{QUICK_EPOCHS} epochs, and of Fashion-MNIST few pictures and a small net")
    options = read_options(parser, arguments)
    check_data(parser, options)
    if options.data == FASHION:
        report = mixed.run(parser, options)
    else:
        report = run_digits(options, digit_norms(parser, options))
    save_picture(plot(report.runs), options.output / "mixed_domain.png")
    publish(report, options)


if __name__ == "__main__":
    main()
