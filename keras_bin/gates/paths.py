"""Plots of the path that each gate took in training."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from keras_bin.gates.picture import (
    RHO,
    font_scale,
    highest,
    layer_names,
    new_picture,
    title_of,
    widest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EPOCHS = "epochs   (blue: each gate, black: mean of the layer)"
_MOST_COLUMNS = 4
# Inches, for text of the default size.
_MOST_WIDTH = 13
_PANEL_WIDTH, _PANEL_HEIGHT = 2.3, 1.25
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.7, 0.2, 0.3, 0.6
_GAP = 0.25
_EDGE = 0.07


def plot_paths(epochs: Sequence[int], paths: Mapping[str, NDArray[Any]]) -> "Figure":
    """Draws the path of every gate, one panel per layer.

    Args:
        epochs: number of finished epochs at each point.
        paths: by layer, arrays of shape `(len(epochs), channels)`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: matplotlib is missing.
    """
    # Matplotlib's layout engines take minutes for hundreds of panels, so this works without one.
    figure = new_picture("RhoHistory.plot")
    names = layer_names(paths)
    panels = _panels(figure, title_of(RHO, paths), names)
    for panel, name, rho in zip(panels, names, paths.values(), strict=True):
        panel.plot(epochs, rho, color="tab:blue", alpha=0.25, linewidth=0.8)
        panel.plot(epochs, rho.mean(1), color="black")
        panel.set_title(name, fontsize="small", parse_math=False)
    panels[0].set_ylim(-0.03, 1.03)
    panels[0].locator_params("x", integer=True)
    return figure


def _panels(figure: "Figure", heading: str, names: Sequence[str]) -> list["Axes"]:
    """Returns a panel for each name, in a figure that is large enough for its text."""
    scale = font_scale()
    top_line = figure.suptitle(heading, fontsize="medium", va="top")
    bottom_line = figure.supxlabel(_EPOCHS, fontsize="medium", va="bottom")
    side_line = figure.supylabel("rho", fontsize="medium", ha="left")
    titles = [figure.text(0, 0, name, fontsize="small", parse_math=False) for name in names]

    gap = _GAP * scale
    width = gap + max(_PANEL_WIDTH * scale, widest(figure, titles))
    fitting = max(1, int(_MOST_WIDTH * scale / width))
    columns = min(len(names), _MOST_COLUMNS, fitting)
    rows = math.ceil(len(names) / columns)
    width = max(width, widest(figure, [top_line, bottom_line]) / columns)
    title_height = gap + highest(figure, titles)
    height = title_height + _PANEL_HEIGHT * scale
    for title in titles:
        title.remove()

    left, right, top, bottom = (side * scale for side in (_LEFT, _RIGHT, _TOP, _BOTTOM))
    full_width = left + columns * width - gap + right
    full_height = top + rows * height + bottom
    figure.set_size_inches(full_width, full_height)
    figure.subplots_adjust(
        left=left / full_width,
        right=1 - right / full_width,
        top=1 - (top + title_height) / full_height,
        bottom=bottom / full_height,
        wspace=gap / (width - gap),
        hspace=title_height / (height - title_height),
    )
    top_line.set_y(1 - _EDGE * scale / full_height)
    bottom_line.set_y(_EDGE * scale / full_height)
    side_line.set_x(_EDGE * scale / full_width)

    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for panel in panels[len(names) - columns : len(names)]:  # the lowest of each column
        panel.tick_params(labelbottom=True)
    for panel in panels[len(names) :]:
        panel.remove()
    return panels[: len(names)]
