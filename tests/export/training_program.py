"""Trains a net on the backend in KERAS_BACKEND, and saves it and what it predicts.

Run by test_other_backends.py.
"""

import sys

import keras
import numpy as np

from tests.export.kinds import classifier
from tests.export.values import arrays


def main(path, file):
    keras.utils.set_random_seed(0)
    model = classifier(rho_gradient_scale=10.0)
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    (images,) = arrays(model, 64)
    before = model.get_weights()
    model.fit(images, np.arange(64) % 2, batch_size=16, epochs=2, verbose=0)
    after = model.get_weights()
    trained = [(old != new).any() for old, new in zip(before, after, strict=True)]
    assert all(trained), "a weight was not trained"
    model.save(path)
    head = model.predict(images, verbose=0)
    np.savez(file, backend=keras.backend.backend(), images=images, head=head)


if __name__ == "__main__":
    main(*sys.argv[1:])
