"""The recorded rows in short, one line for each family or package, as the documentation has them.

python -m benchmarks.conversion.summary
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.report import RESULTS, table_lines
from benchmarks.zoo.outcome import read_row

PACKAGES = {
    "hub": "KerasHub",
    "kimm": "kimm",
    "keras_cv": "KerasCV",
    "segmodels": "segmodels-keras",
    "unet_collection": "keras-unet-collection",
    "zeromodels": "zeromodels",
}
OTHERS = "others"
FAMILIES = (
    *("DenseNet", "EfficientNetV2", "EfficientNet", "InceptionResNetV2", "InceptionV3"),
    *("MobileNetV3", "MobileNetV2", "MobileNet", "NASNet", "ResNet", "Xception"),
)


def summary(rows: Sequence[Mapping]) -> list[dict]:
    """Returns a row for each group of networks, with the worst of its figures."""
    groups: dict[str, list[Mapping]] = {}
    for row in rows:
        groups.setdefault(group(row["net"]), []).append(row)
    return [_summed(name, members) for name, members in groups.items()]


def group(name: str) -> str:
    """Returns what a network is listed under."""
    package, _, net = name.partition("/")
    if package != "apps":
        return PACKAGES.get(package, OTHERS)
    if net.startswith("ResNet") and net.endswith("V2"):
        return "ResNetV2"
    return next(family for family in FAMILIES if net.startswith(family))


def _summed(name, rows):
    made = [row for row in rows if "converted" in row]
    return {
        "networks": name,
        "converted": f"{len(made)} of {len(rows)}",
        "layers": f"{sum(row['converted'] for row in made)} of {sum(row['BN'] for row in made)}",
        "float64": _largest(made, "float64"),
        "training": _largest(made, "training", "statistics"),
        "float32 / rounding": _largest(made, "float32 / rounding"),
        "convert / clone_model": _largest(made, "convert / clone_model"),
        **{step: _right(made, step) for step in ("fold", "ONNX", "SavedModel")},
    }


def _largest(rows: Iterable[Mapping], *columns: str) -> float | None:
    values = [row.get(column) for row in rows for column in columns]
    return max((value for value in values if isinstance(value, float)), default=None)


def _right(rows, step):
    tried = [row[step].status == "ok" for row in rows if step in row]
    return f"{sum(tried)} of {len(tried)}" if tried else None


def recorded_table() -> str:
    """Returns the table of the newest recorded results, as Markdown."""
    newest = max(RESULTS.glob("*-conversion.json"))
    (section,) = json.loads(newest.read_text())["sections"]
    rows = [read_row(row) for row in section["rows"]]
    groups = summary(rows)
    return "\n".join(table_lines(list(groups[0]), groups))


if __name__ == "__main__":
    print(recorded_table())
