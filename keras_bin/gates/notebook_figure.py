"""A figure that notebooks display automatically. Importing this module requires matplotlib."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A Matplotlib figure that a notebook displays even without pyplot or a magic command.

    IPython can display Matplotlib's own class only once pyplot has drawn with it. After that, or
    after `%matplotlib inline`, its own way takes precedence, so the figure is displayed once.
    """

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()
