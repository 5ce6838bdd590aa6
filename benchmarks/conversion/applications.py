"""Every architecture of keras.applications that has batch normalization, in every size."""

import functools

import keras

from benchmarks.zoo.classifiers import application
from benchmarks.zoo.net import Net

WITHOUT = ("ConvNeXt", "VGG")  # LayerNormalization, and none
SMALLEST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}  # pixels; else 32


def names() -> list[str]:
    """Returns the functions of keras.applications that build a net with batch normalization."""
    return [
        name
        for name, build in vars(keras.applications).items()
        if name[0].isupper() and callable(build) and not name.startswith(WITHOUT)
    ]


NETS = {
    f"apps/{name}": Net(
        functools.partial(application, name, SMALLEST.get(name, 32)),
        "keras",
        pixels=name.startswith(("EfficientNet", "MobileNetV3")),
    )
    for name in names()
}
