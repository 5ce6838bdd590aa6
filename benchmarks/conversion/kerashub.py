"""Small backbones of KerasHub with batch normalization that are not in the zoo."""

from benchmarks.zoo.kerashub import hg_net, resnet
from benchmarks.zoo.net import Net


def _basnet():
    import keras_hub

    encoder = resnet([64, 128, 256, 512], [2, 2, 2, 2], [1, 2, 2, 2], "basic_block", None)
    return keras_hub.models.BASNetBackbone(
        image_encoder=encoder, num_classes=1, image_shape=(32, 32, 3), projection_filters=64
    )


def _dense_net():
    import keras_hub

    return keras_hub.models.DenseNetBackbone(
        stackwise_num_repeats=[2, 3, 3, 2], growth_rate=16, image_shape=(32, 32, 3)
    )


def _d_fine():
    import keras_hub

    return keras_hub.models.DFineBackbone(
        backbone=hg_net((None, None, 3), ["stage3", "stage4"]),
        decoder_in_channels=[32, 32],
        encoder_hidden_dim=32,
        num_denoising=0,
        num_labels=4,
        hidden_dim=32,
        learn_initial_query=False,
        num_queries=12,
        anchor_image_size=(64, 64),
        feat_strides=[16, 32],
        num_feature_levels=2,
        encoder_in_channels=[128, 256],
        encode_proj_layers=[1],
        num_attention_heads=4,
        encoder_ffn_dim=64,
        num_encoder_layers=1,
        hidden_expansion=0.34,
        depth_multiplier=0.5,
        eval_idx=-1,
        num_decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=64,
        decoder_n_points=[3, 3],
        lqe_hidden_dim=16,
        num_lqe_layers=2,
        out_features=["stage3", "stage4"],
        image_shape=(64, 64, 3),
        data_format="channels_last",
        seed=0,
    )


def _mobile_net_v5():
    import keras_hub

    return keras_hub.models.MobileNetV5Backbone(
        stackwise_block_types=[["er"], ["uir", "uir"]],
        stackwise_num_blocks=[1, 2],
        stackwise_num_filters=[[24], [48, 48]],
        stackwise_strides=[[2], [2, 1]],
        stackwise_act_layers=[["relu"], ["relu", "relu"]],
        stackwise_exp_ratios=[[4.0], [6.0, 6.0]],
        stackwise_se_ratios=[[0.0], [0.0, 0.0]],
        stackwise_dw_kernel_sizes=[[0], [5, 5]],
        stackwise_dw_start_kernel_sizes=[[0], [0, 0]],
        stackwise_dw_end_kernel_sizes=[[0], [0, 0]],
        stackwise_exp_kernel_sizes=[[3], [0, 0]],
        stackwise_pw_kernel_sizes=[[1], [0, 0]],
        stackwise_num_heads=[[0], [0, 0]],
        stackwise_key_dims=[[0], [0, 0]],
        stackwise_value_dims=[[0], [0, 0]],
        stackwise_kv_strides=[[0], [0, 0]],
        stackwise_use_cpe=[[False], [False, False]],
        use_msfa=False,
        norm_layer="batch_norm",
        image_shape=(32, 32, 3),
    )


def _retina_net():
    import keras_hub

    encoder = resnet([64, 64, 128, 128], [1, 1, 1, 1], [1, 2, 2, 2], "basic_block", None)
    return keras_hub.models.RetinaNetBackbone(
        image_encoder=encoder,
        min_level=3,
        max_level=6,
        use_p5=False,
        use_fpn_batch_norm=True,
        image_shape=(64, 64, 3),
    )


def _xception():
    import keras_hub

    return keras_hub.models.XceptionBackbone(
        stackwise_conv_filters=[[16, 32], [48, 48], [64, 64]],
        stackwise_pooling=[True, True, False],
        image_shape=(64, 64, 3),
    )


NETS = {
    "hub/BASNetBackbone": Net(_basnet, "keras_hub"),
    "hub/DFineBackbone": Net(_d_fine, "keras_hub"),
    "hub/DenseNetBackbone": Net(_dense_net, "keras_hub"),
    "hub/MobileNetV5Backbone": Net(_mobile_net_v5, "keras_hub"),
    "hub/RetinaNetBackbone": Net(_retina_net, "keras_hub"),
    "hub/XceptionBackbone": Net(_xception, "keras_hub"),
}
