"""A callback that settles the gates of layers while a model trains."""

import math
import warnings
from typing import TYPE_CHECKING, Any

import keras

from keras_bin.constraint import BATCH
from keras_bin.gates.finding import is_settled, trainable_rhos
from keras_bin.recalibration.pooled_statistics import normalization_layers
from keras_bin.settling.checks import check_data, is_number
from keras_bin.settling.goal import Goal, make_goal
from keras_bin.settling.picture import plot_steps
from keras_bin.settling.rounds import (
    Costs,
    SettledLayers,
    Step,
    cost_left,
    described,
    settle_layers,
)
from keras_bin.settling.settled import is_at, put_back, settle
from keras_bin.settling.worth import serving_costs
from keras_bin.stages import print_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SettleRho(keras.callbacks.Callback):
    """Settles the gates of layers while a model trains, so that the model costs little to serve.

    A layer with a gate below 1 computes statistics of each sample when it is served; one with all
    gates at 1 costs next to nothing, because the convolution before it absorbs it. There is a round
    of settling after each epoch between `start` and `stop`: the callback measures how the loss
    changes with all gates of one layer at 1, for each layer. It keeps the layers that are worth
    most for their cost (`keras_bin.rho_worth`), up to the cost that the round allows, and sets the
    gates of the others to 1. The allowed cost falls in equal steps from 1 to `max_cost`. All other
    weights and the remaining gates keep learning. In the last round, the remaining gates are
    settled, too, at `keep`. Layers whose rho is frozen are left alone.

    Settled gates stay where they are under every optimizer, because the layer's `rho_constraint`
    becomes `keras_bin.SettledRho`, which is saved with the model. (If a plain `keras.Model`
    averages weights, `use_ema=True`, Keras averages before it applies constraints; this callback
    resets settled gates at the end of each `fit` that it is passed to.) Training that resumes from
    a backup, or from `initial_epoch`, settles again what was settled before, and first makes up for
    a round that is due. Callbacks that restore earlier weights, such as EarlyStopping with
    `restore_best_weights`, must not go back to before the last round: use their `start_from_epoch`.

    Args:
        data: data for measuring what layers are worth: `(x, y)`, `(x, y, sample_weight)`, or
            batches of these as a finite `tf.data.Dataset`, `keras.utils.PyDataset` or
            `torch.utils.data.DataLoader`; a few hundred samples, drawn like the training data.
        max_cost: what the layers with a gate below 1 may cost at the end, as a share of the
            elements that reach all BIN layers, from 0 to 1. Frozen layers, and those that
            `max_increase` keeps, may push the cost above it. None means 0.1, but the layer that is
            worth most for its cost may cost more, so that shallow models can keep one.
        max_increase: a layer that alone raises the loss, including weight penalties, by more than
            this share of it is not settled at 1.
        free_increase: a layer that raises the loss by no more than this share is always settled at
            1 in the last round, so that a model that does not need the branch keeps none.
        keep: value at which the gates of the layers that stay are settled in the last round, from 0
            to 1, or None to let them keep learning. Any mixture costs the same; 0, instance
            normalization alone, costs slightly less. docs/settling.md explains why ½.
        start: share of the epochs after which settling begins, from 0 to below 1.
        stop: share of the epochs after which it ends, from `start` to below 1.
        batch_size: samples per batch, for arrays; 32 by default.
        verbose: whether to print what is settled.

    Attributes:
        settled: a list of what was settled, which prints as a table.
        steps: the cost and the metrics before and after each round. Each `fit` resets both lists;
            they cover only this process.

    Raises:
        TypeError: `data` is a generator, which can be read only once, has no targets, or never
            ends.
        ValueError: an argument is out of its range; when training begins, the model has no built
            BIN layer or calls one in a loop or compiled function inside it, or `start` and `stop`
            leave no epoch after which to settle; in a round, the loss is not finite.

    Example:
    >>> import keras, keras_bin
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras_bin.BatchInstanceNormalization(name="bin")(inputs)
    >>> outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    >>> model = keras_bin.BINModel(inputs, outputs)
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> images, labels = keras.random.normal((64, 8, 8, 3), seed=0), keras.ops.arange(64) % 2
    >>> settle = keras_bin.SettleRho((images, labels), max_cost=0.0, verbose=False)
    >>> history = model.fit(images, labels, epochs=4, verbose=0, callbacks=[settle])
    >>> [(row.epoch, row.layer, row.value) for row in settle.settled]
    [(1, 'bin', 1.0)]
    """

    def __init__(
        self,
        data: Any,
        *,
        max_cost: float | None = None,
        max_increase: float = math.inf,
        free_increase: float = 0.005,
        keep: float | None = 0.5,
        start: float = 0.2,
        stop: float = 0.2,
        batch_size: int | None = None,
        verbose: bool = True,
    ):
        super().__init__()
        check_data(data)
        if not (is_number(start) and is_number(stop) and 0 <= start <= stop < 1):
            raise ValueError(
                "`start` and `stop` must be shares of the epochs with 0 <= start <= stop < 1, so "
                "that an epoch follows in which the other weights adapt. "
                f"Received: start={start!r}, stop={stop!r}"
            )
        self._data = data
        self._goal = make_goal(max_cost, max_increase, free_increase, keep)
        self._start, self._stop = start, stop
        self._batch_size = batch_size
        self._verbose = verbose
        self._costs: Costs = {}
        self._rounds: dict[int, Goal] = {}
        self._training_begins = False
        self._done = 0
        self.settled = SettledLayers()
        self.steps: list[Step] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that there is something to settle, and an epoch after which to settle it."""
        model = self.model
        self._rounds = self._planned()
        normalization_layers(model)
        self._costs = serving_costs(model, self._data, self._batch_size)
        self._training_begins, self._done = True, 0
        self.settled, self.steps = SettledLayers(), []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Continues with what earlier training has settled, or should have settled."""
        if not self._training_begins:
            return
        self._training_begins = False
        due = [finished for finished in self._rounds if finished <= epoch]
        if not due:
            return
        model, goal = self.model, self._rounds[due[-1]]
        values = [BATCH]
        if due[-1] == max(self._rounds) and goal.keep is not None:
            values.append(goal.keep)
        for layer in self._costs:
            for value in values:
                if not is_settled(layer) and is_at(layer, value):
                    settle(layer, value, model.optimizer)
        model.make_train_function(force=True)
        self._done = due[-1]
        if trainable_rhos(model) and (len(values) > 1 or not any(map(is_settled, self._costs))):
            self._settle(model, due[-1])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Settles layers if a round is due, and adds the remaining cost to the logs."""
        model, finished = self.model, epoch + 1
        if finished in self._rounds:
            self._settle(model, finished)
        if logs is not None:
            logs["rho/cost"] = cost_left(self._costs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Resets settled gates if weight averaging has moved them."""
        for layer in filter(is_settled, self._costs):
            put_back(layer, self.model.optimizer)
        if not self._done:
            warnings.warn(
                "SettleRho has settled nothing, as training ended before its first round; lower "
                f"`start`. Received: start={self._start!r}, a first round after epoch "
                f"{min(self._rounds)}",
                stacklevel=2,
            )

    def plot(self, metric: str = "loss") -> "Figure":
        """Plots the loss or another metric, with batch statistics, over the serving cost.

        Args:
            metric: name of a metric that `model.evaluate` returns, such as "accuracy".

        Returns:
            A `matplotlib.figure.Figure` with two points for each round, before and after it.

        Raises:
            ImportError: matplotlib is missing.
            ValueError: no round is finished yet, or the model has no such metric.
        """
        return plot_steps(self.steps, metric)

    def _planned(self) -> dict[int, Goal]:
        """Returns the goal of each round, by the number of finished epochs at that time."""
        epochs = self.params["epochs"]
        # Rounded, as 0.28 * 25 is a little more than 7.
        first = max(1, math.ceil(round(self._start * epochs, 6)))
        last = min(epochs - 1, math.floor(round(self._stop * epochs, 6)))
        numbers = range(first, last + 1) or range(first, min(first + 1, epochs))
        if not numbers:
            raise ValueError(
                "There must be an epoch of learning before gates settle, and one after; lower "
                "`start`, or train for 2 epochs or more. "
                f"Received: start={self._start!r}, epochs={epochs}"
            )
        return dict(zip(numbers, self._goal.in_rounds(len(numbers)), strict=True))

    def _settle(self, model: keras.Model, finished: int) -> None:
        self._done = finished
        steps, settled = settle_layers(
            model,
            self._data,
            self._costs,
            self._rounds[finished],
            epoch=finished,
            last=finished == max(self._rounds),
            batch_size=self._batch_size,
        )
        self.steps += steps
        self.settled += settled
        if settled:
            model.make_train_function(force=True)
        if self._verbose:
            print_line(described(steps, settled))
