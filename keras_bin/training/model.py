"""A Keras model whose train step scales the steps of rho."""

import warnings
from collections.abc import Callable
from typing import Any

import keras

from keras_bin.gates.finding import bin_layers
from keras_bin.keras_internals import (
    Functional,
    all_layers,
    compute_loss,
    fill_in_config,
    set_own_trainable,
    takes_training,
    track_loss,
)
from keras_bin.messages import FROM_BATCH_NORMALIZATION
from keras_bin.normalization.moving_statistics import updates_together
from keras_bin.training.compile_configs import on_any_backend
from keras_bin.training.functional_models import (
    check_graph_arguments,
    functional_class,
    makes_graph,
)
from keras_bin.training.keras_internals import DistributedTraining
from keras_bin.training.loops import apply_gradients, build, check_scale, rho_update_of
from keras_bin.training.rho_update import check_optimizer
from keras_bin.training.rho_watch import RhoWatch
from keras_bin.training.source_models import functional_over
from keras_bin.training.weight_averages import own_averages


@keras.saving.register_keras_serializable(package="keras_bin")
class BINModel(DistributedTraining, keras.Model):
    """A `keras.Model` in which rho learns `rho_gradient_scale` times as fast.

    rho's gradient is small wherever batch and instance statistics agree, so the paper gives
    it ten times the learning rate of the other weights, and no weight decay. `BINModel` does
    both, for every BIN layer in it, under every Keras optimizer except Ftrl:

    - Under SGD without clipping, it multiplies rho's gradient by `rho_gradient_scale`.
    - Other optimizers normalize the gradient's size (Adam and its relatives), or clip it. Under
      these, it scales the step itself: `rho = clip(start + rho_gradient_scale * (rho - start))`.
      Under SGD, both are the same. A custom optimizer must step from the current weight, in
      proportion to its learning rate.
    - rho is excluded from the optimizer's weight decay, and the optimizer's moving average
      of rho (`use_ema=True`) stays in [0, 1].

    Otherwise, it is a `keras.Model`: build it as `BINModel(inputs, outputs)` or subclass it, then
    `compile`, `fit`, `save`. Files, configs, copies and clones keep `rho_gradient_scale`. A new
    value, or a new optimizer (`model.optimizer = ...`), takes effect from the next step. Only the
    model that is fitted scales rho's steps: a `BINModel` inside a plain `keras.Model` does not. A
    custom `train_step` must call `super().train_step` or `keras_bin.apply_gradients`. If rho's
    steps are not scaled, a `keras_bin.UnscaledRhoWarning` says so. `BINModel.from_model` makes a
    `BINModel` from an existing model.

    Args:
        *args: as for `keras.Model`, for example `inputs, outputs`.
        rho_gradient_scale: factor of rho's steps, a finite number above 0; 1 leaves them unscaled.
        **kwargs: as for `keras.Model`, for example `name`.

    Raises:
        TypeError: an argument is unknown.
        ValueError: `rho_gradient_scale` is not a finite number above 0; at `compile`, the
            optimizer is Ftrl, which recomputes weights from accumulators at every step, so
            that the next step undoes a scaled one. A `MultiOptimizer` made from a function is
            rejected at the first step, when its optimizers become known.

    Example:
    >>> import keras, keras_bin
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)
    >>> x = keras_bin.BatchInstanceNormalization()(x)
    >>> outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    >>> model = keras_bin.BINModel(inputs, outputs)
    >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> images, labels = keras.random.normal((4, 8, 8, 3), seed=0), keras.ops.array([0, 1, 0, 1])
    >>> history = model.fit(images, labels, verbose=0)

    Source: Nam & Kim 2018, section 4.1: the learning rate of rho is ten times that of the
    other parameters. Scaling the step under optimizers that normalize gradients is our addition.
    """

    _base_of_functional: Any = None

    def __init__(self, *args: Any, rho_gradient_scale: float = 10.0, **kwargs: Any):
        check_scale(rho_gradient_scale)
        if makes_graph(args, kwargs):
            check_graph_arguments(kwargs)
            if not isinstance(self, Functional):
                # keras.Model would insert `Functional` into the bases of BINModel itself, which
                # could then no longer be subclassed.
                cls: Any = type(self)
                self.__class__ = functional_class(cls, float(rho_gradient_scale))
        super().__init__(*args, **kwargs)
        self.rho_gradient_scale = rho_gradient_scale

    @classmethod
    def from_model(cls, model: keras.Model, rho_gradient_scale: float | None = None) -> "BINModel":
        """Makes a `BINModel` from a Sequential, Functional or built subclassed model.

        It has the same inputs, outputs and name, and shares the layers: what one of the two learns,
        the other has learned. A subclassed model becomes its only layer. It is not compiled.

        Args:
            model: a built model, compiled or not; it does not change.
            rho_gradient_scale: factor of rho's steps; by default that of `model` if it is a
                `BINModel`, 10 otherwise.

        Raises:
            TypeError: `model` is not a `keras.Model`.
            ValueError: `rho_gradient_scale` is not a finite number above 0; or `model` is not
                built, its inputs are unknown (a subclassed model that was called on several
                arguments, or on integers), or part of it would be lost, such as its own
                `train_step`.

        Example:
        >>> import keras, keras_bin
        >>> model = keras.Sequential(
        ...     [keras.Input((8, 8, 3)), keras_bin.BatchInstanceNormalization()]
        ... )
        >>> bin_model = keras_bin.BINModel.from_model(model)
        >>> bin_model.layers[-1] is model.layers[-1]
        True
        """
        if rho_gradient_scale is None:
            rho_gradient_scale = getattr(model, "rho_gradient_scale", 10.0)
        check_scale(rho_gradient_scale)
        graph = functional_over(model, cls)
        new = cls(graph.input, graph.output, name=graph.name, rho_gradient_scale=rho_gradient_scale)
        set_own_trainable(new, model.trainable)
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _READ_BY_TRAIN_STEPS and getattr(self, "train_function", None) is not None:
            # Keras would keep using what it has compiled for the old value.
            self.make_train_function(force=True)

    @property
    def rho_gradient_scale(self) -> float:
        """Factor of rho's steps, a finite number above 0; a change applies from the next step."""
        return self._rho_gradient_scale

    @rho_gradient_scale.setter
    def rho_gradient_scale(self, scale: float) -> None:
        check_scale(scale)
        self._rho_gradient_scale = float(scale)
        if self._base_of_functional is not None:
            self.__class__ = functional_class(self._base_of_functional, self._rho_gradient_scale)

    def compile(
        self,
        optimizer: str | dict[str, Any] | keras.optimizers.Optimizer = "rmsprop",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Configures the model for training; arguments as for `keras.Model.compile`."""
        optimizer = keras.optimizers.get(optimizer)
        if bin_layers(self):
            check_optimizer(optimizer, self.rho_gradient_scale)
        super().compile(optimizer, *args, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model as a saved one was; `config` is from `get_compile_config`."""
        config = on_any_backend(config)
        if type(self).compile is not BINModel.compile:
            super().compile_from_config(config)
            return
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            build(self.optimizer, self.trainable_variables)

    @fill_in_config
    def get_config(self) -> dict[str, Any]:
        """Returns the config of `keras.Model`, with `rho_gradient_scale`."""
        return {**super().get_config(), "rho_gradient_scale": self.rho_gradient_scale}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "BINModel":
        """Makes a model from what `get_config` returned, of this class or of `keras.Model`."""
        config = dict(config)
        scale = config.pop("rho_gradient_scale", None)
        model: BINModel = super().from_config(config, custom_objects)
        if scale is not None:
            model.rho_gradient_scale = scale
        return model

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the model as Keras does, through a class that pickle finds by its name."""
        unpickle, arguments = super().__reduce__()
        return getattr(keras.Model, unpickle.__name__), arguments

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Loads weights from a file; arguments as for `keras.Model.load_weights`.

        Raises:
            ValueError: the file has other weights, such as those of batch normalization.
        """
        try:
            super().load_weights(filepath, *args, **kwargs)
        except ValueError as error:
            # For a file in the Keras 2 layout, Keras does not ask the layer, which would say this.
            name = str(filepath)
            if name.endswith(".weights.h5") or not name.endswith((".h5", ".hdf5")):
                raise
            raise ValueError(
                f"{error}. {FROM_BATCH_NORMALIZATION} Received: filepath={name!r}"
            ) from error

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the model; arguments and result as for `keras.Model.fit`.

        Warns, once per model, if rho cannot learn: if the optimizer's `beta_2` rounds to 1 in the
        precision of rho, if rho has not moved in an epoch, or if the batches are one sample each.
        It checks before and after epochs, so steps take no longer.
        """
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = [*keras.tree.flatten(callbacks or ()), RhoWatch()]
        with own_averages(getattr(self, "optimizer", None)):
            return super().fit(x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs)

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the function of a step; arguments as for `keras.Model.make_train_function`."""
        variables, ours = self.trainable_variables, type(self).train_step is BINModel.train_step
        if ours and variables and all(layer.built for layer in all_layers(self)):
            # If it got its variables in the first step, TensorFlow would trace that twice.
            build(getattr(self, "optimizer", None), variables)
        return super().make_train_function(force)

    def train_step(self, *args: Any) -> Any:
        """Trains on one batch, as `keras.Model.train_step` does, with rho's steps scaled."""
        if self.optimizer is None:
            return super().train_step(*args)
        return _TRAIN_STEPS[keras.backend.backend()](self, *args)

    def _tensorflow_train_step(self, data: Any) -> Any:
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        training = {"training": True} if takes_training(self) else {}
        with tf.GradientTape() as tape, updates_together():
            y_pred = self(x, **training)
            loss = compute_loss(
                self, x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
            )
            # Keras divides the loss by the number of replicas; the tracker shows it whole.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            given = next(each for each in keras.tree.flatten(x) if each is not None)
            track_loss(self, loss * replicas, sample_weight=tf.shape(given)[0])
            loss = self.optimizer.scale_loss(loss)

        variables = self.trainable_weights
        if variables:
            gradients = tape.gradient(loss, variables)
            pairs = zip(gradients, variables, strict=True)
            apply_gradients(self.optimizer, pairs, self.rho_gradient_scale)
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def _jax_train_step(self, state: Any, data: Any) -> Any:
        trainable = self.trainable_variables
        variables = [*trainable, *self.optimizer.variables]
        keras_step = super().train_step

        def step() -> tuple[Any, list[Any]]:
            logs, new = keras_step(state, data)
            return (logs, new), [*new[0], *new[2]]

        update = rho_update_of(self.optimizer, trainable, self.rho_gradient_scale)
        (logs, new), values = update.stateless_step(variables, [*state[0], *state[2]], step)
        return logs, (values[: len(trainable)], new[1], values[len(trainable) :], new[3])

    def _torch_train_step(self, data: Any) -> Any:
        trainable = self.trainable_variables
        with rho_update_of(self.optimizer, trainable, self.rho_gradient_scale).step():
            return super().train_step(data)


_READ_BY_TRAIN_STEPS = ("optimizer", "rho_gradient_scale")
_TRAIN_STEPS: dict[str, Callable[..., Any]] = {
    "tensorflow": BINModel._tensorflow_train_step,
    "jax": BINModel._jax_train_step,
    "torch": BINModel._torch_train_step,
}
