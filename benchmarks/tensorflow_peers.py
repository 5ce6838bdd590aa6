"""The layers beside which BIN is timed that are written in TensorFlow's own functions."""

import tensorflow as tf

from benchmarks.peers import EPSILON, KERAS, MOMENTUM, Peer, TextbookBIN

FUSED = "fused batch-norm kernel"


class OfficialBIN(Peer):
    """BIN in training composed as the authors compose it, in TensorFlow's own functions.

    Batch normalization with `gamma * rho` and `beta`, plus a second one, over batch times
    channels, with `gamma * (1 - rho)`.
    """

    def call(self, x, training=True):
        """Normalizes `x` with the statistics of the batch, and updates the moving ones."""
        gamma, rho = self.gamma.value, self.rho.value
        mean, variance = tf.nn.moments(x, (0, 1, 2))
        self.update(mean, variance)
        batch = tf.nn.batch_normalization(x, mean, variance, self.beta.value, gamma * rho, EPSILON)
        mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
        instance = tf.nn.batch_normalization(x, mean, variance, None, gamma * (1 - rho), EPSILON)
        return batch + instance


class FusedBatchNormalization(Peer):
    """Batch normalization alone, in training, by TensorFlow's fused kernel.

    The kernel updates the moving statistics itself; its moving variance is the unbiased one.
    """

    gated = False

    def call(self, x, training=True):
        """Normalizes `x` with the statistics of the batch, and updates the moving ones."""
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            self.gamma.value,
            self.beta.value,
            mean=self.moving_mean.value,
            variance=self.moving_variance.value,
            epsilon=EPSILON,
            is_training=True,
            exponential_avg_factor=1 - MOMENTUM,
        )
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance)
        return y


TRAINING = {
    **KERAS,
    "textbook BIN": TextbookBIN,
    "official BIN in TensorFlow": OfficialBIN,
    FUSED: FusedBatchNormalization,
}
