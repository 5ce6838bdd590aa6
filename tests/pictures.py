"""Where the texts of a picture stand, as measured after it was drawn."""

import itertools

from matplotlib.text import Text


def text_boxes(figure):
    """Returns each visible text of a figure with its bounding box, in pixels."""
    figure.draw_without_rendering()
    ticks = set()
    shown = []
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            ticks |= {tick.label1, tick.label2}
            if axis.get_visible() and low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                shown += [tick.label1, tick.label2]
    texts = [text for text in figure.findobj(Text) if text not in ticks] + shown
    return [
        (text.get_text(), text.get_window_extent())
        for text in texts
        if text.get_visible() and text.get_text().strip()
    ]


def check_texts(figure):
    """Checks that every text of a figure lies inside it, and that no two overlap."""
    boxes = text_boxes(figure)
    width, height = figure.bbox.size
    for text, box in boxes:
        assert 0 <= box.x0 <= box.x1 <= width, text
        assert 0 <= box.y0 <= box.y1 <= height, text
    for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other_box), (text, other)
