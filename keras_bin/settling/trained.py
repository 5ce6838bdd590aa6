"""Settling the gates of a model that is already trained."""

import math
from typing import Any

import keras

from keras_bin.gates.finding import is_settled
from keras_bin.recalibration.recalibrate import recalibrate
from keras_bin.settling.checks import check_compiled, check_data
from keras_bin.settling.evaluation import inputs_of, passed_as
from keras_bin.settling.goal import make_goal
from keras_bin.settling.rounds import SettledLayers, described, settle_layers
from keras_bin.settling.settled import put_back
from keras_bin.settling.worth import serving_costs
from keras_bin.stages import print_line


def settle_rho(
    model: keras.Model,
    data: Any,
    *,
    max_cost: float | None = None,
    max_increase: float = math.inf,
    free_increase: float = 0.005,
    keep: float | None = None,
    rounds: int = 3,
    epochs: int = 1,
    training_data: Any = None,
    batch_size: int | None = None,
    verbose: bool = True,
) -> SettledLayers:
    """Settles the gates of a trained model, so that it costs little to serve.

    It does what `keras_bin.SettleRho` does while a model trains: round by round, the layers whose
    instance branch is worth least for its cost get gates of 1. After each round that settles
    something, the model is trained for `epochs`, so that all other weights adapt, and the moving
    statistics are recomputed (`keras_bin.recalibrate`). The model itself changes; call
    `keras_bin.rho_worth` first to see what each layer is worth.

    Compile the model with a learning rate for this: a tenth of the one it was trained with is a
    good start. A rate that a schedule has brought to 0 changes nothing.

    Args:
        model: a trained and compiled model; its weights change.
        data: data for measuring what layers are worth; see `keras_bin.SettleRho`.
        max_cost: see `keras_bin.SettleRho`.
        max_increase: see `keras_bin.SettleRho`.
        free_increase: see `keras_bin.SettleRho`.
        keep: see `keras_bin.SettleRho`; by default, the remaining gates are not settled.
        rounds: number of steps in which the cost falls to `max_cost`, at least 1.
        epochs: passes over `training_data` after each round; 0 means no training.
        training_data: data for training and for the moving statistics, of the same kinds as `data`;
            by default `data` itself.
        batch_size: samples per batch, for arrays; 32 by default.
        verbose: whether to print what is settled, and the progress of training.

    Returns:
        A list of what was settled. It prints, and displays in a notebook, as a table.

    Raises:
        TypeError: `model` is not a `keras.Model`, or data are a generator, have no targets, or
            never end.
        ValueError: the model is not compiled or has no built BIN layer, an argument is out of its
            range, or the loss is not finite.

    Example:
    >>> import keras, keras_bin
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras_bin.BatchInstanceNormalization(rho_initializer=0.5, name="bin")(inputs)
    >>> outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    >>> model = keras_bin.BINModel(inputs, outputs)
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> data = keras.random.normal((64, 8, 8, 3), seed=0), keras.ops.arange(64) % 2
    >>> settled = keras_bin.settle_rho(model, data, max_cost=0.0, rounds=1, verbose=False)
    >>> [(row.layer, row.mean, row.value) for row in settled]
    [('bin', 0.5, 1.0)]
    """
    check_compiled(model)
    training_data = data if training_data is None else training_data
    for each in (data, training_data):
        check_data(each)
    goal = make_goal(max_cost, max_increase, free_increase, keep)
    for name, value, least in (("rounds", rounds, 1), ("epochs", epochs, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"`{name}` must be an integer, {least} or more. Received: {name}={value!r}"
            )
    costs = serving_costs(model, data, batch_size)
    settled = SettledLayers()
    done = 0
    for number, each in enumerate(goal.in_rounds(rounds), 1):
        steps, rows = settle_layers(
            model, data, costs, each, epoch=done, last=number == rounds, batch_size=batch_size
        )
        settled += rows
        if verbose:
            print_line(described(steps, rows))
        if not rows:
            continue
        model.make_train_function(force=True)
        if epochs:
            model.fit(
                **passed_as(training_data),
                epochs=epochs,
                batch_size=batch_size,
                verbose=1 if verbose else 0,
            )
            done += epochs
            for layer in filter(is_settled, costs):
                put_back(layer, model.optimizer)
        recalibrate(model, inputs_of(training_data), batch_size=batch_size, verbose=int(verbose))
    return settled
