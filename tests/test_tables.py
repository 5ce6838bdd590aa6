"""Tables as text, as HTML and for a terminal, and lists that show as tables."""

import copy
import pickle
from html.parser import HTMLParser

import pytest
from rich.console import Console

from keras_bin.tables import Table, TableList

TABLE = Table(
    "Layers & <gates>",
    {"name": False, "channels": True},
    [("conv[b]<1>", "8"), ("n", "1024")],
)


class Names(TableList[str]):
    def table(self):
        return Table("names", {"name": False}, [(name,) for name in self])


class Reader(HTMLParser):
    """Collects the texts of a table, and refuses tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.aligned = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.aligned += [style for key, style in attrs if key == "style" and tag == "td"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1], data))


def test_text_has_columns_of_one_width_and_figures_at_the_right():
    assert str(TABLE).splitlines() == [
        "Layers & <gates>",
        "name        channels",
        "conv[b]<1>         8",
        "n               1024",
    ]


def test_html_holds_every_text_once_and_escaped():
    reader = Reader()
    reader.feed(TABLE.html())
    assert reader.open == []
    assert reader.texts == [
        ("caption", "Layers & <gates>"),
        ("th", "name"),
        ("th", "channels"),
        ("td", "conv[b]<1>"),
        ("td", "8"),
        ("td", "n"),
        ("td", "1024"),
    ]
    assert reader.aligned == ["text-align: left", "text-align: right"] * 2


def test_html_sets_no_colors():
    """So a theme of a notebook, light or dark, sets them."""
    assert "color" not in TABLE.html()
    assert "background" not in TABLE.html()


def test_terminal_shows_texts_that_look_like_markup():
    console = Console(width=60)
    with console.capture() as capture:
        console.print(TABLE.rich({"8": "red"}))
    assert all(text in capture.get() for text in ("Layers & <gates>", "conv[b]<1>", "1024"))


def test_empty_table_has_its_headings():
    table = TABLE._replace(rows=[])
    assert str(table) == "Layers & <gates>\nname  channels"
    assert "<th" in table.html()


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_list_of_results_is_a_list(copied):
    names = Names(["a", "b"])
    assert names == ["a", "b"] == list(names)
    assert copied(names) == names
    assert str(copied(names)) == "names\nname\na\nb"
    assert names._repr_html_() == names.table().html()
    assert repr(names) == "['a', 'b']"
