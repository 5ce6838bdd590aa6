"""Runs as experiments on garments return them, made up."""

import numpy as np


def made_run(norm, seed, accuracy, task="", layers=3, epochs=2):
    """A run with an accuracy by test, whose mean rho falls by a tenth in each epoch."""
    learns = layers if norm.startswith("BIN") else 0
    return {
        "task": task,
        "norm": norm,
        "seed": seed,
        "accuracy": accuracy,
        "rho": [1 - 0.1 * epochs] * learns,
        "epochs": [
            {
                "loss": 2.0 - epoch,
                "accuracy": 0.5,
                "tests": accuracy,
                "rho": [[1 - 0.1 * (epoch + 1), epoch, 8 - epoch, 8]] * learns,
                "seconds": 1.0,
            }
            for epoch in range(epochs)
        ],
        "seconds": 3.0,
    }


def readings(labels, wrong):
    """What a net reads that takes some pictures for the next class."""
    read = np.array(labels)
    read[wrong] = (read[wrong] + 1) % 10
    return read
