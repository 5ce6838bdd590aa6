"""Gradient reversal, by which a net unlearns what distinguishes domains."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_bin_examples")
class GradientReversal(keras.layers.Layer):
    """Returns its input unchanged, and multiplies the gradient by `-scale`.

    Attributes:
        scale: a scalar weight that is not trained, 1 at first.

    Source: Ganin et al. 2016, https://arxiv.org/abs/1505.07818, section 4.2.
    """

    def build(self, input_shape):
        """Creates `scale`."""
        self.scale = self.add_weight(shape=(), initializer="ones", trainable=False, name="scale")

    def call(self, inputs):
        """Returns the inputs."""
        return _reverse(inputs, ops.convert_to_tensor(self.scale))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the inputs."""
        return input_shape


@ops.custom_gradient
def _reverse(x, scale):
    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        return -scale * upstream, ops.zeros_like(scale)

    return x, gradient


def reversal_scale(progress: float) -> float:
    """Returns the scale at a share of the training from 0 to 1: it grows from 0 to almost 1.

    `2 / (1 + exp(-10 progress)) - 1`, so that a net distinguishes domains before it makes them
    alike.

    Source: Ganin et al. 2016, section 5.2.2.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


class ReversalSchedule(keras.callbacks.Callback):
    """Sets the scale of a reversal before each step, see `reversal_scale`.

    Args:
        reversal: a layer of the model.
        steps: how many steps the training takes.
    """

    def __init__(self, reversal: GradientReversal, steps: int):
        super().__init__()
        self._reversal = reversal
        self._steps = steps
        self._step = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Continues after the steps that the optimizer has taken, if a training was stopped."""
        self._step = int(self.model.optimizer.iterations)

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the scale."""
        self._reversal.scale.assign(reversal_scale(self._step / self._steps))
        self._step += 1
