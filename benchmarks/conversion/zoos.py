"""More nets of the zoo's packages: families of kimm and zeromodels, U-Nets, and detectors."""

import functools

from benchmarks.zoo.classifiers import CLASSES, zeromodel
from benchmarks.zoo.classifiers import kimm as kimm_model
from benchmarks.zoo.net import Net

KIMM = {
    "ConvMixer736D32": 32,
    "DenseNet121": 32,
    "EfficientNetLiteB0": 32,
    "GhostNetV2W100": 64,
    "HGNetV2B0": 32,
    "InceptionNeXtTiny": 32,
    "InceptionV3": 75,
    "LCNet035": 32,
    "MobileNetV2W050": 32,
    "MobileNetV3W050Small": 32,
    "MobileOneS0": 32,
    "MobileViTXXS": 64,
    "MobileViTV2W050": 64,
    "ResNet18": 32,
    "TinyNetE": 32,
    "Xception": 71,
}
ZEROMODELS = {
    "DeepLabV3SemanticSegment": ("deeplabv3", 64, {"num_classes": 4}),
    "EfficientFormerImageClassify": (
        "efficientformer",
        224,  # its attention has this size
        {"depths": (1, 1, 1, 2), "embed_dim": (16, 24, 32, 64), "num_classes": CLASSES},
    ),
    "MaxViTImageClassify": (
        "maxvit",
        64,
        {
            "stem_width": 16,
            "depths": (1, 1, 1, 1),
            "embed_dim": (16, 32, 48, 64),
            "num_heads": (1, 2, 3, 4),
            "window_size": 2,
            "num_classes": CLASSES,
        },
    ),
    "MobileNetV4ImageClassify": ("mobilenetv4", 64, {"num_classes": CLASSES}),
    "NextViTImageClassify": ("nextvit", 64, {"num_classes": CLASSES}),
    "Res2NetImageClassify": ("res2net", 64, {"depth": (1, 1, 1, 1), "num_classes": CLASSES}),
    "RTDETRDetect": (
        "rt_detr",
        64,
        {"decoder_num_layers": 1, "num_queries": 12, "num_classes": 4},
    ),
}
U_NETS = {
    "att_unet_2d": {"filter_num": [8, 16, 32], "attention": "multiply"},
    "r2_unet_2d": {"filter_num": [8, 16, 32]},
    "u2net_2d": {"filter_num_down": [8, 16, 16, 16], "deep_supervision": True},
    "unet_3plus_2d": {"filter_num_down": [8, 16, 32], "deep_supervision": True},
    "unet_plus_2d": {"filter_num": [8, 16, 32]},
}


def _u_net(name, arguments):
    from keras_unet_collection import models

    return getattr(models, name)((64, 64, 3), n_labels=2, batch_norm=True, **arguments)


def _segmentation(name, size):
    import segmodels_keras

    return getattr(segmodels_keras, name)(
        "resnet18", input_shape=(size, size, 3), encoder_weights=None, classes=3
    )


def _discriminator():
    from easygans.dcgan import DCGAN

    gan = DCGAN.__new__(DCGAN)
    gan.convolution_scale, gan.img_shape = 1, (32, 32, 3)
    return gan.build_discriminator()


NETS = {
    **{
        f"kimm/{name}": Net(functools.partial(kimm_model, name, size), "kimm")
        for name, size in KIMM.items()
    },
    **{
        f"zeromodels/{name}": Net(
            functools.partial(zeromodel, module, name, image_size=size, **arguments), "zeromodels"
        )
        for name, (module, size, arguments) in ZEROMODELS.items()
    },
    **{
        f"unet_collection/{name}": Net(
            functools.partial(_u_net, name, arguments), "keras_unet_collection"
        )
        for name, arguments in U_NETS.items()
    },
    "easygans/dcgan-discriminator": Net(_discriminator, "easygans"),
    "segmodels/FPN-resnet18": Net(functools.partial(_segmentation, "FPN", 32), "segmodels_keras"),
    "segmodels/Linknet-resnet18": Net(
        functools.partial(_segmentation, "Linknet", 32), "segmodels_keras"
    ),
    "segmodels/PSPNet-resnet18": Net(
        functools.partial(_segmentation, "PSPNet", 48), "segmodels_keras"
    ),
}
