"""Plain values: what JSON takes, and nothing else."""

import json
import math
from pathlib import Path
from typing import NamedTuple

from keras_bin.export.results.plain import plain


class Pair(NamedTuple):
    first: object
    second: object


def test_every_kind_of_value_becomes_plain():
    value = Pair(Path("a", "b"), (Pair(1, 2.5), {"x": (math.nan, -math.inf)}, None, True))
    assert plain(value) == {
        "first": str(Path("a", "b")),
        "second": [{"first": 1, "second": 2.5}, {"x": ["nan", "-inf"]}, None, True],
    }
    json.dumps(plain(value), allow_nan=False)
