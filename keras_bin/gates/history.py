"""A callback that records and logs rho while a model trains."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_bin.gates.finding import named_gates
from keras_bin.gates.paths import plot_paths

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RhoHistory(keras.callbacks.Callback):
    """Records every gate of a model epoch by epoch, and adds rho to the logs.

    After each epoch it puts three numbers for each BIN layer into `logs`:

        rho/<layer>/mean              mean of its gates, from 0 to 1
        rho/<layer>/share_at_zero     share of its gates that are exactly 0, from 0 to 1
        rho/<layer>/share_at_one      share of its gates that are exactly 1, from 0 to 1

    The progress bar and `fit`'s History show them, and so does every callback that comes after
    this one in `callbacks=[...]`: TensorBoard, CSVLogger, EarlyStopping. `<layer>` is the path of
    the layer, with a number if another layer has the same path.

    If `fit` is called with the `initial_epoch` at which an earlier call ended, the record
    continues; anything recorded after `initial_epoch` is replaced. A model with other BIN layers
    starts a new record.

    Args:
        by_layer: False logs three numbers for the whole model, `rho/mean` and so on, over the
            gates of all layers, so the progress bar of a deep model stays readable. The same
            gates are recorded.

    Attributes:
        epochs: list of the number of finished epochs at each record; the first is the state
            before training.
        rho: dict of arrays of shape `(len(epochs), channels)`, the gates of each layer by its
            name.

    Raises:
        ValueError: when training begins, if the model has no built BIN layer.

    Example:
    >>> import keras, keras_bin
    >>> inputs = keras.Input((4, 4, 2))
    >>> outputs = keras_bin.BatchInstanceNormalization(name="bin")(inputs)
    >>> model = keras_bin.BINModel(inputs, outputs)
    >>> model.compile(keras.optimizers.SGD(0.1), "mse")
    >>> images = keras.random.normal((8, 4, 4, 2), seed=0)
    >>> rho_history = keras_bin.RhoHistory()
    >>> history = model.fit(
    ...     images, keras.ops.zeros_like(images), epochs=2, verbose=0, callbacks=[rho_history]
    ... )
    >>> history.history["rho/bin/share_at_zero"]
    [0.0, 0.0]
    >>> rho_history.epochs, rho_history.rho["bin"].shape
    ([0, 1, 2], (3, 2))
    >>> figure = rho_history.plot()
    """

    def __init__(self, by_layer: bool = True):
        super().__init__()
        self.by_layer = by_layer
        self.epochs: list[int] = []
        self._records: list[dict[str, NDArray[Any]]] = []
        self._training_begins = False

    @property
    def rho(self) -> dict[str, NDArray[Any]]:
        """The gates of each layer, arrays of shape `(len(epochs), channels)`."""
        names = self._records[0] if self._records else {}
        return {name: np.stack([record[name] for record in self._records]) for name in names}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that there are gates to record."""
        if not named_gates(self.model):
            raise ValueError(
                "RhoHistory needs a model with at least one built BatchInstanceNormalization "
                "layer; call a subclassed model on a batch before `fit`, or check that it is the "
                f"BIN model. Received: model={self.model.name!r}"
            )
        self._training_begins = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the gates before the first epoch of a `fit`."""
        if self._training_begins:
            self._training_begins = False
            self._record(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the gates after an epoch, and adds them to `logs`."""
        gates = self._record(epoch + 1)
        if logs is not None:
            logs.update(_logs(gates, self.by_layer))

    def _record(self, epochs: int) -> dict[str, NDArray[Any]]:
        # On JAX, reading `self.model` copies the training state into the model's variables.
        gates = named_gates(self.model)
        kept = sum(each < epochs for each in self.epochs) if self._holds(gates) else 0
        self.epochs = [*self.epochs[:kept], epochs]
        self._records = [*self._records[:kept], gates]
        return gates

    def _holds(self, gates: dict[str, NDArray[Any]]) -> bool:
        """Tells whether the records are of the same layers."""
        return bool(self._records) and [(name, rho.size) for name, rho in gates.items()] == [
            (name, rho.size) for name, rho in self._records[0].items()
        ]

    def plot(self) -> "Figure":
        """Draws the path of every gate, one plot per layer, from input to output.

        Returns:
            A `matplotlib.figure.Figure`, for `figure.savefig(path)`, with a line for each gate over
            the number of epochs, and their mean in black. The title says how many gates were ever
            NaN or outside [0, 1]. A notebook displays the figure automatically.

        Raises:
            ImportError: matplotlib is missing.
            ValueError: nothing is recorded yet.
        """
        if not self._records:
            raise ValueError(
                "RhoHistory must have recorded training before it can plot; pass it to `fit` in "
                "`callbacks`. Received: no records"
            )
        return plot_paths(self.epochs, self.rho)


def _logs(gates: dict[str, NDArray[Any]], by_layer: bool) -> dict[str, float]:
    if by_layer:
        groups = {f"rho/{name}": rho for name, rho in gates.items()}
    else:
        groups = {"rho": np.concatenate(list(gates.values()))}
    return {
        f"{group}/{name}": float(value)
        for group, rho in groups.items()
        for name, value in (
            ("mean", rho.mean()),
            ("share_at_zero", np.mean(rho == 0)),
            ("share_at_one", np.mean(rho == 1)),
        )
    }
