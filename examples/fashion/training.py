"""Training a residual net on Fashion-MNIST, however its pictures are drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_bin
from common import resumable
from common.classifiers import build_classifier
from common.norms import ALL_NORMS, SERVED_NORMS, Norm, learning_norms
from common.progress import RunBar
from common.scans import CLASSES
from common.whole_files import save_net
from fashion.data import SIDE

MOMENTUM = 0.9
CURVE_PICTURES = 1000  # of each test, after each epoch; all of them after the last one
TEST_BATCH = 500
SETTLED_ON = 512  # pictures to measure on what layers are worth


class Labelled(NamedTuple):
    """Pictures of shape `(n, 28, 28, 3)`, and their labels of shape `(n,)`."""

    pictures: np.ndarray
    labels: np.ndarray


class Task(NamedTuple):
    """What a net learns and is tested on.

    Attributes:
        number: how many pictures it learns from.
        draw: makes a batch of their positions, see `resumable.EpochBatches`.
        tests: what it is tested on, by name.
        classes: how many there are.
    """

    number: int
    draw: resumable.Draw
    tests: Mapping[str, Labelled]
    classes: int


class Recipe(NamedTuple):
    """How long and how fast a net learns.

    Attributes:
        net: which net, see `build_classifier`.
        epochs: passes over the pictures.
        learning_rate: the first, and highest.
        schedule: a key of `SCHEDULES`.
        batch_size: pictures per step.
        weight_decay: of all weights but rho, see `Layers`.
        rho_start: where rho starts, if it learns.
    """

    net: str = "resnet-20"
    epochs: int = 5
    learning_rate: float = 0.1
    schedule: str = "cosine"
    batch_size: int = 64
    weight_decay: float = 1e-4
    rho_start: float = 1.0


RECIPE = Recipe()


def _steps(rate, steps):
    """A tenth of the rate from the middle on, and a hundredth in the last quarter."""
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [steps // 2, 3 * steps // 4], [rate, rate / 10, rate / 100]
    )


SCHEDULES = {
    "cosine": keras.optimizers.schedules.CosineDecay,
    "steps": _steps,
    "constant": lambda rate, steps: rate,
}


def build(recipe: Recipe, norm: str, classes: int = CLASSES) -> keras.Model:
    """Builds a net for pictures of garments, not compiled."""
    made = _norm(recipe, norm)
    return build_classifier(recipe.net, made, (SIDE, SIDE, 3), classes, recipe.weight_decay)


def _norm(recipe: Recipe, name: str) -> Norm:
    return {**ALL_NORMS, **SERVED_NORMS, **learning_norms(recipe.rho_start)}[name]


def train(
    task: Task, norm: str, seed: int, recipe: Recipe, folder: Path, net: Path, bar: RunBar
) -> dict[str, Any]:
    """Trains, tests and saves a net, or resumes a training that was killed.

    Args:
        task: what it learns.
        norm: a key of `ALL_NORMS` or `SERVED_NORMS`.
        seed: decides the initial weights, and the order and the drawing of the pictures.
        recipe: how long and how fast it learns.
        folder: for what a killed training needs to resume.
        net: where the trained net is saved.
        bar: shows the progress.

    Returns:
        `accuracy` by test, in percent, `rho`, the mean of the gates of each BIN layer, and
        `epochs`, for each a dict of `loss`, `accuracy` in training (a share, as Keras logs it),
        `tests` by name (percentages of the first `CURVE_PICTURES`), `rho` (by layer its mean, and
        the numbers of gates at 0, at 1 and between) and `seconds`. A loss that is not finite
        is None.
    """
    keras.utils.set_random_seed(seed)
    model = build(recipe, norm, task.classes)
    batches = resumable.EpochBatches(task.number, recipe.batch_size, seed, task.draw)
    steps = recipe.epochs * len(batches)
    model.compile(
        keras.optimizers.SGD(
            SCHEDULES[recipe.schedule](recipe.learning_rate, steps), momentum=MOMENTUM
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
        # On CPUs, XLA makes a step with BatchNormalization 1.6 times as long, and no step shorter.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )

    def measure(model):
        first = {
            name: Labelled(test.pictures[:CURVE_PICTURES], test.labels[:CURVE_PICTURES])
            for name, test in task.tests.items()
        }
        return {"tests": read_tests(model, first), "rho": _gates(model)}

    callbacks = [bar.epoch_callback()]
    if _norm(recipe, norm).settles:
        rng = np.random.default_rng((seed, recipe.epochs))  # not that of an epoch
        measured_on = task.draw(rng.permutation(task.number)[:SETTLED_ON], rng)
        callbacks.append(
            keras_bin.SettleRho(measured_on, batch_size=SETTLED_ON // 2, verbose=False)
        )
    records = resumable.fit(model, batches, recipe.epochs, folder, callbacks, measure)
    accuracy = read_tests(model, task.tests)
    save_net(model, net)
    return {
        "accuracy": accuracy,
        "rho": [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)],
        "epochs": records,
    }


def read_tests(model: keras.Model, tests: Mapping[str, Labelled]) -> dict[str, float]:
    """Returns the percentage of pictures that a classifier reads right, by test."""
    return {
        name: round(100 * float(np.mean(read(model, test.pictures) == test.labels)), 2)
        for name, test in tests.items()
    }


def read(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """Returns what a classifier reads in each picture."""
    return model.predict(pictures, batch_size=TEST_BATCH, verbose=0).argmax(-1)


def _gates(model):
    return [
        [
            round(layer.mean, 4),
            layer.at_zero,
            layer.channels - layer.at_zero - layer.at_one,
            layer.at_one,
        ]
        for layer in keras_bin.rho_summary(model)
    ]
