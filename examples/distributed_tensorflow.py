"""Training in several processes on TensorFlow: BINModel.fit under MultiWorkerMirroredStrategy.

    python examples/distributed_tensorflow.py --processes 2 --backup backup

The program starts the processes itself, on the CPUs of this machine. Each trains on its own part
of every batch, with synchronized statistics, and keeps a backup after each epoch. If one of them
dies, the program ends the others with exit code 1; started again, it goes on from the backups. Exit
code 0 means that all have ended with the same weights and moving statistics.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import argparse
import json
import sys

from common.processes import free_ports, run_processes

BATCH_SIZE = 64  # of all processes together


def main(arguments: list[str] | None = None) -> int:
    """Starts the processes, or trains in one that was started; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2, help="how many (default: 2)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of training (default: 5)")
    parser.add_argument("--backup", help="folder for backups (default: none are kept)")
    options = parser.parse_args(arguments)
    if "TF_CONFIG" in os.environ:  # set below, and by schedulers of clusters
        return train(options.epochs, options.backup)
    workers = [f"127.0.0.1:{port}" for port in free_ports(options.processes)]
    tasks = [{"type": "worker", "index": index} for index in range(options.processes)]
    configs = [json.dumps({"cluster": {"worker": workers}, "task": task}) for task in tasks]
    return run_processes(__file__, arguments, [{"TF_CONFIG": config} for config in configs])


def train(epochs: int, backup: str | None) -> int:
    """Trains one of the processes; returns 1 if they have come to differ."""
    import keras
    import numpy as np
    import tensorflow as tf
    from sklearn.datasets import load_digits

    import keras_bin

    # Before anything else of TensorFlow: it connects the processes.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    worker = strategy.cluster_resolver.task_id
    keras.utils.set_random_seed(0)  # the same in every process
    with strategy.scope():
        inputs = x = keras.Input((8, 8, 1))
        for filters in (16, 32):
            x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = keras_bin.BatchInstanceNormalization(
                momentum=0.9, synchronized=True, rho_initializer=0.5
            )(x)
            x = keras.layers.ReLU()(x)
        outputs = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
        net = keras_bin.BINModel(inputs, outputs)
        net.compile(
            keras.optimizers.AdamW(5e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
        )

    digits = load_digits()
    pixels = (digits.images[..., None] / 16).astype("float32")
    batches = (
        tf.data.Dataset.from_tensor_slices((pixels, digits.target))
        .shuffle(len(pixels), seed=0)
        .batch(BATCH_SIZE, drop_remainder=True)
    )

    def print_epoch(epoch, logs):
        gates = np.concatenate([rho.numpy() for rho in keras_bin.rho_weights(net)])
        losses = f"loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.3f}"
        print(f"epoch {epoch + 1}: {losses}, mean rho {gates.mean():.4f}", flush=True)

    callbacks = []
    if backup:  # a folder for each process: all of them write
        callbacks.append(keras.callbacks.BackupAndRestore(os.path.join(backup, str(worker))))
    if worker == 0:
        callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=print_epoch))
    net.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)

    weights = np.concatenate([weight.numpy().ravel() for weight in net.weights])
    everyones = strategy.gather(tf.constant(weights[None]), axis=0)
    agree = bool(np.all(everyones == weights))
    if worker == 0:
        says = "agree" if agree else "differ"
        print(f"The weights and moving statistics of {len(everyones)} processes {says}.")
    return int(not agree)


if __name__ == "__main__":
    sys.exit(main())
