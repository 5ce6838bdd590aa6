"""One net that learns digits in all four styles at once, and is tested in each."""

from collections.abc import Sequence
from statistics import mean

import keras
import numpy as np

import keras_bin
from common.nets import build_cnn
from common.norms import ALL_NORMS
from common.progress import run_bars
from common.report import Claim
from common.scans import Scans
from common.styles import STYLES, draw_mixed
from common.training import accuracy, train

LEAD = 1.0  # points


def compare_norms(
    norms: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    digits: Scans,
    held_out: dict[str, np.ndarray],
) -> tuple[list[dict], keras.Model]:
    """Trains and tests a net of four convolutions with every seed and normalization.

    Args:
        norms: keys of `ALL_NORMS`.
        seeds: each decides the drawing of the training digits, the initial weights and the
            order of training.
        epochs: passes over the training digits.
        digits: the scans to train on, and the labels to test with.
        held_out: from `draw_held_out`.

    Returns:
        `(runs, model)`: for each run its accuracy by style in percent and the mean of rho in
        each BIN layer, and the net that was trained last.
    """
    runs = []
    with run_bars(len(seeds) * len(norms)) as bars:
        for seed in seeds:
            pictures, _ = draw_mixed(digits.train_scans, np.random.default_rng(seed))
            for norm in norms:
                with bars.run(f"seed {seed}  {norm:{max(map(len, norms))}}", epochs) as bar:
                    keras.utils.set_random_seed(seed)
                    model = build_cnn(ALL_NORMS[norm])
                    train(model, pictures, digits.train_labels, epochs, bar.epoch_callback())
                    scores = {
                        style: accuracy(model, drawn, digits.test_labels)
                        for style, drawn in held_out.items()
                    }
                    bar.result = f"{mean(scores.values()):.1f} %"
                runs.append(
                    {
                        "norm": norm,
                        "seed": seed,
                        "seconds": bar.seconds,
                        "accuracy": scores,
                        "rho": [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)],
                    }
                )
    return runs, model


def accuracies_by_style(runs: list[dict]) -> dict[str, dict[str, list[float]]]:
    """Returns the accuracy with each seed, by style (and for their mean) and by normalization."""
    norms = list(dict.fromkeys(run["norm"] for run in runs))
    rows = {
        style: {
            norm: [run["accuracy"][style] for run in runs if run["norm"] == norm] for norm in norms
        }
        for style in STYLES
    }
    rows["mean"] = {
        norm: [mean(run["accuracy"].values()) for run in runs if run["norm"] == norm]
        for norm in norms
    }
    return rows


def lead_claim(means: dict[str, float]) -> Claim:
    """Judges the means over styles and seeds of BN and BIN."""
    return Claim(
        f"on average over the styles, BIN ({means['BIN']:.2f} %) is ahead of "
        f"BN ({means['BN']:.2f} %) by {LEAD:.0f} point at least",
        round(means["BIN"] - means["BN"], 6) >= LEAD,
    )
