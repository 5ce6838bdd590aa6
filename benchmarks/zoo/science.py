"""Nets for microscopy, genomes, sound and time series."""

import types

import keras
import numpy as np

from benchmarks.zoo.files import package_folder
from benchmarks.zoo.net import Net

BASES = 10_100  # SpliceAI crops 5,000 bases from either end
WEIGHTS = {
    keras.layers.Conv2D: ("kernel", "bias"),
    keras.layers.BatchNormalization: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def _stardist_2d():
    from stardist.models import Config2D, StarDist2D

    config = Config2D(
        n_rays=16,
        n_channel_in=1,
        grid=(2, 2),
        unet_batch_norm=True,
        unet_n_depth=2,
        unet_n_filter_base=8,
    )
    return StarDist2D(config, name=None, basedir=None).keras_model


def _stardist_3d():
    from stardist.models import Config3D, StarDist3D

    config = Config3D(
        rays=16,
        n_channel_in=1,
        grid=(1, 1, 1),
        backbone="resnet",
        resnet_batch_norm=True,
        resnet_n_blocks=2,
        resnet_n_filter_base=8,
    )
    return StarDist3D(config, name=None, basedir=None).keras_model


def _splice_ai():
    path = package_folder("spliceai") / "models" / "spliceai1.h5"
    return keras.models.load_model(path, compile=False)


def _bases(count):
    letters = np.random.default_rng(0).integers(0, 4, (count, BASES))
    return np.eye(4, dtype="float32")[letters]


def _tcn():
    from tcn import TCN

    inputs = keras.Input((32, 4))
    x = TCN(
        nb_filters=8,
        kernel_size=3,
        dilations=(1, 2, 4),
        use_batch_norm=True,
        return_sequences=True,
    )(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def _basic_pitch():
    """Builds Basic Pitch under Keras 3, which it was not written for, and gives it its weights."""
    import tensorflow as tf
    from basic_pitch import models
    from basic_pitch.layers import signal

    build = signal.NormalizedLog.build
    signal.NormalizedLog.build = lambda self, shape: build(self, tf.TensorShape(shape))
    symbolic = types.ModuleType("tf")  # tf.expand_dims does not accept Keras tensors
    symbolic.__getattr__ = lambda name: getattr(tf, name)
    symbolic.expand_dims = keras.ops.expand_dims
    models.tf = symbolic
    model = models.model()
    folder = package_folder("basic_pitch") / "saved_models" / "icassp_2022" / "nmp"
    _set_weights(model, tf.train.load_checkpoint(str(folder / "variables" / "variables")))
    return model


def _set_weights(model, checkpoint):
    """Gives each layer the first values in the file that match its kind and its shapes."""
    waiting = [layer for layer in model.layers if type(layer) in WEIGHTS]
    index = 0
    while waiting:
        stem = f"layer_with_weights-{index}"
        kind = next(
            kind for kind, names in WEIGHTS.items() if checkpoint.has_tensor(_key(stem, names[0]))
        )
        values = [checkpoint.get_tensor(_key(stem, name)) for name in WEIGHTS[kind]]
        shapes = [value.shape for value in values]
        layer = next(
            layer
            for layer in waiting
            if type(layer) is kind and [tuple(weight.shape) for weight in layer.weights] == shapes
        )
        layer.set_weights(values)
        waiting.remove(layer)
        index += 1


def _key(stem, name):
    return f"{stem}/{name}/.ATTRIBUTES/VARIABLE_VALUE"


NETS = {
    "basic_pitch/model-pretrained": Net(_basic_pitch, "basic_pitch", trained=True),
    "spliceai/1-pretrained": Net(_splice_ai, "spliceai", free=BASES, samples=_bases, trained=True),
    "stardist/StarDist2D-bn": Net(_stardist_2d, "stardist"),
    "stardist/StarDist3D-resnet-bn": Net(_stardist_3d, "stardist"),
    "tcn/TCN-bn": Net(_tcn, "tcn"),
}
