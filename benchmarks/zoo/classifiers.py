"""Classifiers of images and of volumes: keras.applications, kimm, k3im and others."""

import functools
import importlib

import keras

from benchmarks.zoo.net import Net

CLASSES = 10
APPLICATIONS = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "Xception": 71,
}
OF_PIXELS = ("ConvNeXtTiny", "EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Small")
KIMM = ("GhostNetW050", "RegNetY002", "RepVGGA0")


def application(name: str, size: int) -> keras.Model:
    """Builds a classifier of keras.applications for square images of the given size."""
    return getattr(keras.applications, name)(
        weights=None,
        input_shape=(size, size, 3),
        classes=CLASSES,
        classifier_activation=None,
    )


def kimm(name: str, size: int = 32) -> keras.Model:
    """Builds a classifier of kimm for square images of the given size."""
    models = importlib.import_module("kimm").models
    return getattr(models, name)(
        input_shape=(size, size, 3), weights=None, classes=CLASSES, include_preprocessing=False
    )


def _conv_mixer_1d():
    from k3im.convmixer_1d import ConvMixer1DModel

    return ConvMixer1DModel(seq_len=32, n_features=3, filters=32, depth=3)


def _conv_mixer_3d():
    from k3im.convmixer_3d import ConvMixer3DModel

    return ConvMixer3DModel(
        image_size=16, num_frames=8, filters=16, depth=2, kernel_size=3, patch_size=2
    )


def _resnet_3d():
    from classification_models_3D.kkeras import Classifiers

    resnet, _ = Classifiers.get("resnet18")
    return resnet(input_shape=(32, 32, 32, 3), weights=None, classes=4)


def _mobile_vit():
    from keras_vision.MobileViT_v1.mobile_vit_v1 import build_MobileViT_v1

    return build_MobileViT_v1("XXS", input_shape=(64, 64, 3), num_classes=CLASSES, pretrained=False)


def zeromodel(module: str, name: str, **arguments) -> keras.Model:
    """Builds a model of zeromodels, whose modules are imported one by one."""
    return getattr(importlib.import_module(f"zeromodels.models.{module}"), name)(**arguments)


NETS = {
    **{
        f"apps/{name}": Net(
            functools.partial(application, name, size), "keras", pixels=name in OF_PIXELS
        )
        for name, size in APPLICATIONS.items()
    },
    **{f"kimm/{name}": Net(functools.partial(kimm, name), "kimm") for name in KIMM},
    "classification3d/resnet18": Net(_resnet_3d, "classification_models_3D"),
    "k3im/ConvMixer1D": Net(_conv_mixer_1d, "k3im"),
    "k3im/ConvMixer3D": Net(_conv_mixer_3d, "k3im"),
    "keras_vision/MobileViT_v1-XXS": Net(_mobile_vit, "keras_vision"),
    "zeromodels/LevitImageClassify": Net(
        functools.partial(
            zeromodel, "levit", "LevitImageClassify", image_size=64, num_classes=CLASSES
        ),
        "zeromodels",
    ),
}
