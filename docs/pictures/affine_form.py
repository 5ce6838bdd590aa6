"""Draws docs/pictures/affine-form.png: BIN as one line for each image.

python docs/pictures/affine_form.py
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

# Mean and standard deviation of one channel of three images.
IMAGES = {"dark": (-1.5, 0.5), "medium": (0.0, 1.0), "bright, high contrast": (1.5, 1.5)}
GATES = {1.0: "ρ = 1: batch normalization", 0.5: "ρ = ½", 0.0: "ρ = 0: instance normalization"}


def line(rho, mean, deviation):
    """Returns scale and offset of the image's line, with γ = 1, β = 0 and ε = 0."""
    means, deviations = np.transpose(list(IMAGES.values()))
    batch_mean = means.mean()
    batch_deviation = np.sqrt((deviations**2 + means**2).mean() - batch_mean**2)
    scale = rho / batch_deviation + (1 - rho) / deviation
    return scale, -rho * batch_mean / batch_deviation - (1 - rho) * mean / deviation


def draw():
    """Returns the figure: a panel for each gate, a line for each image, a dot at its mean."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    panels = figure.subplots(1, len(GATES), sharex=True, sharey=True)
    for panel, (rho, title) in zip(panels, GATES.items(), strict=True):
        for width, (name, (mean, deviation)) in zip((5, 3, 1.5), IMAGES.items(), strict=True):
            scale, offset = line(rho, mean, deviation)
            x = mean + 2 * deviation * np.array([-1, 1])
            (drawn,) = panel.plot(x, scale * x + offset, linewidth=width, label=name)
            panel.plot(mean, scale * mean + offset, "o", color=drawn.get_color(), markersize=7)
        panel.set(title=title, xlabel="x, before")
        panel.axhline(0, color="grey", linewidth=0.5, zorder=0)
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("y, after")
    panels[0].legend(title="image")
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_name("affine-form.png"), dpi=130)
