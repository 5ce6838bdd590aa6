"""What all plots of gates share: the figure, the names in it, and its measurements."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

RHO = "rho   (0: instance normalization, 1: batch normalization)"
_DEFAULT_FONT_SIZE = 10


def new_picture(needed_by: str) -> "Figure":
    """Returns an empty figure without a layout engine, which notebooks display automatically.

    Args:
        needed_by: what draws the plot, for the error message.

    Raises:
        ImportError: matplotlib is missing.
    """
    try:
        from matplotlib.layout_engine import PlaceHolderLayoutEngine

        from keras_bin.gates.notebook_figure import NotebookFigure
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs matplotlib; install it with: pip install 'keras-bin[plot]'"
        ) from error
    no_layout = PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True)
    return NotebookFigure(layout=no_layout)


def layer_names(gates: Mapping[str, NDArray[Any]]) -> list[str]:
    """Returns the names of layers, each with its number of channels.

    Args:
        gates: by layer, arrays of shape `(..., channels)`.
    """
    return [f"{name} ({rho.shape[-1]})" for name, rho in gates.items()]


def title_of(text: str, gates: Mapping[str, NDArray[Any]]) -> str:
    """Returns the title of a plot, with the number of gates that are not in it, if any.

    Args:
        text: what the plot shows.
        gates: by layer, arrays of shape `(..., channels)`. Without `UnitInterval`, or if training
            diverged, values may be outside [0, 1] or NaN; these are not drawn.
    """
    missing = sum(
        int((~((rho >= 0) & (rho <= 1))).reshape(-1, rho.shape[-1]).any(0).sum())
        for rho in gates.values()
    )
    return f"{text}   (not in [0, 1], so not drawn: {missing})" if missing else text


def font_scale() -> float:
    """Returns the user's font size as a multiple of the default."""
    import matplotlib

    return float(matplotlib.rcParams["font.size"]) / _DEFAULT_FONT_SIZE


def widest(figure: "Figure", texts: Sequence["Text"]) -> float:
    """Returns the width of the widest of some texts in a figure, in inches."""
    return max(text.get_window_extent().width for text in texts) / figure.dpi


def highest(figure: "Figure", texts: Sequence["Text"]) -> float:
    """Returns the height of the highest of some texts in a figure, in inches."""
    return max(text.get_window_extent().height for text in texts) / figure.dpi
