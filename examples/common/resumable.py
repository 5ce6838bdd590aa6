"""Training that resumes after it was killed, and ends with the same numbers."""

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from common.whole_files import write_whole

Draw = Callable[[np.ndarray, np.random.Generator], tuple[Any, ...]]
RECORDS = "epochs.json"


class EpochBatches(keras.utils.PyDataset):
    """Batches whose order and drawing depend only on a seed and the number of the epoch.

    Args:
        number: how many examples an epoch has.
        batch_size: examples per batch; the last batch may have fewer.
        seed: decides order and drawing, together with the epoch.
        draw: makes a batch for `fit` from the positions of its examples, each from 0 to `number -
            1`, and a generator.

    Attributes:
        epoch: number of the epoch, from 0. `fit` sets it.
    """

    def __init__(self, number: int, batch_size: int, seed: int, draw: Draw):
        super().__init__()
        self.epoch = 0
        self._number = number
        self._batch_size = batch_size
        self._seed = seed
        self._draw = draw

    def __len__(self):
        """Returns the number of batches of an epoch."""
        return math.ceil(self._number / self._batch_size)

    def __getitem__(self, index):
        """Draws a batch."""
        order = np.random.default_rng((self._seed, self.epoch)).permutation(self._number)
        chosen = order[index * self._batch_size : (index + 1) * self._batch_size]
        # NumPy pads a seed with zeros, so index 0 would be the generator of the order again.
        return self._draw(chosen, np.random.default_rng((self._seed, self.epoch, index + 1)))


class StepBatches(EpochBatches):
    """Batches that choose their own examples; an epoch can have any number of them.

    Args:
        steps: batches of an epoch.
        seed: decides the batches, together with the epoch.
        draw: makes a batch from a generator.
    """

    def __init__(
        self, steps: int, seed: int, draw: Callable[[np.random.Generator], tuple[Any, ...]]
    ):
        super().__init__(steps, 1, seed, lambda chosen, rng: draw(rng))


class EpochRecords(keras.callbacks.Callback):
    """Tells batches their epoch, and records each epoch in a file.

    Args:
        batches: those that are trained on.
        path: of the file.
        measure: takes the model, and returns numbers to be recorded beside the logs.

    Attributes:
        records: by epoch, what was recorded.
    """

    def __init__(
        self,
        batches: EpochBatches,
        path: Path,
        measure: Callable[[keras.Model], dict[str, Any]],
    ):
        super().__init__()
        self._batches = batches
        self._path = path
        self._measure = measure
        self._started = math.nan
        self.records: list[dict[str, Any]] = _read(path)

    def on_epoch_begin(self, epoch, logs=None):
        """Forgets what was recorded of this epoch before a kill."""
        self._batches.epoch = epoch
        del self.records[epoch:]
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch."""
        values = {key: _number(value) for key, value in (logs or {}).items()}
        measured = self._measure(self.model)
        seconds = round(time.perf_counter() - self._started, 1)
        self.records.append({**values, **measured, "seconds": seconds})
        write_whole(self._path, json.dumps(self.records))


def fit(
    model: keras.Model,
    batches: EpochBatches,
    epochs: int,
    folder: Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    measure: Callable[[keras.Model], dict[str, Any]] = lambda model: {},
) -> list[dict[str, Any]]:
    """Trains a compiled model; resumes a killed training of this folder after its last epoch.

    Args:
        model: made as for the first of these trainings, with the same seed.
        batches: drawn by epoch.
        epochs: of the whole training.
        folder: of this training only. It keeps the records, and a backup of the last two epochs,
            until you delete it.
        callbacks: for Keras's `fit`.
        measure: see `EpochRecords`.

    Returns:
        The records of all epochs: the logs, what `measure` returned, and `seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backup = folder / "backup"
    model.optimizer.build(model.trainable_variables)
    _mend(backup, model, len(batches))
    records = EpochRecords(batches, folder / RECORDS, measure)
    model.fit(
        batches,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[
            *callbacks,
            records,
            keras.callbacks.BackupAndRestore(
                str(backup), double_checkpoint=True, delete_checkpoint=False
            ),
        ],
    )
    return records.records


def recorded_seconds(folder: Path) -> float:
    """Returns how long the recorded epochs of a training in a folder took."""
    return sum(record["seconds"] for record in _read(folder / RECORDS))


def _number(value):
    """Returns a number for JSON: None if it is infinite or NaN."""
    return round(float(value), 5) if math.isfinite(value) else None


def _read(path):
    return json.loads(path.read_text()) if path.exists() else []


def _mend(backup, model, steps):
    """Repairs a backup that was half written when the training was killed.

    Keras writes the weights first, then the number of their epoch: if it is killed in between, an
    epoch would be trained twice. The optimizer's step is in the same file as the weights, and tells
    the epoch reliably.
    """
    weights, previous = backup / "latest.weights.h5", backup / "latest.weights.h5.bkp"
    if not _load(model, weights):
        if not previous.exists():
            shutil.rmtree(backup, ignore_errors=True)
            return
        shutil.copyfile(previous, weights)
        model.load_weights(weights)
    epoch = int(model.optimizer.iterations) // steps
    write_whole(backup / "training_metadata.json", json.dumps({"epoch": epoch, "batch": 0}))


def _load(model, path):
    """Loads weights, and returns whether their file exists and is complete."""
    if not path.exists():
        return False
    try:
        model.load_weights(path)
    except OSError:
        return False
    return True
