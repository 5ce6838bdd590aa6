"""Trains under `tf.distribute`, and prints what came of it; run by test_workers.py.

    python -m tests.distributed.workers_program WORKER PORTS TRAININGS

PORTS are those of all workers, with commas. TRAININGS is a list of the fields of `Settings`, as
JSON. It prints, as JSON, what `train` returns for each.
"""

import dataclasses
import json
import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from testing.small_net import batch
from tests.distributed.training import bin_weights, build_net, cross_entropy, optimizer, rho_of


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a process trains, and how."""

    synchronized: bool = True
    loop: bool = False  # over `strategy.run(model.train_step)`, instead of `fit`
    rows: int = 16
    batch: int = 8
    epochs: int = 3
    backup: str = ""  # where each worker keeps its backup after each epoch
    killed_after: int = 0  # the step after which the last worker kills itself


class Recorder(keras.callbacks.Callback):
    """Records the gates after each step, and may kill the process after one."""

    def __init__(self, killed_after=0):
        super().__init__()
        self.gates, self._killed_after = [], killed_after

    def on_train_batch_end(self, batch, logs=None):
        self.gates.append(rho_of(self.model))
        if len(self.gates) == self._killed_after:
            os.kill(os.getpid(), signal.SIGKILL)


def fit(model, data, settings, worker, killed):
    recorder = Recorder(settings.killed_after if killed else 0)
    backup = settings.backup and [
        keras.callbacks.BackupAndRestore(f"{settings.backup}/{worker}", delete_checkpoint=False)
    ]
    callbacks = [recorder, *(backup or [])]
    history = model.fit(data, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=callbacks)
    evaluated = model.evaluate(data, verbose=0)
    return {"losses": history.history["loss"], "evaluated": evaluated, "gates": recorder.gates}


def loop(model, data, settings, strategy):
    @tf.function
    def step(rows):
        return strategy.run(model.train_step, (rows,))

    losses, gates = [], []
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)
    distributed = strategy.experimental_distribute_dataset(data)
    for _ in range(settings.epochs):
        model.reset_metrics()
        for rows in distributed:
            step(rows)
            gates.append(rho_of(model))
        losses.append(float(model.get_metrics_result()["loss"]))
    return {"losses": losses, "gates": gates}


def train(settings, strategy, worker=0, workers=1):
    """Trains a net, and returns losses, the gates after each step, outputs, and weights."""
    with strategy.scope():
        model = build_net(settings.synchronized)
        model.compile(optimizer(), cross_entropy(), metrics=["accuracy"])
    images, labels = batch()
    images, labels = np.concatenate([images, -images]), np.concatenate([labels, labels])
    images, labels = images[: settings.rows], labels[: settings.rows]
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(settings.batch)
    if settings.loop:
        results = loop(model, data, settings, strategy)
    else:
        results = fit(model, data, settings, worker, killed=worker == workers - 1)
        results["outputs"] = model.predict(images[:16], batch_size=8, verbose=0).tolist()
    return {**results, "weights": bin_weights(model)}


def main(worker, ports, trainings):
    addresses = [f"127.0.0.1:{port}" for port in ports.split(",")]
    task = {"type": "worker", "index": worker}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    results = [train(Settings(**each), strategy, worker, len(addresses)) for each in trainings]
    print(json.dumps(results))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
