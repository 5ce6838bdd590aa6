"""How BIN's authors train: https://github.com/hyseob/Batch-Instance-Normalization."""

import keras

from common.recognition import Pictures, held_out_batches, training_batches

EPOCHS = 164
DROPS = (81, 122)
BATCH_SIZE = 128
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4


def learning_rate(epochs: int, batches: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Makes the schedule of a training: two drops to a tenth, `DROPS` of `EPOCHS` through it.

    Args:
        epochs: of the training.
        batches: of an epoch.
    """
    # A rate applies up to and including the step of its boundary; steps count from 0.
    boundaries = [drop_epoch(drop, epochs) * batches - 1 for drop in DROPS]
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        boundaries, [LEARNING_RATE, LEARNING_RATE / 10, LEARNING_RATE / 100]
    )


def drop_epoch(drop: int, epochs: int) -> int:
    """Returns how many epochs pass before a drop, with `epochs` instead of `EPOCHS`."""
    return round(drop * epochs / EPOCHS)


def train(
    model: keras.Model,
    pictures: Pictures,
    epochs: int,
    seed: int,
    callback: keras.callbacks.Callback,
) -> dict[str, list[float]]:
    """Trains a net that ends in logits by the recipe.

    Args:
        model: not compiled; it brings its own weight decay.
        pictures: to train on and, after each epoch, to test on.
        epochs: the drops of the learning rate move with them.
        seed: decides the order of the pictures and how they are varied.
        callback: for `fit`.

    Returns:
        `train_accuracy` and `test_accuracy`, percentages after each epoch. The training accuracy is
        a mean over the epoch, on varied pictures.
    """
    batches = training_batches(pictures, BATCH_SIZE, seed)
    model.compile(
        keras.optimizers.SGD(learning_rate(epochs, len(batches)), momentum=MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
    )
    history = model.fit(
        batches,
        validation_data=held_out_batches(pictures, BATCH_SIZE),
        epochs=epochs,
        shuffle=False,
        callbacks=[callback],
        verbose=0,
    ).history
    return {
        f"{part}_accuracy": [round(100 * value, 2) for value in history[key]]
        for part, key in (("train", "accuracy"), ("test", "val_accuracy"))
    }
