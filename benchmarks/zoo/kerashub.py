"""Backbones and segmentation models of KerasHub, small."""

import keras

from benchmarks.zoo.net import Net


def _csp_net():
    import keras_hub

    return keras_hub.models.CSPNetBackbone(
        stem_filters=32,
        stem_kernel_size=3,
        stem_strides=1,
        stem_padding="same",
        stackwise_num_filters=[32, 64, 128],
        stackwise_strides=[2, 2, 2],
        stackwise_depth=[1, 1, 2],
        block_type="dark_block",
        stage_type="csp",
        groups=1,
        bottle_ratio=[0.5],
        block_ratio=[1.0],
        expand_ratio=[2.0],
        image_shape=(32, 32, 3),
    )


def resnet(
    filters: list[int], blocks: list[int], strides: list[int], block: str, size: int | None
) -> keras.Model:
    """Builds a ResNetBackbone for square images of the given size."""
    import keras_hub

    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=filters,
        stackwise_num_blocks=blocks,
        stackwise_num_strides=strides,
        block_type=block,
        use_pre_activation=False,
        image_shape=(size, size, 3),
    )


def _resnet_18():
    return resnet([64, 128, 256, 512], [2, 2, 2, 2], [1, 2, 2, 2], "basic_block", 32)


def _deep_lab():
    import keras_hub

    encoder = resnet([64, 64, 64], [2, 2, 2], [1, 2, 2], "bottleneck_block", 96)
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P4",
        upsampling_size=4,
        dilation_rates=[6, 12, 18],
        projection_filters=48,
    )
    return keras_hub.models.DeepLabV3ImageSegmenter(backbone, num_classes=4, preprocessor=None)


def _efficient_net():
    import keras_hub

    return keras_hub.models.EfficientNetBackbone(
        width_coefficient=0.35,
        depth_coefficient=1.0,
        stackwise_kernel_sizes=[3, 3, 3, 3, 5, 3],
        stackwise_num_repeats=[1, 2, 2, 2, 2, 2],
        stackwise_input_filters=[24, 24, 48, 64, 128, 160],
        stackwise_output_filters=[24, 48, 64, 128, 160, 256],
        stackwise_expansion_ratios=[1, 4, 4, 4, 6, 6],
        stackwise_squeeze_and_excite_ratios=[0, 0, 0, 0.25, 0.25, 0.25],
        stackwise_strides=[1, 2, 2, 2, 1, 2],
        stackwise_block_types=["fused"] * 3 + ["unfused"] * 3,
        include_stem_padding=False,
        image_shape=(32, 32, 3),
    )


def hg_net(
    shape: tuple[int | None, ...] = (64, 64, 3), features: list[str] | None = None
) -> keras.Model:
    """Builds an HGNetV2Backbone for images of the given shape; `features` names its outputs."""
    import keras_hub

    return keras_hub.models.HGNetV2Backbone(
        depths=[1, 1, 2, 1],
        embedding_size=16,
        hidden_sizes=[32, 64, 128, 256],
        stem_channels=[3, 16, 16],
        hidden_act="relu",
        use_learnable_affine_block=True,
        stackwise_stage_filters=[
            [16, 16, 64, 1, 3, 3],
            [64, 16, 128, 1, 3, 3],
            [128, 32, 256, 2, 3, 5],
            [256, 64, 256, 1, 3, 5],
        ],
        apply_downsample=[False, True, True, True],
        use_lightweight_conv_block=[False, False, True, True],
        out_features=features,
        image_shape=shape,
    )


def _mobile_net():
    import keras_hub

    return keras_hub.models.MobileNetBackbone(
        input_num_filters=16,
        input_activation="hard_swish",
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        squeeze_and_excite=0.5,
        stackwise_expansion=[[40, 56], [64, 144, 144]],
        stackwise_num_blocks=[2, 3],
        stackwise_num_filters=[[16, 16], [24, 24, 24]],
        stackwise_kernel_size=[[3, 3], [5, 5, 5]],
        stackwise_num_strides=[[2, 1], [2, 1, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25, 0.25]],
        stackwise_activation=[["relu"] * 2, ["hard_swish"] * 3],
        stackwise_padding=[[1, 1], [2, 2, 2]],
        output_num_filters=64,
        output_activation="hard_swish",
        last_layer_filter=64,
        image_shape=(32, 32, 3),
    )


def _seg_former():
    import keras_hub

    encoder = keras_hub.models.MiTBackbone(
        num_layers=4,
        layerwise_depths=[1, 1, 1, 1],
        layerwise_num_heads=[1, 2, 4, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        hidden_dims=[16, 32, 64, 128],
        max_drop_path_rate=0.1,
        image_shape=(64, 64, 3),
    )
    backbone = keras_hub.models.SegFormerBackbone(image_encoder=encoder, projection_filters=64)
    return keras_hub.models.SegFormerImageSegmenter(backbone, num_classes=4, preprocessor=None)


def _images_of_96(count):
    import numpy as np

    return np.random.default_rng(0).normal(1.5, 2, (count, 96, 96, 3)).astype("float32")


NETS = {
    "hub/CSPNetBackbone": Net(_csp_net, "keras_hub"),
    # Its pooling and resizing divide the size by 16 and multiply it again.
    "hub/DeepLabV3ImageSegmenter": Net(_deep_lab, "keras_hub", free=96, samples=_images_of_96),
    "hub/EfficientNetBackbone": Net(_efficient_net, "keras_hub"),
    "hub/HGNetV2Backbone": Net(hg_net, "keras_hub"),
    "hub/MobileNetBackbone": Net(_mobile_net, "keras_hub"),
    "hub/ResNetBackbone-18": Net(_resnet_18, "keras_hub"),
    "hub/SegFormerImageSegmenter": Net(_seg_former, "keras_hub"),
}
