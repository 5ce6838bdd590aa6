"""The Batch-Instance Normalization layer."""

import numbers
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops
from keras.layers import InputSpec

from keras_bin import initial_rho
from keras_bin.inference_form import current_form
from keras_bin.messages import FROM_BATCH_NORMALIZATION
from keras_bin.normalization.axes import check_axis, input_axes
from keras_bin.normalization.formula import check_epsilon
from keras_bin.normalization.moving_statistics import update_moving_statistics
from keras_bin.normalization.normalize import normalize
from keras_bin.normalization.precision import at_least_float32
from keras_bin.normalization.replicas import replica_sum
from keras_bin.renorm import without_renorm
from keras_bin.rho_constraint import RhoConstraint, note_call

Initializer = str | dict[str, Any] | Callable[..., Any]
Regularizer = str | dict[str, Any] | Callable[..., Any] | None
Constraint = str | dict[str, Any] | Callable[..., Any] | None


@keras.saving.register_keras_serializable(package="keras_bin")
class BatchInstanceNormalization(keras.layers.Layer):
    """Mixes batch and instance normalization, channel by channel, with a learned gate.

    For an input `x` of shape `(batch, *spatial, channels)`, per channel:

        x_batch    = (x - batch_mean) / sqrt(batch_variance + epsilon)
        x_instance = (x - instance_mean) / sqrt(instance_variance + epsilon)
        y = (rho * x_batch + (1 - rho) * x_instance) * gamma + beta

    The gate `rho` is in [0, 1]. At 1, the layer is batch normalization and keeps each
    image's style (its own mean and contrast); at 0, it is instance normalization and removes
    the style. Batch statistics are taken over the batch and the spatial axes, instance statistics
    over the spatial axes of each sample; variances are biased. If the spatial extent is
    a single element, the instance branch is exactly zero.

    In training (`training=True`), the batch branch uses the statistics of the batch and updates

        moving_mean = moving_mean * momentum + batch_mean * (1 - momentum)

    and `moving_variance` in the same way. If a batch overflows in a channel, the channel keeps
    both, so a step that loss scaling skips does not change them. In inference, the batch branch
    uses the moving statistics, so a sample's output does not depend on the rest of its batch. With
    `trainable = False`, the layer runs in inference mode and keeps its statistics, as
    `keras.layers.BatchNormalization` does. All computation is in at least float32, whatever the
    compute dtype, and the weights are never autocast. docs/limits.md describes what happens if
    Keras calls a layer more than once per step (`TimeDistributed`, `RNN`, `RematScope`).

    rho starts at 1 and learns slowly: train it with `keras_bin.BINModel`, which scales its
    steps.

    Args:
        axis: the channel axis, positive or negative, never the batch axis.
        momentum: momentum of the moving statistics, in [0, 1].
        epsilon: added to the variances, above 0, in squared input units.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initializer of `beta`.
        gamma_initializer: initializer of `gamma`.
        moving_mean_initializer: initializer of `moving_mean`.
        moving_variance_initializer: initializer of `moving_variance`.
        beta_regularizer: regularizer of `beta`.
        gamma_regularizer: regularizer of `gamma`.
        beta_constraint: constraint of `beta`.
        gamma_constraint: constraint of `gamma`.
        synchronized: whether to take batch statistics over all replicas together. With `n`
            elements, mean `m` and variance `v` of each replica, sums over the replicas, they are
            `batch_mean = sum(n * m) / sum(n)` and
            `batch_variance = sum(n * (v + (m - batch_mean)**2)) / sum(n)`. Replicas are those of a
            `tf.distribute` strategy on TensorFlow, and the processes of `torch.distributed` on
            PyTorch; without any, it changes nothing. On JAX it changes nothing either: under
            `jax.jit` and `keras.distribution`, statistics are those of the whole batch, on however
            many devices it is; in `jax.pmap` and `jax.shard_map`, those of the device's part.
        rho_initializer: initializer of `rho`, or a number or array in [0, 1], one value per
            channel. The values of an initializer are clipped to [0, 1]: Keras's
            `"random_uniform"`, from -0.05 to 0.05, starts half of the gates at 0. To draw from the
            whole interval, use `keras.initializers.RandomUniform(0, 1)`.
        rho_regularizer: regularizer of `rho`.
        rho_constraint: constraint of `rho`. The default, `keras_bin.UnitInterval`, clips it to
            [0, 1] at each update, including values that you have assigned to it.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer; also the `renorm`
            arguments of `keras.layers.BatchNormalization`, which its configs contain, but only at
            their defaults.

    Call arguments:
        inputs: tensor of rank 3 or more; every size except the number of channels may be unknown.
        training: whether to use batch statistics and update the moving statistics with them.
        mask: boolean tensor with one axis fewer than `inputs` (all but the last axis). Both
            branches take their statistics from the elements where it is True.

    Weights, in order, each of shape `(channels,)`: `gamma`, `beta`, `rho`, `moving_mean`,
    `moving_variance`.

    Raises:
        ValueError: an argument is out of its range; at build, the input has no spatial
            axis, `axis` is the batch axis, or the number of channels is unknown.

    Example:
    >>> import keras, keras_bin
    >>> layer = keras_bin.BatchInstanceNormalization()
    >>> images = keras.random.normal((8, 32, 32, 3), seed=0)
    >>> tuple(layer(images, training=True).shape)
    (8, 32, 32, 3)
    >>> [weight.name for weight in layer.weights]
    ['gamma', 'beta', 'rho', 'moving_mean', 'moving_variance']

    Source: Nam & Kim, NeurIPS 2018, https://arxiv.org/abs/1805.07925, section 3. The moving
    variance is the biased one, as in Keras; the authors' PyTorch code keeps the unbiased one.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        moving_mean_initializer: Initializer = "zeros",
        moving_variance_initializer: Initializer = "ones",
        beta_regularizer: Regularizer = None,
        gamma_regularizer: Regularizer = None,
        beta_constraint: Constraint = None,
        gamma_constraint: Constraint = None,
        synchronized: bool = False,
        rho_initializer: Initializer | initial_rho.Values = "ones",
        rho_regularizer: Regularizer = None,
        rho_constraint: Constraint = "unit_interval",
        **kwargs: Any,
    ):
        super().__init__(**without_renorm(kwargs))
        check_axis(axis)
        _check_momentum(momentum)
        check_epsilon(epsilon)
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.moving_mean_initializer = keras.initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = keras.initializers.get(moving_variance_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)
        self.synchronized = synchronized
        self.rho_initializer = initial_rho.rho_initializer(rho_initializer)
        self.rho_regularizer = keras.regularizers.get(rho_regularizer)
        self.rho_constraint = keras.constraints.get(rho_constraint)
        self.supports_masking = True
        self.gamma: keras.Variable | None = None
        self.beta: keras.Variable | None = None
        # `build` creates these three.
        self.rho: keras.Variable = None
        self.moving_mean: keras.Variable = None
        self.moving_variance: keras.Variable = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the weights for inputs of `input_shape`, batch axis included."""
        self._axes = input_axes(input_shape, self.axis)
        if self.scale:
            self.gamma = self._add_channel_weight(
                "gamma",
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self._add_channel_weight(
                "beta",
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        self.rho = self._add_channel_weight(
            "rho",
            initial_rho.clipped(self.rho_initializer),
            regularizer=self.rho_regularizer,
            constraint=RhoConstraint(self.rho_constraint),
        )
        self.moving_mean = self._add_channel_weight(
            "moving_mean", self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self._add_channel_weight(
            "moving_variance", self.moving_variance_initializer, trainable=False
        )
        self.input_spec = InputSpec(
            ndim=self._axes.rank, axes={self._axes.channel: self._axes.channels}
        )

    def _add_channel_weight(
        self, name: str, initializer: Initializer, **kwargs: Any
    ) -> keras.Variable:
        return self.add_weight(
            shape=(self._axes.channels,),
            name=name,
            initializer=initializer,
            autocast=False,
            **kwargs,
        )

    def call(self, inputs: Any, training: bool | None = None, mask: Any | None = None) -> Any:
        """Normalizes `inputs`; the result has their shape and the layer's compute dtype."""
        note_call(self.rho)
        x = at_least_float32(inputs)
        learns_statistics = training and self.trainable
        form = None if learns_statistics else current_form()
        if form is not None:
            return ops.cast(form(self, x, mask), self.compute_dtype)
        # rho is not clipped here: JAX's clip has gradient 1/2 at the ends, where rho starts.
        outputs, *statistics = normalize(
            x,
            (self.gamma, self.beta, self.rho),
            self._axes,
            self.epsilon,
            moving=None if learns_statistics else (self.moving_mean, self.moving_variance),
            valid=self._axes.valid(mask, x),
            replica_sum=replica_sum() if learns_statistics and self.synchronized else None,
            jit_compile=self.supports_jit,
        )
        if learns_statistics:
            mean, variance, count = statistics
            update_moving_statistics(
                (self.moving_mean, self.moving_variance),
                mean,
                variance,
                count,
                self.momentum,
                same_on_replicas=self.synchronized,
            )
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Loads the weights from a file.

        Raises:
            ValueError: the file has other weights, such as those of batch normalization.
        """
        if self.built and len(store) in (0, len(self.weights) - 1):
            raise ValueError(
                "The file must contain all weights of a BatchInstanceNormalization, including rho. "
                f"{FROM_BATCH_NORMALIZATION} "
                f"Received: {len(store)} of {len(self.weights)} weights for layer {self.path!r}"
            )
        super().load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, the same before and after build."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": keras.initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": keras.initializers.serialize(
                self.moving_variance_initializer
            ),
            "beta_regularizer": keras.regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": keras.regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": keras.constraints.serialize(self.beta_constraint),
            "gamma_constraint": keras.constraints.serialize(self.gamma_constraint),
            "synchronized": self.synchronized,
            "rho_initializer": keras.initializers.serialize(self.rho_initializer),
            "rho_regularizer": keras.regularizers.serialize(self.rho_regularizer),
            "rho_constraint": keras.constraints.serialize(self.rho_constraint),
        }


def _check_momentum(momentum: Any) -> None:
    if not (isinstance(momentum, numbers.Real) and 0 <= float(momentum) <= 1):
        raise ValueError(
            "`momentum` must be between 0 and 1: it is the share of the old moving statistics "
            f"that an update keeps. Received: momentum={momentum!r}"
        )
