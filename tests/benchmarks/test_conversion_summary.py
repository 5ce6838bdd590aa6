"""Conversions are summed up by family and package."""

import pytest

from benchmarks.conversion.row import row
from benchmarks.conversion.summary import group, recorded_table, summary
from tests.benchmarks.test_conversion import FOUND
from tests.benchmarks.test_zoo import REFUSED
from tests.structure import ROOT


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("apps/ResNet101V2", "ResNetV2"),
        ("apps/ResNet101", "ResNet"),
        ("apps/EfficientNetV2S", "EfficientNetV2"),
        ("apps/EfficientNetB3", "EfficientNet"),
        ("apps/InceptionResNetV2", "InceptionResNetV2"),
        ("apps/MobileNetV3Large", "MobileNetV3"),
        ("hub/XceptionBackbone", "KerasHub"),
        ("opennsfw2", "others"),
    ],
)
def test_networks_are_listed_by_family_or_package(name, listed):
    assert group(name) == listed


def test_summary_holds_the_worst_of_each_figure():
    other = {**FOUND, "float64": {"low": 0, "apart": 5e-13}, "ONNX": REFUSED}
    rows = [row("apps/ResNet50", FOUND), row("apps/ResNet101", other), row("apps/ResNet152", {})]
    assert summary(rows) == [
        {
            "networks": "ResNet",
            "converted": "2 of 3",
            "layers": "4 of 6",
            "float64": 5e-13,
            "training": 3e-13,
            "float32 / rounding": 4.5,
            "convert / clone_model": 2.0,
            "fold": "2 of 2",
            "ONNX": "0 of 1",
            "SavedModel": None,
        }
    ]


def test_summary_of_one_network_leaves_out_what_it_has_not():
    (found,) = summary([row("hub/x", {**FOUND, "float64": {"error": "no"}})])
    assert (found["networks"], found["float64"]) == ("KerasHub", None)


def test_documentation_shows_the_newest_results():
    assert recorded_table() in (ROOT / "docs" / "conversion.md").read_text()
