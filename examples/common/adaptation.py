"""Unsupervised domain adaptation by gradient reversal: batches, net and training.

Ganin et al. 2016, https://arxiv.org/abs/1505.07818.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common import resumable
from common.domains import Domains, Task
from common.gradient_reversal import GradientReversal, ReversalSchedule
from common.layers import Layers
from common.norms import NORMS, Norm
from common.progress import RunBar
from common.resnet import resnet
from common.training import BATCH_SIZE, PARTS

HALF_BATCH = BATCH_SIZE  # as many labelled pictures as elsewhere, and as many without labels
# Chosen for BN, not BIN: of 0.01, 0.02, 0.05 and 0.1, BN is most accurate on the target with 0.02,
# with reversal, on average over the twelve pairs of styles, with another seed and on held-back
# training digits.
LEARNING_RATE = 0.02
WEIGHT_DECAY = 1e-4
MOMENTUM = 0.9
DOMAIN_UNITS = 64
SETTINGS = {
    "batch_size": 2 * HALF_BATCH,
    "learning_rate": LEARNING_RATE,
    "momentum": MOMENTUM,
    "weight_decay": WEIGHT_DECAY,
}


def build_net(
    norm: Norm, depth: int, shape: tuple[int, int, int], classes: int
) -> tuple[keras.Model, keras.Model]:
    """Builds a residual net with a head for classes and, behind a reversal, one for domains.

    Returns:
        `(both, reader)`: a model that returns the logits of the classes and of the domain being the
        target, and a model that shares its layers and returns only the logits of the classes.
    """
    layers = Layers(norm, WEIGHT_DECAY)
    pictures = keras.Input(shape, name="pictures")
    features = keras.layers.GlobalAveragePooling2D()(resnet(pictures, layers, depth))
    logits = keras.layers.Dense(classes, name="classes")(features)
    x = GradientReversal(name="reversal")(features)
    x = keras.layers.Dense(DOMAIN_UNITS, activation="relu")(x)
    domain = keras.layers.Dense(1, name="domain")(x)
    return norm.model_class(pictures, [logits, domain]), keras.Model(pictures, logits)


def batches(task: Task) -> tf.data.Dataset:
    """Returns endless batches: half source, half target, whose classes have weight 0."""
    source = tf.data.Dataset.from_tensor_slices((task.source, task.source_labels))
    target = tf.data.Dataset.from_tensor_slices(task.target)
    no_labels = tf.zeros(HALF_BATCH, task.source_labels.dtype)
    is_target = tf.concat([tf.zeros(HALF_BATCH), tf.ones(HALF_BATCH)], 0)

    def join(labelled, unlabelled):
        pictures, labels = labelled
        return (
            tf.concat([pictures, unlabelled], 0),
            (tf.concat([labels, no_labels], 0), is_target[:, tf.newaxis]),
            (1 - is_target, tf.ones(2 * HALF_BATCH)),
        )

    return tf.data.Dataset.zip(
        source.shuffle(len(task.source)).repeat().batch(HALF_BATCH),
        target.shuffle(len(task.target)).repeat().batch(HALF_BATCH),
    ).map(join)


def drawn_batches(task: Task, seed: int, steps: int) -> resumable.EpochBatches:
    """Returns batches like those of `batches`, each drawn from all pictures.

    They follow from the seed and the number of a part alone.

    Args:
        task: what is learnt from.
        seed: decides the batches, with the part.
        steps: of a part.
    """
    is_target = np.repeat([0.0, 1.0], HALF_BATCH).astype("float32")

    def draw(rng):
        source, target = (
            rng.choice(len(pictures), HALF_BATCH, replace=len(pictures) < HALF_BATCH)
            for pictures in (task.source, task.target)
        )
        labels = np.concatenate([task.source_labels[source], np.zeros(HALF_BATCH, "int64")])
        return (
            np.concatenate([task.source[source], task.target[target]]),
            (labels, is_target[:, np.newaxis]),
            (1 - is_target, np.ones_like(is_target)),
        )

    return resumable.StepBatches(steps, seed, draw)


def adapt(
    norm: str,
    domains: Domains,
    task: Task,
    seed: int,
    bar: RunBar,
    reversal: bool,
    folder: Path | None = None,
) -> keras.Model:
    """Trains one net on a task; returns the model that reads classes.

    Without `reversal`, the head that predicts domains learns, but its gradient stops before the
    features. With a folder, a training that was stopped resumes, see `resumable.fit`.
    """
    keras.utils.set_random_seed(seed)
    both, reader = build_net(NORMS[norm], domains.depth, task.source.shape[1:], domains.classes)
    both.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, domains.steps), momentum=MOMENTUM
        ),
        [
            keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            keras.losses.BinaryCrossentropy(from_logits=True),
        ],
    )
    callbacks = [bar.epoch_callback()]
    if reversal:
        callbacks.append(ReversalSchedule(both.get_layer("reversal"), domains.steps))
    else:
        both.get_layer("reversal").scale.assign(0)
    if folder:
        drawn = drawn_batches(task, seed, domains.steps // PARTS)
        resumable.fit(both, drawn, PARTS, folder, callbacks)
        return reader
    both.fit(
        batches(task),
        steps_per_epoch=domains.steps // PARTS,
        epochs=PARTS,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )
    return reader
