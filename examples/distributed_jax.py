"""Training in several processes on JAX: keras.distribution.DataParallel and BINModel.fit.

    python examples/distributed_jax.py --processes 2

The program starts the processes itself, on the CPUs of this machine. Each feeds its own part of
every batch. Exit code 0 means that all of them have ended with the same weights and moving
statistics.
"""

import argparse
import os
import sys

from common.processes import free_ports, run_processes

BATCH_SIZE, TRAINING = 64, 1408  # of all processes together


def main(arguments: list[str] | None = None) -> int:
    """Starts the processes, or trains in one that was started; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2, help="1, 2 or 4 (default: 2)")
    parser.add_argument("--devices", type=int, default=1, help="of each process (default: 1)")
    parser.add_argument("--epochs", type=int, default=3, help="of 22 steps (default: 3)")
    options = parser.parse_args(arguments)
    if "KERAS_DISTRIBUTION_PROCESS_ID" in os.environ:  # set below
        return train(options.epochs)
    devices = f"--xla_force_host_platform_device_count={options.devices}"
    meeting = {  # keras.distribution.initialize reads these
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{free_ports(1)[0]}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(options.processes),
        "JAX_PLATFORMS": "cpu",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {devices}",
    }
    numbers = [{"KERAS_DISTRIBUTION_PROCESS_ID": str(n)} for n in range(options.processes)]
    return run_processes(__file__, arguments, [{**meeting, **number} for number in numbers])


def train(epochs: int) -> int:
    """Trains in one of the processes; returns 1 if they have come to differ."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras
    import numpy as np
    from jax.experimental import multihost_utils
    from sklearn.datasets import load_digits

    import keras_bin

    keras.distribution.initialize()  # before JAX computes anything
    number, processes = jax.process_index(), jax.process_count()
    # Every process feeds rows of its own, which Keras need not divide any more.
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))

    keras.utils.set_random_seed(0)  # processes must start from the same weights
    inputs = x = keras.Input((8, 8, 1))
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras_bin.BatchInstanceNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras_bin.BINModel(inputs, keras.layers.Dense(10)(x))
    model.compile(
        keras.optimizers.AdamW(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    digits = load_digits()
    images, labels = digits.images[..., None] / 16, digits.target
    history = keras_bin.RhoHistory(by_layer=False)
    logged = model.fit(
        images[number:TRAINING:processes],
        labels[number:TRAINING:processes],
        batch_size=BATCH_SIZE // processes,
        epochs=epochs,
        callbacks=[history],
        verbose=0,
    ).history
    if number == 0:
        for epoch, (loss, rho) in enumerate(
            zip(logged["loss"], logged["rho/mean"], strict=True), 1
        ):
            print(f"epoch {epoch}: loss {loss:.4f}, mean rho {rho:.4f}", flush=True)

    weights = np.concatenate([weight.ravel() for weight in model.get_weights()])
    everyones = multihost_utils.process_allgather(weights).reshape(processes, -1)
    agree = bool((everyones == weights).all())
    if number == 0:
        says = "agree" if agree else "differ"
        print(f"The weights and moving statistics of {processes} processes {says}.")
    return int(not agree)


if __name__ == "__main__":
    sys.exit(main())
