"""Classifiers by name: the nets of the paper's Table 2, and others of their families."""

import re
from collections.abc import Callable
from typing import NamedTuple

import keras

from common.layers import Layers
from common.norms import PLACED_NORMS, Norm
from common.plain_nets import alexnet, vgg
from common.preresnet import densenet_bc, preresnet, wide_resnet
from common.resnet import resnet, resnext


class Family(NamedTuple):
    """Nets that differ in a few numbers.

    Attributes:
        trunk: makes features from pictures; called with `(x, layers, *numbers)`.
        example: the name of one of them: the family and the numbers, each after "-" or "x".
        smallest: the least height and width of pictures.
        tells_places: whether the trunk tells its layers the places of `Norm`.
    """

    trunk: Callable
    example: str
    smallest: int = 1
    tells_places: bool = False


FAMILIES = {
    "alexnet": Family(alexnet, "alexnet", smallest=32),
    "vgg": Family(vgg, "vgg-19", smallest=32),
    "resnet": Family(resnet, "resnet-110", smallest=4, tells_places=True),
    "preresnet": Family(preresnet, "preresnet-110", smallest=4),
    "wrn": Family(wide_resnet, "wrn-28-10", smallest=4),
    "resnext": Family(resnext, "resnext-29-8x64", smallest=4, tells_places=True),
    "densenet-bc": Family(densenet_bc, "densenet-bc-100-12", smallest=4),
}


def build_classifier(
    name: str,
    norm: Norm,
    shape: tuple[int, int, int],
    classes: int,
    weight_decay: float = 0.0,
) -> keras.Model:
    """Builds a net that ends in logits, not compiled.

    Args:
        name: a family of `FAMILIES` and its numbers, such as "resnet-20" or "wrn-28-10".
        norm: makes the normalization layers.
        shape: height, width and channels of the pictures.
        classes: number of logits.
        weight_decay: see `Layers`.

    Raises:
        ValueError: there is no such net, the pictures are too small for it, or the normalization
            differs by place and the net does not tell places.
    """
    family, numbers = _find(name)
    if min(shape[:2]) < family.smallest:
        raise ValueError(
            f"{name} needs pictures of {family.smallest}x{family.smallest} pixels or more. "
            f"Received: {shape[0]}x{shape[1]}"
        )
    if norm.places and not family.tells_places:
        raise ValueError(
            f"a normalization at chosen places, such as {', '.join(PLACED_NORMS)}, needs a resnet "
            f"or a resnext. Received: {name}"
        )
    layers = Layers(norm, weight_decay)
    pictures = keras.Input(shape, name="pictures")
    return norm.model_class(
        pictures, layers.logits(family.trunk(pictures, layers, *numbers), classes)
    )


def _find(name):
    found = re.fullmatch(r"([a-z-]*[a-z])((?:[-x]\d+)*)", name)
    family = FAMILIES.get(found[1]) if found else None
    if family:
        numbers = [int(number) for number in re.findall(r"\d+", found[2])]
        if len(numbers) == len(re.findall(r"\d+", family.example)):
            return family, numbers
    raise ValueError(
        "A net must be named as one of "
        f"{', '.join(each.example for each in FAMILIES.values())}, with other numbers or these. "
        f"Received: {name!r}"
    )
