"""A callback that settles the gates of layers while a model trains."""

import math
from typing import TYPE_CHECKING, Any

import keras

from keras_bin.gates.finding import bin_layers, is_settled
from keras_bin.settling.checks import check_compiled, check_data, check_goal, is_number
from keras_bin.settling.picture import plot_steps
from keras_bin.settling.rounds import (
    Costs,
    Goal,
    SettledLayers,
    Step,
    described,
    settle_layers,
)
from keras_bin.settling.settled import common_rho, put_back, settle
from keras_bin.settling.worth import serving_costs
from keras_bin.stages import print_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SettleRho(keras.callbacks.Callback):
    """Settles the gates of layers while a model trains, so that little is left to serve.

    A layer with a gate below 1 computes statistics of each sample when it is served; one with all
    gates at 1 costs nothing, as the convolution before it takes it in. After each epoch between
    `start` and `stop`, the callback measures what every layer loses with all its gates at 1, and
    puts those there that are worth least for what they cost (`keras_bin.rho_worth`), until the
    others cost no more than the round may leave. What rounds may leave falls geometrically from 1
    to `max_cost`. All other weights, and the gates that are left, go on to learn. In the last round
    the gates that are left are settled, too, at `keep`.

    Settled gates stay where they are under every optimizer, as the layer's `rho_constraint` becomes
    `keras_bin.SettledRho`; so the saved model says it, too. A training that goes on from a backup
    settles again what was settled before.

    Args:
        data: on which it is measured what layers are worth: `(x, y)`, `(x, y, sample_weight)`, or
            batches of these as a `tf.data.Dataset` or `keras.utils.PyDataset`; a few hundred
            samples, drawn like those that are learnt.
        max_cost: what the layers with a gate below 1 may cost at the end, a share of the elements
            that reach all BIN layers, from 0 to 1.
        max_increase: no layer is settled that alone raises the loss by more than this share of it.
        free_increase: a layer that raises the loss by no more than this share is settled in any
            case, so that a net that does not need the branch keeps none.
        keep: where the gates of the layers that stay are settled in the last round, from 0 to 1, or
            None to let them learn on. Any mixture costs the same, and 0, instance normalization
            alone, slightly less. docs/settling.md says why ½.
        start: after which share of the epochs settling begins, from 0 to below 1.
        stop: after which share of the epochs it ends, from `start` to below 1.
        batch_size: samples in a batch, for arrays; 32 by default.
        verbose: whether to print what is settled.

    Attributes:
        settled: a list of what was settled, which prints as a table.
        steps: the cost and the metrics before and after each round.

    Raises:
        TypeError: `data` is a generator, which can be read once.
        ValueError: an argument is out of its range; when training begins, the model has no built
            BIN layer, or `start` and `stop` leave no epoch after which to settle.

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
        max_cost: float = 0.1,
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
        check_goal(max_cost, max_increase, free_increase, keep)
        if not (is_number(start) and is_number(stop) and 0 <= start <= stop < 1):
            raise ValueError(
                "`start` and `stop` must be shares of the epochs with 0 <= start <= stop < 1, so "
                "that an epoch follows in which the other weights adapt. "
                f"Received: start={start!r}, stop={stop!r}"
            )
        self._data = data
        self._goal = Goal(max_cost, max_increase, free_increase, keep)
        self._start, self._stop = start, stop
        self._batch_size = batch_size
        self._verbose = verbose
        self._costs: Costs = {}
        self._resumed = False
        self.settled = SettledLayers()
        self.steps: list[Step] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that there is something to settle, and an epoch to do it after."""
        check_compiled(self.model)
        self._costs = {}
        self._rounds = self._planned()
        self._resumed = True
        if not any(layer.built for layer in bin_layers(self.model)):
            raise ValueError(
                "SettleRho needs a model with at least one built BatchInstanceNormalization "
                "layer; call a subclassed model on a batch before `fit`, or check that it is the "
                f"BIN model. Received: model={self.model.name!r}"
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Settles again what was settled before a training that goes on was interrupted."""
        if not self._resumed:
            return
        self._resumed = False
        if not any(finished <= epoch for finished in self._rounds):
            return
        model = self.model
        if again := [
            (layer, value)
            for layer in bin_layers(model)
            if layer.built and not is_settled(layer) and (value := common_rho(layer)) is not None
        ]:
            for layer, value in again:
                settle(layer, value, model.optimizer)
            model.make_train_function(force=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Settles layers, if a round is due, and adds the cost that is left to the logs."""
        model, finished = self.model, epoch + 1
        if finished in self._rounds:
            self._settle(model, finished)
        if logs is not None:
            costs = self._costs_of(model)
            logs["rho/cost"] = sum(c for layer, c in costs.items() if common_rho(layer) != 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts settled gates back that the moving average of a plain `keras.Model` has moved."""
        for layer in bin_layers(self.model):
            if layer.built and is_settled(layer):
                put_back(layer, self.model.optimizer)

    def plot(self) -> "Figure":
        """Draws the loss, with the statistics of batches, over the cost of serving.

        Returns:
            A `matplotlib.figure.Figure`: two points for each round, before and after it.

        Raises:
            ImportError: matplotlib is missing.
            ValueError: no round is finished yet.
        """
        return plot_steps(self.steps)

    def _planned(self) -> dict[int, Goal]:
        """Returns what each round may leave, by the number of epochs that are finished then."""
        epochs = self.params["epochs"]
        first = max(1, math.ceil(self._start * epochs))
        last = min(epochs - 1, math.floor(self._stop * epochs))
        numbers = range(first, last + 1) or range(first, min(first + 1, epochs))
        if not numbers:
            raise ValueError(
                "There must be an epoch to learn before gates settle, and one after; train for at "
                f"least 2. Received: epochs={epochs}"
            )
        return {
            finished: self._goal._replace(
                max_cost=self._goal.max_cost ** ((number + 1) / len(numbers))
            )
            for number, finished in enumerate(numbers)
        }

    def _costs_of(self, model: keras.Model) -> Costs:
        if not self._costs:
            self._costs = serving_costs(model, self._data, self._batch_size)
        return self._costs

    def _settle(self, model: keras.Model, finished: int) -> None:
        steps, settled = settle_layers(
            model,
            self._data,
            self._costs_of(model),
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
