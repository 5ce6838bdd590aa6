"""A figure that notebooks show by themselves. Importing this module needs matplotlib."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A Matplotlib figure that a notebook shows where neither pyplot nor a magic command was used.

    IPython knows how to show Matplotlib's own class only once pyplot has drawn with it. After
    that, or after `%matplotlib inline`, that way goes first, and the figure is shown once.
    """

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()
